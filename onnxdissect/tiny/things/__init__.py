"""The objects that `tiny` draws, sorted by where they occur.

Each module holds functions that draw one object and its parts on a canvas.
``onnxdissect.tiny.scene_objects`` says which occur where.
"""
