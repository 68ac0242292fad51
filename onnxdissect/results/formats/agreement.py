"""Whether the files of a run say the same: a run that contradicts itself is not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats import tables
from onnxdissect.results.formats.intervals import INTERVALS
from onnxdissect.results.formats.manifest import MANIFEST, Header
from onnxdissect.results.formats.per_image_counts import EVIDENCE
from onnxdissect.results.formats.published import IMPORTED
from onnxdissect.results.records import Concept, ImageInfo, LayerSummary, Unit
from onnxdissect.statistics.intervals import TopConceptIntervals
from onnxdissect.storage.fields import shown

__all__ = ["expect_intervals", "expect_labels", "expect_listed", "expect_numbers"]

_AGAIN = "dissect again with --fresh"
# A spreadsheet that writes a table again keeps 15 digits.
_ALMOST = 1e-9


def expect_listed(
    units: Sequence[Unit], summaries: Sequence[LayerSummary], header: Header, folder: Path
) -> None:
    """See that units and summaries are those of the manifest's layers, in their order.

    Parameters
    ----------
    units : sequence of Unit
    summaries : sequence of LayerSummary
    header : Header
        What the manifest says.
    folder : Path
        The run directory.

    Raises
    ------
    RunFormatError
        If not.
    """
    pairs = [(info, quantile) for info in header.layers for quantile in header.quantiles]
    # Their number first: a manifest may claim more units than can be listed.
    counted = len(units) == sum(info.units for info, _ in pairs)
    expected: Mapping[str, tuple[list[object], Iterable[object]]] = {
        tables.UNITS: (
            [(unit.layer, unit.quantile, unit.unit) for unit in units],
            ((info.name, quantile, k) for info, quantile in pairs for k in range(info.units))
            if counted
            else (),
        ),
        tables.LAYERS: (
            [(summary.layer, summary.quantile, summary.units) for summary in summaries],
            ((info.name, quantile, info.units) for info, quantile in pairs),
        ),
    }
    for name, (found, wanted) in expected.items():
        if not counted or found != list(wanted):
            raise RunFormatError(
                f"{folder / name} does not list the layers, quantiles and units of {MANIFEST}", hint=_AGAIN
            )


def expect_numbers(
    concepts: Sequence[Concept],
    images: Sequence[ImageInfo],
    manifest: Mapping[str, Any],
    header: Header,
    folder: Path,
) -> None:
    """See that concepts and images are as many as the manifest says, and of its categories.

    Parameters
    ----------
    concepts : sequence of Concept
    images : sequence of ImageInfo
    manifest : mapping
    header : Header
        What is used of the manifest.
    folder : Path
        The run directory.

    Raises
    ------
    RunFormatError
        If not.
    """
    unknown = {concept.category for concept in concepts} - set(header.categories)
    if unknown:
        raise RunFormatError(
            f"{folder / tables.CONCEPTS} names categories that {MANIFEST} does not: "
            + ", ".join(map(shown, sorted(unknown)[:10])),
            hint=_AGAIN,
        )
    if any(a.number >= b.number for a, b in pairwise(concepts)):
        raise RunFormatError(
            f"{folder / tables.CONCEPTS} is not in order of the concepts' numbers", hint=_AGAIN
        )
    for name, what, rows in ((tables.IMAGES, "images", images), (tables.CONCEPTS, "concepts", concepts)):
        claimed = manifest["data"].get(what, len(rows))
        if claimed != len(rows):
            raise RunFormatError(
                f"{folder / name} lists {len(rows):,} {what}, and data.{what} of {MANIFEST} is {claimed:,}",
                hint=_AGAIN,
            )
    if IMPORTED in manifest:
        if images:
            raise RunFormatError(
                f"{folder / tables.IMAGES} lists {len(images):,} images, and by {MANIFEST} the results were "
                "imported, which come without any",
                hint="import the results again with --fresh",
            )
        return
    pixels = sum(image.grid[0] * image.grid[1] for image in images)
    for concept in concepts:
        if concept.images > len(images) or concept.truth > pixels:
            raise RunFormatError(
                f"{folder / tables.CONCEPTS} has concept {concept.number} in {concept.images:,} images and "
                f"{concept.truth:,} pixels: there are {len(images):,} images of {pixels:,} pixels",
                hint=_AGAIN,
            )


def expect_labels(
    units: Sequence[Unit],
    summaries: Sequence[LayerSummary],
    concepts: Sequence[Concept],
    header: Header,
    folder: Path,
) -> None:
    """See that labels are concepts of the run, and that detectors are those that the threshold makes.

    Parameters
    ----------
    units : sequence of Unit
    summaries : sequence of LayerSummary
    concepts : sequence of Concept
    header : Header
        What is used of the manifest.
    folder : Path
        The run directory.

    Raises
    ------
    RunFormatError
        If not.
    """
    # A unit whose mask meets no concept at all has no label.
    known = {("", ""), *((concept.name, concept.category) for concept in concepts)}
    detectors: Counter[tuple[str, float]] = Counter()
    for unit in units:
        problem = _contradiction(unit, known, header.iou_threshold)
        if problem:
            raise RunFormatError(
                f"{folder / tables.UNITS}: unit {unit.unit} of {unit.layer} {problem}", hint=_AGAIN
            )
        detectors[unit.layer, unit.quantile] += unit.detector
    for summary in summaries:
        counted = detectors[summary.layer, summary.quantile]
        most = min(counted, len(concepts))
        if summary.detectors != counted or summary.unique_detectors > most:
            raise RunFormatError(
                f"{folder / tables.LAYERS}: {summary.layer} has {summary.detectors:,} detectors, "
                f"{summary.unique_detectors:,} of them unique; {tables.UNITS} has {counted:,}",
                hint=_AGAIN,
            )


def expect_intervals(
    intervals: TopConceptIntervals,
    top_concepts: NDArray[np.int64] | None,
    units: Sequence[Unit],
    concepts: Sequence[Concept],
    folder: Path,
) -> None:
    """See that the intervals of a layer are of the concepts that were counted, and of its labels.

    Parameters
    ----------
    intervals : TopConceptIntervals
        What ``intervals.npz`` holds.
    top_concepts : ndarray of int64, shape (Q, K, R), or None
        Those that were counted image by image and are candidates for labels; None if no counts are there.
    units : sequence of Unit
        Of the layer, by quantile and unit.
    concepts : sequence of Concept
        Of the run.
    folder : Path
        The layer's folder.

    Raises
    ------
    RunFormatError
        If not.
    """
    problem = ""
    if top_concepts is not None and not np.array_equal(intervals.concept, top_concepts):
        problem = f"holds other concepts than {EVIDENCE}"
    else:
        positions: dict[tuple[str, str], list[int]] = {}
        for position, concept in enumerate(concepts):
            positions.setdefault((concept.name, concept.category), []).append(position)
        ranks = intervals.concept.shape[2]
        arrays = (intervals.concept, intervals.low, intervals.high)
        rows = (array.reshape(len(units), ranks).tolist() for array in arrays)
        for unit, held, low, high in zip(units, *rows, strict=True):
            # Concepts may share a name; the label is any of them, or none that was counted.
            meant = positions.get((unit.label, unit.category), [])
            places = [held.index(position) if position in held else None for position in meant]
            ends = [None if place is None else (low[place], high[place]) for place in places]
            if not any(_same_interval(unit, found) for found in ends or [None]):
                problem = f"has another interval for unit {unit.unit} than {tables.UNITS}"
                break
    if problem:
        raise RunFormatError(
            f"{folder / INTERVALS} does not belong to this run: it {problem}",
            hint="onnxdissect rescore makes the file anew",
        )


def _same_interval(unit: Unit, found: tuple[float, float] | None) -> bool:
    """Whether the interval of a label, or that there is none, is what the table says of its unit."""
    if unit.iou_low is None or unit.iou_high is None:
        return (unit.iou_low, unit.iou_high) == (None, None) and found is None
    return (
        found is not None
        and abs(found[0] - unit.iou_low) <= _ALMOST
        and abs(found[1] - unit.iou_high) <= _ALMOST
    )


def _contradiction(unit: Unit, known: set[tuple[str, str]], threshold: float) -> str:
    if (unit.label, unit.category) not in known:
        return f"is labelled {shown(unit.label)} of {shown(unit.category)}, which is not in {tables.CONCEPTS}"
    if unit.detector != (unit.iou > threshold):
        is_one = "is a detector" if unit.detector else "is no detector"
        return f"{is_one} at an IoU of {unit.iou:g}, where the threshold is {threshold:g}"
    if unit.iou_low is not None and unit.iou_high is not None and unit.iou_low > unit.iou_high:
        return f"has an interval from {unit.iou_low:g} to {unit.iou_high:g}"
    return ""
