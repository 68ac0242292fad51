"""ADE20K: the full set with parts, and the 150 classes of the scene parsing benchmark.

`read_ade20k` in ``reading`` tells which one a folder is; ``scene_parsing`` and ``full`` read them. What the
numbers of the full set are called is in ``object_names``.
"""
