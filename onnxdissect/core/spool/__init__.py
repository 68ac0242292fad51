"""What waits between pass and tally: sparse maps and annotations, in memory and beyond it on disk.

``spool`` takes in chunks and gives them back, ``spool_files`` is its part on disk, ``arena`` the memory that
sparse maps lie in, ``pages`` where that comes from and goes back to.
"""
