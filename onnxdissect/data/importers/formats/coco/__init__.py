"""COCO's files of annotations: instances, stuff and panoptic, in JSON with or without PNGs beside.

`read_coco` in ``reading`` brings them together; ``annotation_file`` reads the JSON, ``segments`` draws what
one says, ``outlines`` polygons as COCO's decoder does, ``pixel_maps`` reads PNGs of ids.
"""
