"""Whether the tables of a run and its manifest say the same: a run that contradicts itself is not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats import tables
from onnxdissect.results.formats.manifest import MANIFEST, Header
from onnxdissect.results.records import Concept, ImageInfo, LayerSummary, Unit
from onnxdissect.storage.fields import shown

__all__ = ["expect_labels", "expect_listed", "expect_numbers"]

_AGAIN = "dissect again with --fresh"


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


def _contradiction(unit: Unit, known: set[tuple[str, str]], threshold: float) -> str:
    if (unit.label, unit.category) not in known:
        return f"is labelled {shown(unit.label)} of {shown(unit.category)}, which is not in {tables.CONCEPTS}"
    if unit.detector != (unit.iou > threshold):
        is_one = "is a detector" if unit.detector else "is no detector"
        return f"{is_one} at an IoU of {unit.iou:g}, where the threshold is {threshold:g}"
    if unit.iou_low is not None and unit.iou_high is not None and unit.iou_low > unit.iou_high:
        return f"has an interval from {unit.iou_low:g} to {unit.iou_high:g}"
    return ""
