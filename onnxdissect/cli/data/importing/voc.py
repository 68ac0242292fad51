"""``onnxdissect data import voc``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.data.importing.shared import Root

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["voc"]


def voc(
    root: Root,
    parts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Pascal-Part's Annotations_Part; by default that in --root."),
    ] = None,
) -> ImportedData:
    """Pascal VOC's segmentation, with the parts of Pascal-Part."""
    from onnxdissect.data.importers.formats.voc.reading import read_voc

    return read_voc(root, parts=parts)
