"""What a check needs to know of a run, as it is kept in ``baseline.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.evidence import LayerEvidence, TruthCounts, read_evidence, read_truth
from onnxdissect.results import Dissection
from onnxdissect.results.verdicts import primary_categories

__all__ = ["LayerSnapshot", "Snapshot", "snapshot_of"]


@dataclass(frozen=True, slots=True)
class LayerSnapshot:
    """One layer at the run's first quantile.

    Attributes
    ----------
    name : str
        ONNX value name.
    shape : tuple of int
        (h, w) of its maps.
    label : ndarray of int64, shape (K,)
        Positions of concepts, -1 for none.
    iou : ndarray of float64, shape (K,)
        Of the label.
    threshold : ndarray of float64, shape (K,)
        T_k.
    stability : ndarray of float64, shape (K,)
        NaN where unknown.
    dead : ndarray of bool, shape (K,)
        Never above zero.
    twin : ndarray of int64, shape (K,)
        The first unit with the same non-empty counts and top images; the unit itself where it is the first.
    evidence : LayerEvidence or None
    """

    name: str
    shape: tuple[int, int]
    label: NDArray[np.int64]
    iou: NDArray[np.float64]
    threshold: NDArray[np.float64]
    stability: NDArray[np.float64]
    dead: NDArray[np.bool_]
    twin: NDArray[np.int64]
    evidence: LayerEvidence | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run without its images.

    Attributes
    ----------
    source : str
        The run or file it is from.
    data, parameters, preprocessing : dict
        As in the manifest.
    categories : tuple of str
    concepts : tuple of str
    category_of : ndarray of int64, shape (C,)
    iou_threshold : float
    scoring : str
    layers : tuple of LayerSnapshot
    truth : TruthCounts or None
    """

    source: str
    data: dict[str, Any]
    parameters: dict[str, Any]
    preprocessing: dict[str, Any]
    categories: tuple[str, ...]
    concepts: tuple[str, ...]
    category_of: NDArray[np.int64]
    iou_threshold: float
    scoring: str
    layers: tuple[LayerSnapshot, ...]
    truth: TruthCounts | None


def snapshot_of(run: Dissection) -> Snapshot:
    """Take from a run what a check needs.

    Parameters
    ----------
    run : Dissection

    Returns
    -------
    Snapshot

    Raises
    ------
    RunFormatError
        If the run's files are damaged.
    """
    layers = []
    for info in run.layers:
        units = run.units(info.name, run.quantiles[0])
        counts = run.counts(info.name)
        layers.append(
            LayerSnapshot(
                name=info.name,
                shape=info.shape,
                label=run.scores(info.name).concept[0].astype(np.int64),
                iou=np.array([unit.iou for unit in units]),
                threshold=counts.thresholds[0].astype(np.float64),
                stability=np.array([np.nan if u.stability is None else u.stability for u in units]),
                dead=counts.top_values.max(axis=1) <= 0,
                twin=_twins(counts.intersection[0], counts.activation_total[0], counts.top_images),
                evidence=read_evidence(run.path, info.slug),
            )
        )
    return Snapshot(
        source=str(run.path),
        data=dict(run.manifest["data"]),
        parameters=dict(run.manifest["parameters"]),
        preprocessing=dict(run.manifest["preprocessing"]),
        categories=run.categories,
        concepts=tuple(concept.name for concept in run.concepts),
        category_of=primary_categories(run.concepts, run.categories),
        iou_threshold=run.iou_threshold,
        scoring=run.scoring,
        layers=tuple(layers),
        truth=read_truth(run.path),
    )


def _twins(
    intersection: NDArray[np.int64], total: NDArray[np.int64], top: NDArray[np.int64]
) -> NDArray[np.int64]:
    first: dict[bytes, int] = {}
    twin = np.arange(len(total))
    for k in np.flatnonzero(total):
        twin[k] = first.setdefault(intersection[k].tobytes() + top[k].tobytes(), int(k))
    return twin
