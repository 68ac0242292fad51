"""Data sets of streets whose classes are facts: CamVid's and Cityscapes's, with their codes and colours.

`read_camvid` and `read_cityscapes` read them as they are unpacked; ``camvid_classes`` and
``cityscapes_classes`` are the tables.
"""
