"""A base network's last layer at other thresholds and in other bases, counted in every resample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import onnxdissect
from measurements.predictions import LAST
from measurements.tables import RESAMPLES
from onnxdissect.experiments.rotation.entries import find_entries
from onnxdissect.results import Dissection
from onnxdissect.results.label_units import primary_categories
from onnxdissect.results.sweep.generic import generic_concepts
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["ALPHAS", "QUANTILES", "ROTATED", "ROTATIONS", "SWEPT", "rotations", "thresholds"]

QUANTILES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
ROTATIONS = 3

# F one, T quantiles, E entries, B the data set itself and every resample of its images
SWEPT = Schema(
    {
        "quantiles": ArraySpec("float64", "T"),
        "detectors": ArraySpec("int16", "TB"),
        "unique": ArraySpec("int16", "TB"),
        "generic": ArraySpec("int16", "TB"),
    },
)
ROTATED = Schema(
    {
        "kinds": ArraySpec("str", "E"),
        "alphas": ArraySpec("float64", "E"),
        "unique": ArraySpec("int16", "EB"),
        "differences": ArraySpec("int64", "F"),
        "turned_back": ArraySpec("float64", "F"),
        "rounding": ArraySpec("float64", "F"),
    },
)


def thresholds(network: Path, work: Path, limit: int | None = None) -> Mapping[str, NDArray[Any]]:
    """Count detectors, unique ones and those with a generic label at several quantiles.

    Parameters
    ----------
    network : Path
        A finished network of `base`.
    work : Path
        Gets the run.
    limit : int, optional
        Only the first so many images.

    Returns
    -------
    mapping of str to ndarray
        ``quantiles``; ``detectors``, ``unique`` and ``generic``, int16 of shape (quantiles, 1 + resamples).
    """
    run = onnxdissect.dissect(
        network,
        "tiny",
        (LAST,),
        quantiles=QUANTILES,
        provider="cpu",
        bootstrap=RESAMPLES,
        null=0,
        top=1,
        limit=limit,
        out=work / "runs" / f"{network.stem}-thresholds",
        fresh=True,
    )
    numbers = {concept.number for concept in generic_concepts(run.concepts, run.images)}
    generic = np.array([concept.number in numbers for concept in run.concepts])
    resamples = _resamples(run)
    unique = UniqueDetectors(len(run.quantiles), resamples, run.iou_threshold)
    detectors, are_generic = np.zeros((2, len(run.quantiles), resamples.size), np.int64)
    for units in resamples.walk(run.per_image_parts(LAST) or (), run.scoring):
        unique.add(units)
        found = units.best > run.iou_threshold
        detectors[units.quantile] += found.sum(axis=0)
        are_generic[units.quantile] += (found & generic[units.winner]).sum(axis=0)
    return {
        "quantiles": np.array(run.quantiles),
        "detectors": detectors.astype(np.int16),
        "unique": unique.counts().astype(np.int16),
        "generic": are_generic.astype(np.int16),
    }


def rotations(network: Path, work: Path, limit: int | None = None) -> Mapping[str, NDArray[Any]]:
    """Count unique detectors under rotations, a permutation and random directions (CVPR 2017, section 4.2).

    Parameters
    ----------
    network, work, limit
        As in `thresholds`.

    Returns
    -------
    mapping of str to ndarray
        ``kinds``; ``alphas``, NaN where there is none; ``unique``, int16 of shape (entries, 1 + resamples);
        ``differences``, how many things the permutation changed beside the numbers of units;
        ``turned_back``, by which share of its size the output is off when the layer is turned and turned
        back, and ``rounding``, the share that rounding explains.
    """
    result = onnxdissect.rotate(
        network,
        "tiny",
        (LAST,),
        alphas=ALPHAS,
        seeds=ROTATIONS,
        verify=True,
        provider="cpu",
        bootstrap=RESAMPLES,
        top=1,
        limit=limit,
        out=work / "runs" / f"{network.stem}-rotations",
        fresh=True,
    )
    run = onnxdissect.load(result.path)
    (entries,) = find_entries(run)
    resamples = _resamples(run)
    kinds, alphas, counts = [], [], []
    for (kind, alpha, _), info in entries.all:
        unique = UniqueDetectors(1, resamples, run.iou_threshold)
        for units in resamples.walk(run.per_image_parts(info.name) or (), run.scoring):
            unique.add(units)
        kinds.append(kind)
        alphas.append(np.nan if alpha is None else alpha)
        counts.append(unique.counts()[0])
    (curve,), (verified,) = result.curves, result.verification
    return {
        "kinds": np.array(kinds),
        "alphas": np.array(alphas),
        "unique": np.stack(counts).astype(np.int16),
        "differences": np.array([len(curve.permutation_differences)]),
        "turned_back": np.array([max(output.error for output in verified.outputs)], np.float64),
        "rounding": np.array([verified.tolerance], np.float64),
    }


def _resamples(run: Dissection) -> Resamples:
    truth, asked = run.truth_counts(), run.resampling()
    if truth is None:
        raise ValueError(f"{run.path} was made without a bootstrap")
    category_of = primary_categories(run.concepts, run.categories)
    return Resamples(truth, category_of, asked.resamples, asked.seed, whole=True)
