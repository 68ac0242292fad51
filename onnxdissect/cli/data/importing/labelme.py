"""``onnxdissect data import labelme``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.data.importing.shared import Root

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["labelme"]


def labelme(
    root: Root,
    category: Annotated[str, typer.Option(help="Of all classes.")] = "object",
) -> ImportedData:
    """Shapes that were drawn in labelme."""
    from onnxdissect.data.importers.formats.labelme import read_labelme

    return read_labelme(root, category=category)
