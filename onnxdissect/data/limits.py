"""How much of anything a data set may hold, compared before anything is decoded or allocated.

Tables and headers only claim their sizes; without limits a table of ten lines could ask for all memory.
``docs/data.md`` states them to users.
"""

from __future__ import annotations

__all__ = [
    "HIGHEST_INDEX",
    "LONGEST_ABOUT",
    "LONGEST_CATEGORY",
    "LONGEST_PATH",
    "MOST_ABOUT_BYTES",
    "MOST_ANNOTATION_BYTES",
    "MOST_ARCHIVE_BYTES",
    "MOST_CATEGORIES",
    "MOST_COLUMNS",
    "MOST_COUNTED",
    "MOST_DIRECTORY_BYTES",
    "MOST_EXPANDED",
    "MOST_FILE_BYTES",
    "MOST_HEADER_BYTES",
    "MOST_INFLATED_BYTES",
    "MOST_MAPS",
    "MOST_MASK_PIXELS",
    "MOST_MEMBERS",
    "MOST_OUTLINE",
    "MOST_PARTS",
    "MOST_PIXELS",
    "MOST_ROWS",
    "MOST_SCORES",
    "MOST_SIDE",
    "MOST_TABLES_BYTES",
    "MOST_TABLE_BYTES",
    "MOST_UNPACKED_BYTES",
]

MOST_PIXELS = 1 << 27
"""Of an image, and of all label maps of an image together: 134,217,728, as of 11,585 x 11,585."""
MOST_SIDE = 1 << 20
"""Height or width of an image or a label grid; OpenCV decodes no more."""
MOST_FILE_BYTES = 1 << 30
"""Size of an image's or a label map's file."""
MOST_HEADER_BYTES = 1 << 22
"""Size of the header of a packed file: of 1,024 categories it takes half a mebibyte."""
MOST_MAPS = 1024
"""Label maps of an image."""
MOST_TABLE_BYTES = 1 << 28
"""Size of a table's file."""
MOST_TABLES_BYTES = 1 << 29
"""Size of all tables of a packed file together: compressed, each of a thousand may claim the most."""
MOST_ROWS = 1 << 24
"""Rows of a table, that is images of a data set."""
MOST_SCORES = 1 << 28
"""Of all classes at all cells of a label grid that a segmenter's scores are brought to: 1 GiB."""
MOST_COLUMNS = 4096
"""Columns of a table."""
MOST_CATEGORIES = 1024
"""Categories of a data set."""
MOST_COUNTED = 10**15
"""What a table's frequencies and coverages go up to."""
LONGEST_CATEGORY = 200
"""Bytes of a category's name: it is part of a file's name, and those end at 255 nearly everywhere."""
LONGEST_PATH = 4096
"""Characters of an image's path in index.csv."""
MOST_MASK_PIXELS = 1 << 26
"""Of a mask that is imported: 67,108,864, as of 8,192 x 8,192."""
HIGHEST_INDEX = 2**31 - 1
"""Of a class in a mask that is imported, of 32 bits."""
MOST_ABOUT_BYTES = 1 << 20
"""Size of about.json."""
LONGEST_ABOUT = 4096
"""Characters of a text in about.json."""
MOST_PARTS = 1024
"""Data sets that a data set is said to be made of."""
MOST_ARCHIVE_BYTES = 1 << 36
"""Size of an archive that is downloaded."""
MOST_UNPACKED_BYTES = 1 << 37
"""Size of all files of an archive together."""
MOST_EXPANDED = 200
"""How many times the size of an archive its files may have: photographs hardly shrink, tables to a tenth."""
MOST_MEMBERS = 1_000_000
"""Files and folders of an archive."""
MOST_DIRECTORY_BYTES = 1 << 27
"""Size of an archive's list of its files."""
MOST_ANNOTATION_BYTES = 1 << 30
"""Size of a file of annotations that an importer reads. Its text stays in memory until the import is done."""
MOST_INFLATED_BYTES = 1 << 32
"""Of a compressed variable in a file of MATLAB."""
MOST_OUTLINE = 1 << 22
"""Steps of a fifth of a pixel along the outline of a polygon, or rows that its edges cross."""
