"""CVAT: the XML file that it exports as "CVAT for images 1.1".

`read_cvat` in ``reading`` finds the images and draws; ``annotation_file`` reads the XML, ``shapes`` what one
element of it covers.
"""
