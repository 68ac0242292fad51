"""What an annotation of COCO covers: polygons, or run lengths, as a list of numbers or packed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onnxdissect.data.importers.drawing.polygons import Patch, read_points
from onnxdissect.data.importers.drawing.rle import fill_runs, unpack_runs
from onnxdissect.data.importers.formats.coco.outlines import fill_outline
from onnxdissect.wording import described

__all__ = ["patches"]

_FEWEST = 6


def patches(segmentation: Any, shape: tuple[int, int]) -> Iterator[Patch]:
    """Draw what an annotation covers.

    Parameters
    ----------
    segmentation : object
        As a file of annotations has it.
    shape : (int, int)
        Height and width of the image.

    Yields
    ------
    Patch
        Together they are what it covers; none where it has no outline of three points.

    Raises
    ------
    ValueError
        If it is nothing of the kind, or of another size; its words follow the name of the annotation.
    """
    if isinstance(segmentation, Mapping):
        if segmentation:
            yield _of_runs(segmentation, shape)
        return
    if not segmentation and (segmentation is None or isinstance(segmentation, list | str)):
        return
    if not isinstance(segmentation, list):
        raise ValueError(f"its segmentation is {described(segmentation)}, neither polygons nor run lengths")
    # one polygon alone may stand without a list around it
    nested = isinstance(segmentation[0], list)
    for polygon in segmentation if nested else [segmentation]:
        if not isinstance(polygon, list):
            raise ValueError("its segmentation holds polygons and something else")
        points = read_points(polygon)
        if len(polygon) >= _FEWEST:
            yield fill_outline(points, shape)


def _of_runs(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> Patch:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != list(shape):
        said = f"{size[0]} x {size[1]}" if isinstance(size, list) and len(size) == 2 else described(size)
        raise ValueError(f"its mask is {said:.60}, and the image {shape[0]} x {shape[1]}")
    if isinstance(counts, str):
        return Patch(0, 0, fill_runs(unpack_runs(counts), shape, columns=True))
    if isinstance(counts, list):
        return Patch(0, 0, fill_runs(counts, shape, columns=True))
    raise ValueError(f"its run lengths are {described(counts)}, neither a list nor a text")
