"""``onnxdissect data import coco``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["coco"]


def coco(
    images: Annotated[Path, typer.Option(metavar="DIR", help="Images, or folders of them such as val2017/.")],
    annotations: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE", help="Instances, stuff or panoptic, as JSON; may be given several times."
        ),
    ],
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="PNGs of panoptic segments, or of ids of categories, which then are read instead.",
        ),
    ] = None,
    crowd: Annotated[bool, typer.Option(help="Whether annotations of crowds count as their class.")] = True,
    category: Annotated[str, typer.Option(help="Of all classes.")] = "object",
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of all images; by default as the file is called.")
    ] = None,
) -> ImportedData:
    """COCO: instances, stuff and panoptic."""
    from onnxdissect.data.importers.formats.coco.reading import read_coco

    return read_coco(images, annotations, masks=masks, crowd=crowd, category=category, split=split)
