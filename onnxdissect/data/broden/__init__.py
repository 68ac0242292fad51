"""The Broden layout: its reader and writer, its tables, and what can be said and checked of a data set in it.

``reader`` gives a `Dataset`, ``tables`` and ``index`` read CSV files, ``check`` finds all problems at once,
``info`` describes; ``writer`` writes an image, ``table_writer`` the tables. Callers use `open_dataset`,
`check_folder`, `describe`, `write_image` and `write_tables` of `onnxdissect.data`.
"""
