"""Masks by a list of classes: what reading them takes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image

from onnxdissect.data.importers.reading.class_list import ClassList, ListedClass
from onnxdissect.data.importers.reading.painted import MaskReader


def test_masks_in_colours_are_looked_up_in_little_memory(tmp_path: Path) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (5, 3)).astype(np.uint8)
    classes = np.random.default_rng(1).integers(0, 5, (16, 16)).repeat(64, axis=0).repeat(64, axis=1)
    Image.fromarray(colors[classes]).save(tmp_path / "mask.png")
    listed = [
        ListedClass(i, f"c{i}", "object", (int(r), int(g), int(b))) for i, (r, g, b) in enumerate(colors)
    ]
    reader = MaskReader(ClassList(tuple(listed), "object", "list"))
    tracemalloc.start()
    [found] = reader.read(tmp_path / "mask.png")["object"]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found, classes + 1)
    # codes of eight bytes, places and what is sorted for them took more than 40 bytes a pixel
    assert most < 20 * classes.size
