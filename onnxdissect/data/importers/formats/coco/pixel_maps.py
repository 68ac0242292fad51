"""PNGs beside a file of annotations: segments of panoptic annotations, and ids of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.data.importers.reading.mask_files import read_mask
from onnxdissect.errors import DataFormatError, ImageFileError

__all__ = ["class_map", "segment_map"]

_VOID = 255


def segment_map(
    path: Path, called: str, segments: Sequence[Mapping[str, Any]], numbers: Mapping[int, int], *, crowd: bool
) -> NDArray[np.uint16]:
    """Read the PNG of panoptic annotations.

    Parameters
    ----------
    path : Path
        Pixels hold the id of their segment, R + 256 * G + 65536 * B; 0 is unlabelled.
    called : str
        What to call it in messages.
    segments : sequence of mapping
        As ``segments_info`` tells them.
    numbers : mapping of int to int
        Label number by category id; one that is left out is absent.
    crowd : bool
        Whether crowds are drawn.

    Returns
    -------
    ndarray of uint16, shape (height, width)
        Label numbers, 0 where unlabelled.

    Raises
    ------
    DataFormatError
        If ids of segments are no such numbers, are there twice, or pixels hold others.
    ImageFileError
        If the PNG cannot be read.
    """
    of_segment: dict[int, int] = {0: 0}
    for segment in segments:
        key = segment.get("id")
        if type(key) is not int or not 0 < key < 1 << 24:
            raise DataFormatError(
                f"{called}: the id {key!r:.60} of a segment is not from 1 to {(1 << 24) - 1:,}"
            )
        if key in of_segment:
            raise DataFormatError(f"{called}: the segment id {key} is there twice")
        left_out = not crowd and segment.get("iscrowd", 0)
        of_segment[key] = 0 if left_out else numbers.get(segment["category_id"], 0)
    pixels = read_image(path, called).astype(np.uint32)
    ids = (pixels * np.array([1, 1 << 8, 1 << 16], np.uint32)).sum(axis=2, dtype=np.uint32)
    return _looked_up(ids, of_segment, called, "segment")


def class_map(path: Path, called: str, numbers: Mapping[int, int]) -> NDArray[np.uint16]:
    """Read a PNG of ids of categories.

    Parameters
    ----------
    path : Path
        Grey or with a palette, whose indices count; 0 is unlabelled, and 255 unless it is a category.
    called : str
        What to call it in messages.
    numbers : mapping of int to int
        Label number by category id, 0 for one that is left out.

    Returns
    -------
    ndarray of uint16, shape (height, width)
        Label numbers, 0 where unlabelled.

    Raises
    ------
    DataFormatError
        If pixels hold other ids.
    ImageFileError
        If the PNG cannot be read.
    """
    known = {0: 0, _VOID: 0} | dict(numbers)
    indices = read_mask(path, called)
    if indices.ndim != 2:
        raise ImageFileError(
            f"{called} holds colours, and should hold ids of categories",
            hint="save it as it was published: grey, or with a palette",
        )
    return _looked_up(indices.astype(np.uint32), known, called, "category")


def _looked_up(
    ids: NDArray[np.uint32], known: Mapping[int, int], called: str, kind: str
) -> NDArray[np.uint16]:
    order = np.array(sorted(known), np.uint32)
    numbers = np.array([known[int(one)] for one in order], np.uint16)
    place = np.minimum(np.searchsorted(order, ids), order.size - 1)
    strange = order[place] != ids
    if strange.any():
        first = int(ids[strange].min())
        raise DataFormatError(
            f"{called} holds the {kind} id {first} at {int((ids == first).sum()):,} pixels, and the "
            f"annotations list no such {kind}"
        )
    return numbers[place]
