"""Pascal VOC: its segmentation masks, and the parts that Pascal-Part adds to them.

`read_voc` in ``reading`` finds images and splits; ``classes`` has the names and the palette, ``parts`` reads
Pascal-Part's files, ``part_names`` what their abbreviations mean.
"""
