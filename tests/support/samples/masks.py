"""Photographs with palette masks: ``photos/``, ``masks/`` and ``classes.csv``."""

from __future__ import annotations

from pathlib import Path

from support.masked import blocks, palette, photograph, save, save_photograph

INDICES = (0, 1, 3, 7, 255)
CLASSES = "index,name,category\n0,sky,object\n1,road,object\n3,wall,object\n7,brick,material\n"


def make(folder: Path) -> None:
    (folder / "classes.csv").write_text(CLASSES, encoding="utf-8")
    for i, name in enumerate(("street/one", "street/two", "yard/one")):
        save_photograph(folder / "photos" / f"{name}.jpg", photograph(i))
        save(folder / "masks" / f"{name}.png", palette(blocks(i, INDICES)))
