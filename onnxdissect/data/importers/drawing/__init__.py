"""Shapes as pixels: polygons and ellipses, run lengths, and label maps that shapes are drawn into.

`Patch` is what a shape covers, `Planes` the label maps; what cannot be drawn is a `ValueError`, which formats
name the annotation before.
"""
