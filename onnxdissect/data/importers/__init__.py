"""Other data sets written in the Broden layout, one file a format in ``formats/``.

A format reads a folder into `ImportedData`: names of labels, and images that tell their label maps when they
are asked. `write_imported` writes all of them the same way, whatever they were, as `ImportOptions` ask.
``reading`` has what several formats read alike, ``drawing`` makes pixels of shapes, ``grids`` resizes.
"""
