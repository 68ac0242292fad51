"""The records a finished run is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CategoryBests", "Concept", "ImageInfo", "LayerCounts", "LayerInfo", "LayerSummary", "Unit"]


@dataclass(frozen=True, slots=True)
class LayerCounts:
    """Counts of one layer over the whole data set (paper section 3.3).

    Q quantiles, K units, C concepts, G categories, N top images, B bytes of the largest label grid.

    Attributes
    ----------
    thresholds : ndarray of float32, shape (Q, K)
        T_k, the (m+1)-th largest activation.
    intersection : ndarray of int64, shape (Q, K, C)
        Mask pixels that hold the concept.
    activation : ndarray of int64, shape (Q, K, G)
        Mask pixels in images that carry the category.
    activation_overlap : ndarray of int64, shape (Q, K, G)
        Mask pixels in images where the category overlaps the mask.
    activation_total : ndarray of int64, shape (Q, K)
        Mask pixels in all images.
    truth : ndarray of int64, shape (C,)
        Pixels of each concept.
    top_images : ndarray of int64, shape (K, N)
        Numbers of the images in which each unit is strongest, strongest first; N is what was asked for or
        the number of images, if that is smaller.
    top_values : ndarray of float32, shape (K, N)
        Largest activation in each of them.
    top_masks : ndarray of uint8, shape (Q, K, N, B)
        Mask of each top image on its label grid: its rows one after the other as bits of ``np.packbits``,
        followed by zeros up to the largest grid.
    """

    thresholds: NDArray[np.float32]
    intersection: NDArray[np.int64]
    activation: NDArray[np.int64]
    activation_overlap: NDArray[np.int64]
    activation_total: NDArray[np.int64]
    truth: NDArray[np.int64]
    top_images: NDArray[np.int64]
    top_values: NDArray[np.float32]
    top_masks: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CategoryBests:
    """The best concept of each category for every unit of a layer, with what its IoU is made of.

    Result files of NetDissect hold this of a layer, and no more. Q quantiles, K units, G categories.

    Attributes
    ----------
    concept : ndarray of int64, shape (Q, K, G)
        Positions in the run's concepts; -1 where the mask meets none of the category, or none with a name.
    iou : ndarray of float64, shape (Q, K, G)
        Its IoU; 0 where there is none.
    activation : ndarray of int64, shape (Q, K, G), or None
        Mask pixels that the run's scoring divides by. None where published results do not tell.
    intersection : ndarray of int64, shape (Q, K, G), or None
        Mask pixels that hold the concept, 0 where there is none. None likewise.
    """

    concept: NDArray[np.int64]
    iou: NDArray[np.float64]
    activation: NDArray[np.int64] | None
    intersection: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One dissected layer.

    Attributes
    ----------
    name : str
        ONNX value name.
    alias : str
        Its short name, such as ``relu7``.
    slug : str
        Its folder under ``layers/``.
    op : str
        The operator that produces it; empty of imported results, as is `layout`.
    layout : str
        ``NCHW``, ``NHWC``, ...
    units : int
        How many units it has.
    shape : tuple of int
        (h, w) of its activation maps; (0, 0) of imported results, which do not tell.
    geometry : mapping or None
        ``offset``, ``stride`` and ``size`` of the receptive fields, each (vertical, horizontal) in input
        pixels; None where they cannot be derived.
    upsample : str
        The coordinate map that was used, ``resize``, ``receptive-field`` or ``effective``; empty of imported
        results.
    effective : mapping or None
        Where its cells were measured to respond: ``offset``, ``stride``, ``spread`` and ``error``, each
        (vertical, horizontal) in input pixels, and ``images``, how many that was measured on. None where
        nothing was measured.
    node : str
        Name of the node that produces it; empty where the file names none, and in runs of earlier versions.
    basis : mapping or None
        What basis it is under, as `onnxdissect.Basis.record` tells it; None where the units are the layer's
        own. The layer's name is then ``<value>/basis/<name>``.
    """

    name: str
    alias: str
    slug: str
    op: str
    layout: str
    units: int
    shape: tuple[int, int]
    geometry: Mapping[str, tuple[float, float] | None] | None
    upsample: str
    effective: Mapping[str, Any] | None = None
    node: str = ""
    basis: Mapping[str, Any] | None = None

    @property
    def own_layer(self) -> str:
        """Name of the layer whose units the basis makes others of; its own name where it is under none."""
        return self.name if self.basis is None else self.name.removesuffix(f"/basis/{self.basis['name']}")

    @property
    def unit_names(self) -> tuple[str, ...]:
        """Names of the units, as the rows of the basis have them; empty where they have none."""
        return () if self.basis is None else tuple(self.basis.get("names", ()))


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image of the run.

    Attributes
    ----------
    name : str
        As the data set's index names it.
    split : str
        ``train``, ``val``, ...
    grid : tuple of int
        (sh, sw) of its label grid.
    """

    name: str
    split: str
    grid: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept of the data set the run was made with.

    Attributes
    ----------
    number : int
        Its number in ``label.csv``.
    name : str
        Its name.
    category : str
        Its primary category.
    truth : int
        Pixels that hold it, over all images; 0 of imported results that do not tell.
    images : int
        Images that hold it; 0 of imported results, which do not tell.
    """

    number: int
    name: str
    category: str
    truth: int
    images: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What one unit of a layer detects at one quantile.

    Attributes
    ----------
    layer : str
        ONNX value name.
    quantile : float
        The level tau.
    unit : int
        Number of the unit, from 0.
    label : str
        Name of the concept of highest IoU; empty if the unit's mask meets no concept at all.
    category : str
        Primary category of the label; empty if there is none.
    iou : float
        IoU of the label.
    iou_low, iou_high : float or None
        95 % interval of it over resampled images; None without a bootstrap.
    stability : float or None
        Share of resamples in which the same concept wins; None without a bootstrap.
    detector : bool
        Whether `iou` exceeds the run's threshold.
    threshold : float or None
        T_k; None of imported results, which do not tell.
    best : mapping of str to (str, float)
        Per category, the concept of highest IoU and that IoU; ``("", 0.0)`` where the mask meets none.
    p_value : float or None
        Chance of a label with so surprising an overlap if the masks had nothing to do with what the images
        show; None without shuffles.
    q_value : float or None
        `p_value`, adjusted for the number of units of the layer (Benjamini and Hochberg).
    reliable : bool or None
        Whether `iou` and `iou_low` exceed the run's threshold, beyond what is luck among so many detectors,
        and `stability` exceeds 0.99; None without a bootstrap.
    """

    layer: str
    quantile: float
    unit: int
    label: str
    category: str
    iou: float
    iou_low: float | None
    iou_high: float | None
    stability: float | None
    detector: bool
    threshold: float | None
    best: Mapping[str, tuple[str, float]]
    p_value: float | None = None
    q_value: float | None = None
    reliable: bool | None = None


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """How many units of a layer detect how many concepts at one quantile.

    Attributes
    ----------
    layer : str
        ONNX value name.
    quantile : float
        The level tau.
    units : int
        All units.
    detectors : int
        Units whose IoU exceeds the threshold.
    unique_detectors : int
        Distinct labels among them.
    unique_any : int
        Distinct concepts when a unit counts in every category in which its best IoU exceeds the threshold,
        as in the paper's released figures.
    unique : mapping of str to int
        `unique_detectors` by category of the label, in the run's order of categories.
    detectors_fdr : int or None
        Detectors left when one in twenty of them may be due to chance; None without shuffles.
    unique_low, unique_high : int or None
        95 % interval of `unique_detectors` over resampled images; None without a bootstrap.
    reliable_detectors : int or None
        Units that are reliable; None without a bootstrap.
    unique_reliable : int or None
        Distinct labels among them.
    rare_labels : int or None
        Detectors whose label fewer than ten images hold; None of imported results, as are the next two.
    plateau_units : int or None
        Units without a mask because they saturate: T_k is their largest value, and not their only one.
    constant_units : int or None
        Units without a mask because they have the same value everywhere.
    """

    layer: str
    quantile: float
    units: int
    detectors: int
    unique_detectors: int
    unique_any: int
    unique: Mapping[str, int]
    detectors_fdr: int | None = None
    unique_low: int | None = None
    unique_high: int | None = None
    reliable_detectors: int | None = None
    unique_reliable: int | None = None
    rare_labels: int | None = 0
    plateau_units: int | None = 0
    constant_units: int | None = 0
