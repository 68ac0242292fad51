"""Painting: the canvas, colours, light, textures and the fine structure of materials.

``canvas`` draws picture and labels with the same strokes; ``polygons`` fills them with the same pixels on
every machine. Only `onnxdissect.tiny` uses them.
"""
