"""``onnxdissect data import camvid``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxdissect.cli.data.importing.shared import Ignore, Root

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["camvid"]


def camvid(root: Root, ignore: Ignore = None) -> ImportedData:
    """CamVid: frames with masks in its 32 colours, or of 11 classes."""
    from onnxdissect.data.importers.formats.streets.camvid import read_camvid

    return read_camvid(root, ignore=ignore)
