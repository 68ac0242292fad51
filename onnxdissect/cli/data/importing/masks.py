"""``onnxdissect data import masks``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.data.importing.shared import Ignore

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["masks"]


def masks(
    images: Annotated[Path, typer.Option(metavar="DIR", help="Images, at any depth.")],
    masks: Annotated[
        Path, typer.Option(metavar="DIR", help="Masks: indexed, palette or RGB, called like their images.")
    ],
    classes: Annotated[
        Path, typer.Option(metavar="FILE", help="A class a line: INDEX,NAME[,CATEGORY][,R,G,B].")
    ],
    category: Annotated[str, typer.Option(help="Of the classes that name none.")] = "object",
    ignore: Ignore = None,
    mask_suffix: Annotated[
        str, typer.Option(metavar="TEXT", help="What masks' names have more than images', such as _mask.")
    ] = "",
) -> ImportedData:
    """Images and their masks in two folders, with a list of classes."""
    from onnxdissect.data.importers.formats.masks import read_masks

    return read_masks(images, masks, classes, category=category, ignore=ignore, mask_suffix=mask_suffix)
