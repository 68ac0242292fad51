"""The two array files of a layer: ``tally.npz``, the counts, and ``top_masks.npz``, the masks to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.scoring import iou
from onnxdissect.errors import RunFormatError
from onnxdissect.results.records import LayerCounts
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["TALLY", "TOP_MASKS", "Sizes", "read_counts", "read_paper_iou", "write_counts"]

TALLY = "tally.npz"
TOP_MASKS = "top_masks.npz"

# Axes are named as in `Sizes`; N is what the file says, the same throughout it.
_TALLY_SCHEMA = Schema(
    {
        "thresholds": ArraySpec("float32", "QK"),
        "intersection": ArraySpec("int64", "QKC"),
        "activation": ArraySpec("int64", "QKG"),
        "activation_overlap": ArraySpec("int64", "QKG"),
        "activation_total": ArraySpec("int64", "QK"),
        "truth": ArraySpec("int64", "C"),
        "iou": ArraySpec("float64", "QKC"),
        "concept_number": ArraySpec("int64", "C"),
        "quantiles": ArraySpec("float64", "Q"),
        "top_images": ArraySpec("int64", "KN"),
        "top_values": ArraySpec("float32", "KN"),
    }
)
_MASKS_SCHEMA = Schema({"top_masks": ArraySpec("uint8", "QKNB")})
_COUNTED = tuple(name for name in _TALLY_SCHEMA.arrays if name not in ("iou", "concept_number", "quantiles"))


@dataclass(frozen=True, slots=True)
class Sizes:
    """AxisLengths of the axes of a layer's arrays.

    Attributes
    ----------
    Q, K, C, G, B : int
        Quantiles, units, concepts, categories, bytes of the largest label grid.
    images : int
        Images of the run; no layer has more top images than that.
    pixels : int
        Of all label grids.
    """

    Q: int
    K: int
    C: int
    G: int
    B: int
    images: int
    pixels: int

    @classmethod
    def of(
        cls,
        quantiles: Sequence[float],
        units: int,
        concepts: Sequence[object],
        categories: Sequence[str],
        grids: Sequence[tuple[int, int]],
    ) -> Sizes:
        """Sizes of one layer of a run.

        Parameters
        ----------
        quantiles : sequence of float
            The levels tau.
        units : int
            Units of the layer.
        concepts : sequence
            Concepts of the run.
        categories : sequence of str
            Categories of the run.
        grids : sequence of (int, int)
            Label grid of each image.

        Returns
        -------
        Sizes
        """
        areas = [sh * sw for sh, sw in grids]
        kinds = len(quantiles), units, len(concepts), len(categories)
        return cls(*kinds, -(-max(areas, default=0) // 8), len(grids), sum(areas))

    @property
    def lengths(self) -> dict[str, int]:
        """AxisLengths by the letters that schemas have for axes."""
        return {axis: getattr(self, axis) for axis in "QKCGB"}


def write_counts(
    folder: Path,
    counts: LayerCounts,
    sizes: Sizes,
    *,
    concept_number: NDArray[np.int64],
    category_of: NDArray[np.int64],
    quantiles: Sequence[float],
) -> None:
    """Write a layer's two array files; the same counts give the same bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder; it exists.
    counts : LayerCounts
        All of them.
    sizes : Sizes
        What the shapes must agree with.
    concept_number : ndarray of int64, shape (C,)
        Number of each concept.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    quantiles : sequence of float
        The levels tau.

    Raises
    ------
    ValueError
        If an array's dtype or shape is not that of the format.
    OutputError
        If a file cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {name: getattr(counts, name) for name in _COUNTED}
    # What the IoU is made of has to go together before it is made.
    _TALLY_SCHEMA.check(arrays, sizes.lengths)
    arrays["iou"] = iou(counts.intersection, counts.activation, counts.truth, category_of)
    arrays["concept_number"] = concept_number
    arrays["quantiles"] = np.asarray(quantiles, np.float64)
    write_archive(folder / TALLY, _TALLY_SCHEMA, arrays, lengths=sizes.lengths)
    lengths = sizes.lengths | {"N": counts.top_images.shape[1]}
    write_archive(folder / TOP_MASKS, _MASKS_SCHEMA, {"top_masks": counts.top_masks}, lengths=lengths)


def read_counts(
    folder: Path, sizes: Sizes, concept_number: NDArray[np.int64], quantiles: Sequence[float]
) -> LayerCounts:
    """Read a layer's two array files.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.
    concept_number : ndarray of int64, shape (C,)
        Numbers of the run's concepts.
    quantiles : sequence of float
        The run's levels tau.

    Returns
    -------
    LayerCounts

    Raises
    ------
    RunFormatError
        If a file is missing, damaged, or does not belong to this run.
    """
    arrays = read_archive(folder / TALLY, _TALLY_SCHEMA, lengths=sizes.lengths, most={"N": sizes.images})
    problem = _contradiction(arrays, sizes)
    if problem:
        raise RunFormatError(f"{folder / TALLY}: {problem}", hint=_TALLY_SCHEMA.hint)
    if not np.array_equal(arrays["concept_number"], concept_number):
        raise RunFormatError(f"{folder / TALLY}: its concepts are not those of concepts.csv")
    if not np.array_equal(arrays["quantiles"], np.asarray(quantiles, np.float64)):
        raise RunFormatError(f"{folder / TALLY}: its quantiles are not those of manifest.json")
    top = arrays["top_images"]
    if top.shape[1] > sizes.images or (top.size and not (top.min() >= 0 and top.max() < sizes.images)):
        raise RunFormatError(f"{folder / TALLY}: top_images names images that images.csv does not list")
    masks = read_archive(folder / TOP_MASKS, _MASKS_SCHEMA, lengths=sizes.lengths | {"N": top.shape[1]})
    return LayerCounts(**{name: arrays[name] for name in _COUNTED}, top_masks=masks["top_masks"])


def _contradiction(arrays: Mapping[str, NDArray[Any]], sizes: Sizes) -> str:
    """Tell what no run counts: shares of pixels that are negative or more than all, values that are none."""
    for name in ("thresholds", "top_values"):
        if not np.isfinite(arrays[name]).all():
            return f"{name} holds values that are not finite"
    for name in ("intersection", "activation", "activation_overlap", "activation_total", "truth"):
        if arrays[name].size and arrays[name].min() < 0:
            return f"{name} holds counts below 0"
    total, truth = arrays["activation_total"], arrays["truth"]
    if max(total.max(initial=0), truth.max(initial=0)) > sizes.pixels:
        return f"it counts more pixels than the {sizes.pixels:,} that the images of the run have"
    for name in ("activation", "activation_overlap", "intersection"):
        if (arrays[name] > total[..., None]).any():
            return f"{name} counts pixels outside the masks of all images"
    if (arrays["intersection"] > truth).any():
        return "intersection counts pixels that truth does not"
    return ""


def read_paper_iou(folder: Path, sizes: Sizes) -> NDArray[np.float64]:
    """Read the IoU as it was stored, in the paper's convention.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.

    Returns
    -------
    ndarray of float64, shape (Q, K, C)

    Raises
    ------
    RunFormatError
        If the file is missing or damaged.
    """
    return read_archive(folder / TALLY, _TALLY_SCHEMA.only("iou"), lengths=sizes.lengths)["iou"]
