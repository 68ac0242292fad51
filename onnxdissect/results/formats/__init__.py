"""The files of a run directory, one module for each: written, read back, and refused when damaged.

``writer`` writes a whole run and ``reader`` opens one; ``manifest``, ``tables``, ``arrays``,
``per_image_counts`` and ``top_maps`` know one kind of file each; ``netdissect`` writes the original's format.
"""
