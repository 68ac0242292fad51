"""Opening a run directory: everything is checked against the manifest before anything is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from onnxdissect.errors import RunFormatError
from onnxdissect.results.dissection import Dissection
from onnxdissect.results.formats import arrays, tables
from onnxdissect.results.formats.manifest import MANIFEST, Header, parse, read_manifest
from onnxdissect.results.formats.per_image_counts import read_truth
from onnxdissect.results.records import Concept, LayerSummary, Unit
from onnxdissect.results.reliability import label_positions, sample_size, with_reliability
from onnxdissect.statistics.reliability import SampleSize

__all__ = ["load", "open_run"]


def load(run: str | Path) -> Dissection:
    """Open a finished run.

    Parameters
    ----------
    run : str or Path
        The run directory.

    Returns
    -------
    Dissection

    Raises
    ------
    RunNotFoundError
        If there is no such folder, or it is no run directory.
    RunIncompleteError
        If the run was not finished.
    RunFormatError
        If it is of another format version, or damaged.
    """
    folder = Path(run)
    manifest = read_manifest(folder)
    header = parse(manifest, folder / MANIFEST)
    units = tables.read_units(folder, header.categories)
    summaries = tables.read_summaries(folder, header.categories)
    _expect_all(units, summaries, header, folder)
    if "statistics" not in manifest and any(summary.reliable_detectors is None for summary in summaries):
        # Written by a version that perhaps did not tell which detectors are reliable.
        concepts = tables.read_concepts(folder)
        resamples = int(manifest["parameters"].get("bootstrap", 0))
        images = len(tables.read_images(folder)) if resamples else 0
        truth = read_truth(folder, len(concepts), len(header.categories), images) if resamples else None
        size = SampleSize(resamples, images) if truth is None else sample_size(truth, resamples)
        units, summaries = _with_reliability(units, summaries, concepts, header.iou_threshold, size)
    return open_run(folder, manifest, header, (units, summaries))


def open_run(
    folder: Path,
    manifest: dict[str, Any],
    header: Header,
    records: tuple[tuple[Unit, ...], tuple[LayerSummary, ...]] | None,
) -> Dissection:
    """Open a run directory whose manifest has been read.

    Parameters
    ----------
    folder : Path
        The run directory.
    manifest : dict
        Its manifest.
    header : Header
        The part of it that is used.
    records : (tuple of Unit, tuple of LayerSummary) or None
        Units and summaries; None makes them from the counts.

    Returns
    -------
    Dissection

    Raises
    ------
    RunFormatError
        If a file is missing or damaged.
    """
    concepts = tables.read_concepts(folder)
    unknown = {concept.category for concept in concepts} - set(header.categories)
    if unknown:
        raise RunFormatError(
            f"{folder / tables.CONCEPTS} names categories that {MANIFEST} does not: "
            + ", ".join(sorted(unknown))
        )
    numbers = [concept.number for concept in concepts]
    if any(a >= b for a, b in pairwise(numbers)):
        raise RunFormatError(f"{folder / tables.CONCEPTS} is not in order of the concepts' numbers")
    for info in header.layers:
        for name in (arrays.TALLY, arrays.TOP_MASKS):
            path = folder / "layers" / info.slug / name
            if not path.is_file():
                raise RunFormatError(f"{path} is missing", hint="dissect again with --fresh")
    return Dissection(folder, manifest, header, concepts, tables.read_images(folder), records)


def _with_reliability(
    units: Sequence[Unit],
    summaries: Sequence[LayerSummary],
    concepts: Sequence[Concept],
    iou_threshold: float,
    size: SampleSize,
) -> tuple[tuple[Unit, ...], tuple[LayerSummary, ...]]:
    images = np.array([concept.images for concept in concepts], np.int64)
    told: list[Unit] = []
    counted: list[LayerSummary] = []
    for summary in summaries:
        rows = units[len(told) : len(told) + summary.units]
        labels = label_positions(rows, concepts)
        more, known = with_reliability(rows, summary, labels, images, iou_threshold, size)
        told += more
        counted.append(known)
    return tuple(told), tuple(counted)


def _expect_all(
    units: Sequence[Unit], summaries: Sequence[LayerSummary], header: Header, folder: Path
) -> None:
    pairs = [(info, quantile) for info in header.layers for quantile in header.quantiles]
    expected: Mapping[str, tuple[list[object], list[object]]] = {
        tables.UNITS: (
            [(unit.layer, unit.quantile, unit.unit) for unit in units],
            [(info.name, quantile, k) for info, quantile in pairs for k in range(info.units)],
        ),
        tables.LAYERS: (
            [(summary.layer, summary.quantile, summary.units) for summary in summaries],
            [(info.name, quantile, info.units) for info, quantile in pairs],
        ),
    }
    for name, (found, wanted) in expected.items():
        if found != wanted:
            raise RunFormatError(
                f"{folder / name} does not list the layers, quantiles and units of {MANIFEST}",
                hint="dissect again with --fresh",
            )
