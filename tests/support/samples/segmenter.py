"""Photographs, and a segmenter of their colours: ``photos/``, ``colours.onnx``, ``classes.txt``."""

from __future__ import annotations

from pathlib import Path

from support.models import save
from support.segmenters import classes, photographs, segmenter


def make(folder: Path) -> None:
    save(segmenter(), folder / "colours.onnx")
    classes(folder / "classes.txt")
    photographs(folder / "photos", 12, (64, 64))
