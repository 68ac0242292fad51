"""What a check needs to know of a run, as it is kept in ``baseline.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.baseline.schema import expect_checkable
from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts
from onnxdissect.errors import NotPublishedError
from onnxdissect.results import Dissection, LayerInfo
from onnxdissect.results.label_units import primary_categories
from onnxdissect.statistics.reliability import STABLE, SampleSize, reliable_units

__all__ = ["SHOWN_IMAGES", "LayerSnapshot", "Snapshot", "snapshot_of"]

SHOWN_IMAGES = 4
"""How many of a unit's top images, and masks on them, are kept to be looked at."""

_LEVELS = 32
# Differences of a constant unit's activations, relative to them.
_STEADY = 1e-6
_RECTIFIERS = ("Relu", "Sigmoid", "Softmax", "Abs")


@dataclass(frozen=True, slots=True)
class LayerSnapshot:
    """One layer at the run's first quantile.

    K units, N shown images, B bytes of the largest label grid.

    Attributes
    ----------
    name : str
        ONNX value name.
    op : str
        The operator that produces it.
    shape : tuple of int
        (h, w) of its maps.
    geometry : dict or None
        ``offset``, ``stride`` and ``size`` of the receptive fields; None where they cannot be derived.
    label : ndarray of int64, shape (K,)
        Positions of concepts, -1 for none.
    iou : ndarray of float64, shape (K,)
        Of the label.
    threshold : ndarray of float64, shape (K,)
        T_k.
    low, high : ndarray of float64, shape (K,)
        Ends of the 95 % interval of the IoU; NaN where unknown.
    stability : ndarray of float64, shape (K,)
        NaN where unknown.
    highest : ndarray of float64, shape (K,)
        Largest activation; NaN where the run kept no top images.
    twin : ndarray of int64, shape (K,)
        The first unit with the same non-empty counts and top images; the unit itself where it is the first.
    levels : ndarray of float64, shape (K, 33), or None
        Activations at evenly spread quantiles, then T_k; None if the run kept no samples.
    top_images : ndarray of int64, shape (K, N)
        Images in which the unit is strongest.
    top_masks : ndarray of uint8, shape (K, N, B)
        Its masks on them, bits of ``np.packbits``.
    per_image : PerImageCounts or None
        Counts by image, of one quantile; None if the run kept none.
    scores : ndarray of float64, shape (K, C), or None
        IoU with every concept; None in a snapshot that was read from a file.
    alias : str
        Its short name; empty in files of earlier versions.
    node : str
        Name of the node that produces it; empty where there is none, and in files of earlier versions.
    """

    name: str
    op: str
    shape: tuple[int, int]
    geometry: dict[str, Any] | None
    label: NDArray[np.int64]
    iou: NDArray[np.float64]
    threshold: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    stability: NDArray[np.float64]
    highest: NDArray[np.float64]
    twin: NDArray[np.int64]
    levels: NDArray[np.float64] | None
    top_images: NDArray[np.int64]
    top_masks: NDArray[np.uint8]
    per_image: PerImageCounts | None
    scores: NDArray[np.float64] | None
    alias: str = ""
    node: str = ""

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.label)

    @property
    def certainty(self) -> Literal["interval", "stability", "unknown"]:
        """How the certainty of its labels is known: by intervals, by stability alone, or not at all."""
        if not np.isfinite(self.stability).any():
            return "unknown"
        return "interval" if np.isfinite(self.low + self.high).any() else "stability"

    @property
    def rectified(self) -> bool | None:
        """Whether no sampled activation is below zero, as behind a ReLU; None if no samples were kept."""
        if self.levels is None:
            return True if self.op in _RECTIFIERS else None
        return bool((self.levels >= 0).all())

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Which units are silent, judged by whether this layer itself is rectified."""
        return self.silent(self.rectified)

    def silent(self, rectified: bool | None) -> NDArray[np.bool_]:
        """Tell which units are silent: their activations tell no images apart.

        Parameters
        ----------
        rectified : bool or None
            Whether no activation of the layer is below zero. If so, a unit is silent if it is never above
            zero. If not, as behind SiLU or GELU or on a residual stream, a unit may be negative everywhere
            and still tell images apart; there it is silent if it has the same value everywhere.

        Returns
        -------
        ndarray of bool, shape (K,)
            All False where samples of the activations would be needed and the run kept none.
        """
        if rectified:
            return self.highest <= 0
        if self.levels is None:
            return np.zeros(self.units, np.bool_)
        lowest = self.levels.min(axis=1)
        scale = np.maximum(np.abs(lowest), np.abs(self.highest))
        # At the borders of a map the same constant may be computed in another order, and differ by rounding.
        return np.asarray(self.highest - lowest <= _STEADY * scale)

    @property
    def copies(self) -> NDArray[np.bool_]:
        """Which units have the same non-empty counts and top images as a unit before them."""
        return np.not_equal(self.twin, np.arange(len(self.twin)))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a check compares of a run.

    Attributes
    ----------
    source : str
        The run or file it is from.
    data, parameters, preprocessing : dict
        As in the manifest. ``layer_upsample`` of the parameters is the upsampling that each layer was given.
    categories : tuple of str
        The axis G of arrays.
    concepts : tuple of str
        The axis C of arrays.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    iou_threshold : float
        A detector's IoU exceeds it.
    scoring : str
        Convention of the IoU.
    layers : tuple of LayerSnapshot
        In the order of the graph.
    truth : TruthCounts or None
        Pixels of each concept in each image; None if the run kept none, or in a snapshot that was read from a
        file. There the candidate's are taken, which is dissected on the same images.
    drawn_from : float
        How many images resamples are drawn from, or how many groups of equal size are as good as the run's.
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
    drawn_from: float

    def detectors(self, layer: LayerSnapshot) -> NDArray[np.bool_]:
        """Tell which units of a layer are detectors.

        Parameters
        ----------
        layer : LayerSnapshot

        Returns
        -------
        ndarray of bool, shape (K,)
        """
        found: NDArray[np.bool_] = (layer.iou > self.iou_threshold) & (layer.label >= 0)
        return found

    def reliable(self, layer: LayerSnapshot, stable: float = STABLE) -> NDArray[np.bool_]:
        """Tell which units of a layer are reliable detectors, as far as it is known.

        Parameters
        ----------
        layer : LayerSnapshot
        stable : float
            What their stability must exceed.

        Returns
        -------
        ndarray of bool, shape (K,)
            Where no interval is known, as in files of earlier versions, the detectors of high stability;
            where no stability is known either, all detectors. `LayerSnapshot.certainty` says which.
        """
        found = self.detectors(layer)
        if layer.certainty == "unknown":
            return found
        if layer.certainty == "stability":
            return found & (layer.stability > stable)
        size = SampleSize(int(self.parameters.get("bootstrap", 0)), self.drawn_from)
        known = layer.iou, layer.low, layer.high, layer.stability
        return found & reliable_units(*known, self.iou_threshold, stable, size=size)

    def detected_concepts(self, layer: LayerSnapshot) -> set[int]:
        """Give the concepts that a layer's detectors are labelled with.

        Parameters
        ----------
        layer : LayerSnapshot

        Returns
        -------
        set of int
            Positions of concepts.
        """
        return set(layer.label[self.detectors(layer)].tolist())

    def names(self, labels: NDArray[np.int64]) -> list[str]:
        """Name concepts.

        Parameters
        ----------
        labels : ndarray of int64
            Positions, -1 for none.

        Returns
        -------
        list of str
            Empty for none.
        """
        return ["" if c < 0 else self.concepts[c] for c in labels.tolist()]


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
    NotPublishedError
        If the run was imported.
    RunFormatError
        If the run's files are damaged, or its manifest does not say what a check goes by.
    """
    if run.imported:
        raise NotPublishedError(
            f"{run.path} was imported from published results: a check takes thresholds, images and counts by "
            "image, which they do not hold",
            hint="onnxdissect compare sets published results beside others",
        )
    expect_checkable(run.manifest, run.path)
    return Snapshot(
        source=str(run.path),
        data=dict(run.manifest["data"]),
        parameters={
            **run.manifest["parameters"],
            "layer_upsample": {info.name: info.upsample for info in run.layers},
        },
        preprocessing=dict(run.manifest["preprocessing"]),
        categories=run.categories,
        concepts=tuple(concept.name for concept in run.concepts),
        category_of=primary_categories(run.concepts, run.categories),
        iou_threshold=run.iou_threshold,
        scoring=run.scoring,
        layers=tuple(_layer(run, info) for info in run.layers),
        truth=run.truth_counts(),
        drawn_from=run.sample_size().drawn_from,
    )


