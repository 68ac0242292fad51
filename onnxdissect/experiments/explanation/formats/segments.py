"""``segments.json``: which concept the numbers of an image's segmentation stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from onnxdissect.experiments.explanation.segments import RULE, Segmentation
from onnxdissect.storage.files import write_bytes
from onnxdissect.storage.json_file import json_bytes

__all__ = ["LEGENDS", "legend_record", "write_legends"]

LEGENDS = "segments.json"

_FORMAT_VERSION = 1


def legend_record(image: str, name: str, segmentation: Segmentation) -> dict[str, Any]:
    """Give the legend of an image as JSON values.

    Parameters
    ----------
    image : str
        Its path as given.
    name : str
        Of the file with the numbers.
    segmentation : Segmentation

    Returns
    -------
    dict
    """
    return {
        "image": image,
        "file": name,
        "concepts": [asdict(concept) for concept in segmentation.concepts],
    }


def write_legends(legends: Sequence[dict[str, Any]], folder: Path) -> Path:
    """Write what the numbers in maps of concepts stand for.

    Parameters
    ----------
    legends : sequence of dict
        As `legend_record` gives them, of one call.
    folder : Path
        Where it is put.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = folder / LEGENDS
    told = {"format_version": _FORMAT_VERSION, "rule": RULE, "images": list(legends)}
    write_bytes(path, json_bytes(told, indent=1))
    return path
