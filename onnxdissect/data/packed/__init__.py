"""A data set packed into one file: images as they are, annotations as runs, and the tables of its folder.

``writer`` packs a Broden folder, ``opening`` opens the file where it lies, on this machine or behind an
address, and gives a `PackedDataset` with the images, annotations and fingerprint of the folder.
"""
