"""How `tiny` paints: the canvas, colours, light, textures and the fine structure of materials.

``canvas`` draws picture and labels by the same strokes; ``polygons`` fills them alike on every machine.
Only `onnxdissect.tiny` draws with these.
"""
