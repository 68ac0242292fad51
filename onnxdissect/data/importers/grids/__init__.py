"""Arithmetic of images and label grids: squares over images, label maps resampled, colours named.

Pure functions of arrays, each with a naive twin in the tests.
"""
