"""Writing a run directory: arrays layer by layer, then the tables, and last of all the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.scoring import check_iou_threshold, check_scoring
from onnxdissect.errors import ParameterError
from onnxdissect.results.dissection import Dissection
from onnxdissect.results.formats import arrays, tables
from onnxdissect.results.formats.fingerprints import ARCHIVES, fingerprints
from onnxdissect.results.formats.intervals import write_intervals
from onnxdissect.results.formats.manifest import (
    MANIFEST,
    Header,
    compose,
    parse,
    read_manifest,
    write_manifest,
)
from onnxdissect.results.formats.netdissect import write_netdissect
from onnxdissect.results.formats.per_image_counts import (
    Null,
    PerImageCountsPart,
    TruthCounts,
    write_null,
    write_per_image_counts,
    write_truth,
)
from onnxdissect.results.formats.published import IMPORTED, write_published
from onnxdissect.results.formats.reader import load, open_run
from onnxdissect.results.formats.top_maps import TopMaps, write_top_maps
from onnxdissect.results.label_units import primary_categories
from onnxdissect.results.records import CategoryBests, Concept, ImageInfo, LayerCounts, LayerInfo
from onnxdissect.results.sweep.tables import write_sweep
from onnxdissect.results.sweep.threshold_sweep import make_sweep
from onnxdissect.storage.files import make_folder, sweep_partial

__all__ = ["rescore", "save_layer", "save_published", "save_truth", "write_rescored", "write_results"]


def save_layer(
    folder: Path,
    info: LayerInfo,
    counts: LayerCounts,
    *,
    quantiles: Sequence[float],
    categories: Sequence[str],
    concepts: Sequence[Concept],
    images: Sequence[ImageInfo],
    top_maps: tuple[TopMaps, NDArray[np.float32]] | None = None,
    per_image: tuple[NDArray[np.int64], Iterable[PerImageCountsPart]] | None = None,
    null: Null | None = None,
) -> None:
    """Write the arrays of one layer to ``layers/<slug>``.

    Parameters
    ----------
    folder : Path
        The run directory.
    info : LayerInfo
        The layer.
    counts : LayerCounts
        Its counts.
    quantiles : sequence of float
        The levels tau.
    categories : sequence of str
        In ``category.csv`` order.
    concepts : sequence of Concept
        In order of their numbers.
    images : sequence of ImageInfo
        In the run's order.
    top_maps : (TopMaps, ndarray of float32 of shape (K, S)), optional
        What is to be looked at: maps of the top images, and a sample of each unit's activations, ascending.
    per_image : (ndarray of int64 of shape (Q*K + 1,), iterable of PerImageCountsPart), optional
        Its counts by image: where each unit's begin, and the parts in order.
    null : Null, optional
        What its units score at sample points, with the images' annotations and with shuffled ones.

    Raises
    ------
    ValueError
        If an array's dtype or shape is not that of the format.
    OutputError
        If a file cannot be written.
    """
    place = make_folder(folder / "layers" / info.slug)
    sweep_partial(place)
    arrays.write_counts(
        place,
        counts,
        arrays.Sizes.of(quantiles, info.units, concepts, categories, [image.grid for image in images]),
        concept_number=np.array([concept.number for concept in concepts], np.int64),
        category_of=primary_categories(concepts, categories),
        quantiles=quantiles,
    )
    if top_maps is not None:
        write_top_maps(place, *top_maps)
    if per_image is not None:
        write_per_image_counts(place, *per_image)
    if null is not None:
        write_null(place, null)


def save_published(folder: Path, info: LayerInfo, bests: CategoryBests) -> None:
    """Write what published results tell of one layer to ``layers/<slug>``.

    Parameters
    ----------
    folder : Path
        The run directory.
    info : LayerInfo
        The layer.
    bests : CategoryBests

    Raises
    ------
    ValueError
        If an array's dtype or shape is not that of the format.
    OutputError
        If the file cannot be written.
    """
    place = make_folder(folder / "layers" / info.slug)
    sweep_partial(place)
    write_published(place, bests)


def save_truth(folder: Path, truth: TruthCounts) -> None:
    """Write the pixels of each concept in each image, ``truth.npz``.

    Parameters
    ----------
    folder : Path
        The run directory.
    truth : TruthCounts

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_truth(make_folder(folder), truth)


