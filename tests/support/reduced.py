"""Networks that score classes at many places: a segmenter in several spellings, and boxes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx

from support.models import Builder

CLASSES = ("sky", "road", "bus", "tree")


def segmenter(ending: str = "maps", **options: Any) -> onnx.ModelProto:
    """Scores of four classes on maps; the file ends in them, in chances, numbers of classes or boxes."""
    b = Builder(("N", 3, 12, 12), **options)
    deep = b.relu(b.conv(b.image, 6, stride=2), name="deep")
    small = b.conv(deep, 4, 1, name="small")
    scales = b.constant((1, 1, 2, 2), np.float32)
    maps = b.node("Resize", small, "", scales, mode="nearest", name="maps")
    b.metadata["classes"] = json.dumps(CLASSES)
    if ending == "chances":
        return b.model(b.node("Softmax", maps, axis=1, name="chances"))
    if ending == "last":
        last = b.node("Transpose", maps, perm=(0, 2, 3, 1), name="turned")
        return b.model(b.node("Softmax", last, axis=-1, name="last"))
    if ending == "numbers":
        chosen = b.node("ArgMax", b.node("Softmax", maps, axis=1), axis=1, keepdims=0, name="chosen")
        return b.model(b.node("Cast", chosen, to=onnx.TensorProto.INT32, name="numbers"))
    if ending == "boxes":
        places = b.node("Reshape", maps, b.constant((0, 4, -1), np.int64))
        return b.model(b.node("Transpose", places, perm=(0, 2, 1), name="boxes"))
    return b.model(maps)
