"""The things that `tiny` draws, by where they are met.

Each module holds functions that draw one object and its parts on a canvas.
``onnxdissect.tiny.scene_objects`` says which occur where.
"""
