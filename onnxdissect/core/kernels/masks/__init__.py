"""Kernels of the tally, which see masks: sparse maps, upsampled and cut at the threshold.

``map_buffer`` lays out one sparse map as a grid, ``mask_walk`` visits the pixels of its mask, ``count``
counts them against the annotations. ``mask_cells`` finds the cells that make the masks, ``draw_mask`` gives a
mask as a picture. ``arguments`` names what such kernels are given.
"""