def write_results(
    folder: Path,
    manifest: Mapping[str, Any],
    *,
    layers: Sequence[LayerInfo],
    quantiles: Sequence[float],
    categories: Sequence[str],
    concepts: Sequence[Concept],
    images: Sequence[ImageInfo],
    iou_threshold: float = 0.04,
    scoring: str = "paper",
    min_images: int = 1,
) -> Dissection:
    """Finish a run directory whose layers have all been saved.

    Parameters
    ----------
    folder : Path
        The run directory.
    manifest : mapping
        JSON values; with ``imported`` if the results are published ones. ``format_version``, ``status``,
        ``layers``, ``data.categories`` and the parameters ``quantiles``, ``iou_threshold``, ``scoring`` and
        ``min_images`` are set here.
    layers : sequence of LayerInfo
        In the order of the graph.
    quantiles : sequence of float
        The levels tau, each once.
    categories : sequence of str
        In ``category.csv`` order.
    concepts : sequence of Concept
        In order of their numbers.
    images : sequence of ImageInfo
        In the run's order.
    iou_threshold : float
        A unit is a detector if its IoU is larger.
    scoring : {"paper", "lite", "pnas"}
        Convention of the IoU.
    min_images : int
        Concepts held by fewer images are no candidates for labels.

    Returns
    -------
    Dissection
        As `load` gives it.

    Raises
    ------
    ParameterError
        If the convention, the threshold or the quantiles will not do.
    OutputError
        If a file cannot be written.
    """
    if len(set(quantiles)) != len(quantiles):
        raise ParameterError(f"a quantile is given twice: {', '.join(map(repr, quantiles))}")
    header = Header(
        categories=tuple(categories),
        quantiles=tuple(float(q) for q in quantiles),
        layers=tuple(layers),
        iou_threshold=check_iou_threshold(iou_threshold),
        scoring=check_scoring(scoring),
        min_images=check_min_images(min_images),
    )
    sweep_partial(folder)
    tables.write_concepts(folder, concepts, _unknown(manifest))
    tables.write_images(folder, images)
    dissection = Dissection(folder, compose(manifest, header), header, tuple(concepts), tuple(images))
    _finish(folder, dissection)
    return load(folder)


def write_rescored(dissection: Dissection) -> None:
    """Write a rescored run back into its directory; counts are not touched.

    ``units.csv``, ``layers.csv``, the NetDissect files, the intervals, the threshold sweep of a run at
    several quantiles and three parameters of the manifest change. In between the run is marked
    ``rescoring``: if this is interrupted, the run is not readable until it has been rescored again, which
    needs nothing but the counts.

    Parameters
    ----------
    dissection : Dissection
        As `Dissection.rescore` gives it.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    folder = dissection.path
    write_manifest(folder, dissection.manifest, "rescoring")
    sweep_partial(folder)
    _finish(folder, dissection)


def rescore(
    run: str | Path,
    *,
    scoring: str | None = None,
    iou_threshold: float | None = None,
    min_images: int | None = None,
) -> Dissection:
    """Score a finished run another way and write it back, also after an interrupted rescoring.

    Parameters
    ----------
    run : str or Path
        The run directory.
    scoring : {"paper", "lite", "pnas"}, optional
        As in the run, if not given.
    iou_threshold : float, optional
        As in the run, if not given.
    min_images : int, optional
        As in the run, if not given.

    Returns
    -------
    Dissection
        As `load` gives it.

    Raises
    ------
    ParameterError
        If there is no such convention, or the threshold is outside 0..1, or the number of images below 1.
    RunNotFoundError, RunIncompleteError, RunFormatError
        If the run cannot be opened.
    OutputError
        If a file cannot be written.
    """
    folder = Path(run)
    manifest = read_manifest(folder, accept=("complete", "rescoring"))
    if manifest["status"] == "complete":
        dissection = load(folder)
    else:
        dissection = open_run(folder, manifest, parse(manifest, folder / MANIFEST), None)
    write_rescored(dissection.rescore(scoring, iou_threshold, min_images))
    return load(folder)


def _unknown(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns of ``concepts.csv`` that are not known: only imported results lack any."""
    if IMPORTED not in manifest:
        return ()
    return ("images",) if "truth" in manifest[IMPORTED]["known"] else ("truth", "images")


def _finish(folder: Path, dissection: Dissection) -> None:
    _write_verdicts(folder, dissection)
    own = fingerprints(folder, dissection.layers)
    write_manifest(folder, {**dissection.manifest, ARCHIVES: own}, "complete")


def _write_verdicts(folder: Path, dissection: Dissection) -> None:
    for info in dissection.layers:
        place = folder / "layers" / info.slug
        sweep_partial(place)
        write_netdissect(
            place,
            dissection.category_bests(info.name),
            concepts=dissection.concepts,
            categories=dissection.categories,
            quantiles=dissection.quantiles,
        )
        intervals = dissection.intervals(info.name)
        if intervals is not None:
            write_intervals(place, intervals, dissection.resampling())
    tables.write_units(folder, dissection.units(), dissection.categories)
    tables.write_summaries(folder, dissection.summary(), dissection.categories)
    if len(dissection.quantiles) > 1:
        write_sweep(folder, make_sweep(dissection), dissection.categories)
