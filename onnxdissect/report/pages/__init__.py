"""Pages from report data: HTML by templates, and the data files that their script reads.

``pages`` renders, ``site`` and ``scripts`` write the data files.
"""
