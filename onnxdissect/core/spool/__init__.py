"""What waits between pass and tally: sparse maps and annotations, in memory and beyond it on disk.

``chunk`` is what is taken in and given back, ``spool`` holds it, ``spool_files`` is the part on disk;
``parts`` stands for a spool whose chunks lie with others.
``arena`` is the memory that sparse maps lie in, ``pages`` where that comes from and goes back to.
"""
