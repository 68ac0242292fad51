"""``onnxdissect data import cityscapes``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.data.importing.shared import Ignore, Root

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["cityscapes"]


def cityscapes(
    root: Root,
    coarse: Annotated[bool, typer.Option("--coarse", help="Take gtCoarse, not gtFine.")] = False,
    ignore: Ignore = None,
) -> ImportedData:
    """Cityscapes: leftImg8bit with gtFine, or gtCoarse."""
    from onnxdissect.data.importers.formats.streets.cityscapes import read_cityscapes

    return read_cityscapes(root, coarse=coarse, ignore=ignore)
