"""``onnxdissect data import cvat``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["cvat"]


def cvat(
    images: Annotated[Path, typer.Option(metavar="DIR", help="Images, or what was unpacked.")],
    annotations: Annotated[Path, typer.Option(metavar="FILE", help="annotations.xml, CVAT for images 1.1.")],
    category: Annotated[str, typer.Option(help="Of all classes.")] = "object",
    tags: Annotated[
        str | None, typer.Option(metavar="CATEGORY", help="Of tags, which are left out otherwise.")
    ] = None,
) -> ImportedData:
    """Shapes that were drawn in CVAT."""
    from onnxdissect.data.importers.formats.cvat.reading import read_cvat

    return read_cvat(images, annotations, category=category, tags=tags)
