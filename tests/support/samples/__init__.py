"""Samples of other data sets, faithfully written: one module a format, with a function `make`.

What the page of a format in ``docs/import/`` shows is typed beside what `make` makes in a folder; so is that
of `segmenter`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

__all__ = ["make_sample"]


def make_sample(page: Path, folder: Path) -> None:
    """Make what the commands of a page on a format are typed beside."""
    import_module(f"support.samples.{page.stem}").make(folder)
