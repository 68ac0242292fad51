"""Writing that survives: files that are whole or absent, and archives that say what is wrong with them.

``files`` writes beside and renames into place; ``archives`` reads arrays back and refuses damaged ones.
A caller needs `onnxdissect.storage.files` to write and `onnxdissect.storage.archives` to read.
"""
