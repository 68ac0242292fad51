"""Which of ADE20K's two layouts a folder has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from onnxdissect.data.importers.formats.ade20k.full import read_full
from onnxdissect.data.importers.formats.ade20k.scene_parsing import NAMES, read_scene_parsing
from onnxdissect.data.importers.imported import ImportedData
from onnxdissect.data.importers.reading.trees import require_folder
from onnxdissect.errors import DataNotFoundError, shown_path
from onnxdissect.storage.regular_files import is_file, is_folder

__all__ = ["read_ade20k"]

_INSIDE = ("ADEChallengeData2016", "ADE20K_2016_07_26")


def read_ade20k(folder: Path) -> ImportedData:
    """Read ADE20K, the full set of 2016 or the scene parsing benchmark.

    Parameters
    ----------
    folder : Path
        What was unpacked, or the folder above it.

    Returns
    -------
    ImportedData

    Raises
    ------
    DataNotFoundError
        If it is neither.
    DataError
        If its files are missing or malformed.
    """
    require_folder(folder, "--root")
    roots = [folder] if _reader(folder) else [folder / name for name in _INSIDE]
    found = [(root, read) for root in roots if (read := _reader(root)) is not None]
    if len(found) == 1:
        [(root, read)] = found
        return read(root)
    if found:
        raise DataNotFoundError(
            f"{shown_path(folder)} holds the full set and scene parsing",
            candidates=[str(root) for root, _ in found],
            hint=f"--root {shown_path(found[0][0])}",
        )
    raise DataNotFoundError(
        f"{shown_path(folder)} is no folder of ADE20K",
        hint=f"the full set has images/training/, scene parsing images/, annotations/ and {NAMES}",
    )


def _reader(root: Path) -> Callable[[Path], ImportedData] | None:
    if is_file(root / NAMES):
        return read_scene_parsing
    images = root / "images"
    if is_folder(images) and not is_folder(root / "annotations") and _holds_folders(images):
        return read_full
    return None


def _holds_folders(images: Path) -> bool:
    with os.scandir(images) as entries:
        return any(entry.is_dir() for entry in entries)
