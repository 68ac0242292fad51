"""Opening a run directory: everything is checked against the manifest before anything is believed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import RunFormatError
from onnxdissect.results.dissection import Dissection
from onnxdissect.results.formats import arrays, tables
from onnxdissect.results.formats.agreement import expect_labels, expect_listed, expect_numbers
from onnxdissect.results.formats.fingerprints import expect_own_archives
from onnxdissect.results.formats.manifest import MANIFEST, Header, parse, read_manifest
from onnxdissect.results.formats.per_image_counts import EVIDENCE, NULL, TRUTH, read_truth
from onnxdissect.results.formats.published import IMPORTED, PUBLISHED
from onnxdissect.results.records import Concept, LayerSummary, Unit
from onnxdissect.results.reliability import label_positions, sample_size, with_reliability
from onnxdissect.statistics.reliability import SampleSize
from onnxdissect.storage.memory import explained_memory

__all__ = ["load", "open_run"]


@checked_arguments()
@explained_memory()
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
    imported = IMPORTED in manifest
    units = tables.read_units(folder, header.categories, imported=imported)
    summaries = tables.read_summaries(folder, header.categories, imported=imported)
    expect_listed(units, summaries, header, folder)
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
    concepts = tables.read_concepts(folder, imported=IMPORTED in manifest)
    images = tables.read_images(folder)
    expect_numbers(concepts, images, manifest, header, folder)
    if records is not None:
        expect_labels(*records, concepts, header, folder)
    _expect_archives(folder, manifest, header)
    expect_own_archives(folder, manifest, header.layers)
    return Dissection(folder, manifest, header, concepts, images, records)


def _expect_archives(folder: Path, manifest: Mapping[str, Any], header: Header) -> None:
    """See that every archive is there that the run was made with, each inside the run directory."""
    real = Path(os.path.realpath(folder))
    counted, shuffled = (int(manifest["parameters"].get(name, 0)) > 0 for name in ("bootstrap", "null"))
    own = (PUBLISHED,) if IMPORTED in manifest else (arrays.TALLY, arrays.TOP_MASKS)
    # What a bootstrap or shuffles leave is missing in a run without them, and in no other: a figure that is
    # silently left out would look like one that was never asked for.
    wanted = (
        *((name, "") for name in own),
        *((name, f"parameters.bootstrap of {MANIFEST}") for name in (EVIDENCE,) if counted),
        *((name, f"parameters.null of {MANIFEST}") for name in (NULL,) if shuffled),
    )
    if counted:
        _expect_file(folder / TRUTH, f"parameters.bootstrap of {MANIFEST}")
    for info in header.layers:
        place = Path(os.path.realpath(folder / "layers" / info.slug))
        if not place.is_relative_to(real):
            raise RunFormatError(
                f"{folder / 'layers' / info.slug} leads out of the run directory, to {place}",
                hint="copy what it leads to into the run directory",
            )
        for name, claim in wanted:
            _expect_file(folder / "layers" / info.slug / name, claim)


def _expect_file(path: Path, claim: str) -> None:
    if not os.path.lexists(path):
        found = "is missing"
    elif not path.exists():
        found = "is a link to a file that is not there"
    elif not path.is_file():
        found = "is no file"
    else:
        return
    said = f"; by {claim} the run was made with it" if claim else ""
    raise RunFormatError(f"{path} {found}{said}", hint="dissect again with --fresh")


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
