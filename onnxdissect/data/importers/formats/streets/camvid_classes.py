"""CamVid's classes: the 32 of its colours, and the 11 that papers on segmentation take."""

from __future__ import annotations

from onnxdissect.data.importers.reading.class_list import ClassList, ListedClass

__all__ = ["CAMVID_11", "CAMVID_32", "VOID_11", "VOID_COLOR"]

VOID_COLOR = (0, 0, 0)
"""Of pixels that nobody labelled."""
VOID_11 = 11
"""The index of such pixels where there are 11 classes."""

_COLORS = (
    ("animal", (64, 128, 64)),
    ("archway", (192, 0, 128)),
    ("bicyclist", (0, 128, 192)),
    ("bridge", (0, 128, 64)),
    ("building", (128, 0, 0)),
    ("car", (64, 0, 128)),
    ("cart luggage pram", (64, 0, 192)),
    ("child", (192, 128, 64)),
    ("column pole", (192, 192, 128)),
    ("fence", (64, 64, 128)),
    ("lane markings drivable", (128, 0, 192)),
    ("lane markings non-drivable", (192, 0, 64)),
    ("misc text", (128, 128, 64)),
    ("motorcycle scooter", (192, 0, 192)),
    ("other moving", (128, 64, 64)),
    ("parking block", (64, 192, 128)),
    ("pedestrian", (64, 64, 0)),
    ("road", (128, 64, 128)),
    ("road shoulder", (128, 128, 192)),
    ("sidewalk", (0, 0, 192)),
    ("sign symbol", (192, 128, 128)),
    ("sky", (128, 128, 128)),
    ("suv pickup truck", (64, 128, 192)),
    ("traffic cone", (0, 0, 64)),
    ("traffic light", (0, 64, 64)),
    ("train", (192, 64, 128)),
    ("tree", (128, 128, 0)),
    ("truck bus", (192, 128, 192)),
    ("tunnel", (64, 0, 64)),
    ("vegetation misc", (192, 192, 0)),
    ("wall", (64, 192, 0)),
)
_ELEVEN = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian"),
    "bicyclist",
)

CAMVID_32 = ClassList(
    tuple(ListedClass(index, name, color=color) for index, (name, color) in enumerate(_COLORS)),
    "object",
    "CamVid's table of 32 colours",
)
"""By colour; the 32nd is `VOID_COLOR`."""
CAMVID_11 = ClassList(
    tuple(ListedClass(index, name) for index, name in enumerate(_ELEVEN)),
    "object",
    "CamVid's table of 11 classes",
)
"""By index; `VOID_11` is none of them."""
