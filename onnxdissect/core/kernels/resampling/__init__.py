"""Kernels of the statistics: counts image by image, and sums over other choices of images.

``gather`` brings the masks of each unit together, ``resample`` sums them over resampled images, ``permute``
counts masks against the annotations of other images.
"""
