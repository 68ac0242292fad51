"""One file a format: a function that reads its files into `ImportedData`.

What is wrong with the files is a `DataError` that names the file and what was expected in it.
"""