def _layer(run: Dissection, info: LayerInfo) -> LayerSnapshot:
    units = run.units(info.name, run.quantiles[0])
    counts = run.counts(info.name)
    threshold = counts.thresholds[0].astype(np.float64)
    shown = min(SHOWN_IMAGES, counts.top_images.shape[1])
    return LayerSnapshot(
        name=info.name,
        alias=info.alias,
        node=info.node,
        op=info.op,
        shape=info.shape,
        geometry=None
        if info.geometry is None
        else {k: None if v is None else list(v) for k, v in info.geometry.items()},
        label=run.scores(info.name).concept[0].astype(np.int64),
        iou=np.array([unit.iou for unit in units]),
        threshold=threshold,
        low=np.array([np.nan if u.iou_low is None else u.iou_low for u in units]),
        high=np.array([np.nan if u.iou_high is None else u.iou_high for u in units]),
        stability=np.array([np.nan if u.stability is None else u.stability for u in units]),
        highest=counts.top_values.max(axis=1).astype(np.float64) if shown else np.full(info.units, np.nan),
        twin=_twins(counts.intersection[0], counts.activation_total[0], counts.top_images),
        levels=_levels(run.samples(info.name), threshold),
        top_images=counts.top_images[:, :shown].astype(np.int64),
        top_masks=np.ascontiguousarray(counts.top_masks[0, :, :shown]),
        per_image=_first(run.per_image(info.name)),
        scores=run.iou(info.name)[0],
    )


def _first(per_image: PerImageCounts | None) -> PerImageCounts | None:
    """Leave only the first quantile."""
    if per_image is None:
        return None
    units = per_image.top_concepts.shape[1]
    end = int(per_image.starts[units])
    return PerImageCounts(
        per_image.top_concepts[:1],
        per_image.starts[: units + 1],
        per_image.image[:end],
        per_image.activation[:end],
        per_image.intersection[:end],
        per_image.overlap[:end],
    )


def _levels(
    samples: NDArray[np.float32] | None, threshold: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    if samples is None or samples.shape[1] == 0:
        return None
    at = (2 * np.arange(_LEVELS) + 1) * samples.shape[1] // (2 * _LEVELS)
    return np.concatenate([samples[:, at].astype(np.float64), threshold[:, None]], axis=1)


def _twins(
    intersection: NDArray[np.int64], total: NDArray[np.int64], top: NDArray[np.int64]
) -> NDArray[np.int64]:
    first: dict[bytes, int] = {}
    twin = np.arange(len(total))
    for k in np.flatnonzero(total):
        twin[k] = first.setdefault(intersection[k].tobytes() + top[k].tobytes(), int(k))
    return twin
