"""``onnxdissect data import ade20k``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxdissect.cli.data.importing.shared import Root

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["ade20k"]


def ade20k(
    root: Root,
) -> ImportedData:
    """ADE20K: the full set of 2016 with parts, or scene parsing."""
    from onnxdissect.data.importers.formats.ade20k.reading import read_ade20k

    return read_ade20k(root)
