"""The Broden layout: its reader, its tables, and what can be said and checked of a data set in it.

``reader`` gives a `Dataset`, ``tables`` and ``index`` read CSV files, ``check`` finds all problems at once,
``info`` describes. Callers use `open_dataset`, `check_folder` and `describe` of `onnxdissect.data`.
"""
