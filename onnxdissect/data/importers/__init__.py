"""Other data sets written in the Broden layout, one file a format in ``formats/``.

A format reads a folder into `ImportedData`: names of labels, and images that tell their label maps when they
are asked. All of them are written the same way, whatever they were.
"""
