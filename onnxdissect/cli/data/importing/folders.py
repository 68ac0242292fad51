"""``onnxdissect data import folders``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["folders"]


def folders(
    images: Annotated[Path, typer.Option(metavar="DIR", help="One folder for each class, with its images.")],
    category: Annotated[str, typer.Option(help="Of the classes.")] = "scene",
) -> ImportedData:
    """Images that each show one class, named by the folder they lie in."""
    from onnxdissect.data.importers.formats.folders import read_folders

    return read_folders(images, category=category)
