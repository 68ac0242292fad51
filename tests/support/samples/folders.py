"""Images in a folder for each class: ``places/``."""

from __future__ import annotations

from pathlib import Path

from support.masked import photograph, save_photograph

IMAGES = {"beach": ("1.jpg", "deep/2.png"), "forest path": ("1.jpg", "2.jpg", "3.bmp")}


def make(folder: Path) -> None:
    seed = 0
    for name, files in IMAGES.items():
        for file in files:
            save_photograph(folder / "places" / name / file, photograph(seed))
            seed += 1
