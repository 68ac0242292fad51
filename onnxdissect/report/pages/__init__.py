"""Pages from report data: HTML by templates, and the data files that their script reads.

``rendering`` writes HTML, ``data_files`` and ``scripts`` the data files.
"""
