"""`data import masks`: indexed, palette and RGB masks, by a list of classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.commands import Called, called
from support.importing import counted_masks, pixels_by_name
from support.masked import blocks, coloured, grey, palette, photograph, save, save_photograph

Array = np.ndarray[Any, Any]

LIST = "0,sky,object,0,0,0\n1,road,object,128,64,128\n3,wall,object,70,130,180\n7,brick,material,220,20,60\n"
NAMES = {0: "sky", 1: "road", 3: "wall", 7: "brick"}


def import_masks(place: Path, *options: object) -> Called:
    folders = ("--images", "photos", "--masks", "masks", "--classes", "list.csv")
    return called(place, "data", "import", "masks", "out", *folders, *options)


def draw(place: Path, save_mask: Callable[[Array], Image.Image], ending: str = ".png") -> list[Array]:
    (place / "list.csv").write_text(LIST, encoding="utf-8")
    drawn = []
    for i, name in enumerate(("a/one", "a/two", "b/one")):
        save_photograph(place / "photos" / f"{name}.jpg", photograph(i))
        drawn.append(blocks(i, (0, 1, 3, 7)))
        save(place / "masks" / f"{name}{ending}", save_mask(drawn[-1]))
    return drawn


@pytest.mark.parametrize("kind", [grey, palette, coloured])
@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
def test_pixels_per_class_are_those_of_the_masks(
    tmp_path: Path, kind: Callable[[Array], Image.Image], ending: str
) -> None:
    drawn = draw(tmp_path, kind, ending)
    done = import_masks(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert pixels_by_name(tmp_path / "out") == counted_masks(drawn, NAMES)
    for name in ("a/one", "a/two", "b/one"):
        copied = (tmp_path / "out" / "images" / f"{name}.jpg").read_bytes()
        assert copied == (tmp_path / "photos" / f"{name}.jpg").read_bytes()
    checked = called(tmp_path, "data", "check", "out", "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["problems"] == []
