"""What the report shows of single units, as records that become JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.report.data.annotations import ImageConcept
from onnxdissect.report.data.facts import section
from onnxdissect.report.data.photos import Photos
from onnxdissect.report.data.rle import text_of_mask
from onnxdissect.report.data.top_concepts import TopConcepts, find_top_concepts
from onnxdissect.report.pages.scripts import rounded

if TYPE_CHECKING:
    from onnxdissect.results import Dissection, LayerInfo
    from onnxdissect.results.formats.top_maps import TopMaps

__all__ = ["HeatMaps", "heat_maps", "layer_units", "unit_top_maps"]

_BINS = 48
_MAP_BYTES = 3 << 20  # of a layer's activation maps


@dataclass(frozen=True, slots=True)
class HeatMaps:
    """A layer's activation maps of the top images, and how they lie over the images.

    Attributes
    ----------
    maps : ndarray of uint8, shape (K, N, h, w)
        The activation is ``low + maps / 255 * (high - low)``.
    low, high : ndarray of float32, shape (K, N)
        Smallest and largest activation of each map.
    rows, columns : tuple of (float, float)
        (a, b) of a line: what lies at the fraction t of the image's height (or width) is at row (or column)
        a * t + b of the map. Results beyond the outermost cells are clamped to these.
    """

    maps: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    rows: tuple[float, float]
    columns: tuple[float, float]


def heat_maps(dissection: Dissection, info: LayerInfo) -> HeatMaps | None:
    """Give a layer's activation maps, made coarser until a page can hold them.

    Parameters
    ----------
    dissection : Dissection
    info : LayerInfo

    Returns
    -------
    HeatMaps or None
        None if the run keeps no maps.
    """
    kept: TopMaps | None = dissection.top_maps(info.name)
    if kept is None:
        return None
    maps = kept.maps
    while maps.nbytes > _MAP_BYTES and max(maps.shape[2:]) > 1:
        maps = _halved(maps)
    pixels = section(dissection.manifest, "model").get("size")
    axes = []
    for axis in range(2):
        cells, left = info.shape[axis], maps.shape[2 + axis]
        # Maps are halved with rounding up, 7 cells to 4. So many cells of the layer were merged into one.
        merged = 2 ** round(math.log2(cells / left)) if left else 1
        anchors: Mapping[str, Any] | None = None
        if info.upsample != "resize":
            anchors = info.effective if info.upsample == "effective" else info.geometry
        if anchors and pixels:
            offset, stride = anchors["offset"][axis], anchors["stride"][axis]
            a, b = pixels[axis] / stride, -(0.5 + offset) / stride
        else:
            a, b = float(cells), -0.5
        axes.append((a / merged, (b - (merged - 1) / 2) / merged))
    return HeatMaps(maps, kept.low, kept.high, axes[0], axes[1])


def _halved(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Largest values of squares of 2 x 2 cells."""
    k, n, h, w = maps.shape
    padded = np.zeros((k, n, h + h % 2, w + w % 2), np.uint8)
    padded[:, :, :h, :w] = maps
    squares = padded.reshape(k, n, padded.shape[2] // 2, 2, padded.shape[3] // 2, 2)
    halved: NDArray[np.uint8] = squares.max(axis=(3, 5))
    return halved


def layer_units(dissection: Dissection, info: LayerInfo) -> list[list[dict[str, Any]]]:
    """Describe the units of a layer: labels, IoUs and their certainty, as in ``units.csv``.

    Parameters
    ----------
    dissection : Dissection
    info : LayerInfo

    Returns
    -------
    list of list of dict
        Per quantile, the units in order of their numbers.
    """
    silent = np.zeros((len(dissection.quantiles), info.units), np.bool_)
    if not dissection.imported:
        silent = dissection.counts(info.name).activation_total == 0
    labels = dissection.scores(info.name).concept
    numbers = [concept.number for concept in dissection.concepts]
    names = info.unit_names
    return [
        [
            {
                "unit": unit.unit,
                **({"name": names[unit.unit]} if names else {}),
                "concept": numbers[labels[q, unit.unit]] if unit.label else None,
                "label": unit.label,
                "category": unit.category,
                "iou": rounded(unit.iou),
                "low": rounded(unit.iou_low),
                "high": rounded(unit.iou_high),
                "stability": rounded(unit.stability),
                "p": rounded(unit.p_value),
                "q": rounded(unit.q_value),
                "detector": unit.detector,
                "reliable": unit.reliable,
                "silent": bool(silent[q, unit.unit]),
                "threshold": rounded(unit.threshold),
                "best": [
                    [category, concept, rounded(iou)]
                    for category, (concept, iou) in unit.best.items()
                    if concept
                ],
            }
            for unit in dissection.units(info.name, quantile)
        ]
        for q, quantile in enumerate(dissection.quantiles)
    ]


def unit_top_maps(
    dissection: Dissection, info: LayerInfo, photos: Photos, annotations: Mapping[ImageConcept, str]
) -> Iterator[dict[str, Any]]:
    """Describe what the dialog of each unit shows: top images, masks, maps, best concepts, activations.

    Parameters
    ----------
    dissection : Dissection
    info : LayerInfo
    photos : Photos
    annotations : mapping of (int, int) to str

    Yields
    ------
    dict
        Unit by unit; documented in ``docs/report.md``.
    """
    if dissection.imported:
        # the best of each category, which is all there is, stands with the unit itself
        none: dict[str, Any] = {"concept": None, "best": [], "masks": [], "annotations": []}
        for _ in range(info.units):
            yield {"images": [], "maps": None, "histogram": None, "views": [none] * len(dissection.quantiles)}
        return
    counts = dissection.counts(info.name)
    top_concepts = find_top_concepts(dissection, info.name)
    heat = heat_maps(dissection, info)
    samples = dissection.samples(info.name)
    for unit in range(info.units):
        images = counts.top_images[unit].tolist()
        yield {
            "images": [
                {
                    "image": image,
                    "name": dissection.images[image].name,
                    "grid": list(dissection.images[image].grid),
                    "photo": list(photos.sizes[image]) if image in photos.sizes else None,
                    "value": rounded(value),
                }
                for image, value in zip(images, counts.top_values[unit].tolist(), strict=True)
            ],
            "maps": None if heat is None else _maps(heat, unit),
            "histogram": None
            if samples is None
            else _histogram(samples[unit], [*counts.thresholds[:, unit], *counts.top_values[unit, :1]]),
            "views": [
                _view(dissection, info, unit, q, images, top_concepts, annotations)
                for q in range(len(dissection.quantiles))
            ],
        }


def _view(
    dissection: Dissection,
    info: LayerInfo,
    unit: int,
    q: int,
    images: list[int],
    top_concepts: TopConcepts,
    annotations: Mapping[ImageConcept, str],
) -> dict[str, Any]:
    concepts = dissection.concepts
    ranked = [
        [
            concepts[concept].number,
            concepts[concept].name,
            concepts[concept].category,
            rounded(iou),
            rounded(low),
            rounded(high),
        ]
        for concept, iou, low, high in zip(
            top_concepts.concept[q, unit].tolist(),
            top_concepts.iou[q, unit].tolist(),
            top_concepts.low[q, unit].tolist(),
            top_concepts.high[q, unit].tolist(),
            strict=True,
        )
        if iou > 0
    ]
    label = ranked[0][0] if ranked else None
    masks = (
        dissection.top_mask(info.name, unit, rank, dissection.quantiles[q]) for rank in range(len(images))
    )
    return {
        "concept": label,
        "best": ranked,
        "masks": [text_of_mask(mask) for mask in masks],
        "annotations": [None if label is None else annotations.get((image, label)) for image in images],
    }


def _maps(heat: HeatMaps, unit: int) -> dict[str, Any]:
    return {
        "size": list(heat.maps.shape[2:]),
        "rows": list(map(rounded, heat.rows)),
        "columns": list(map(rounded, heat.columns)),
        "low": list(map(rounded, heat.low[unit].tolist())),
        "high": list(map(rounded, heat.high[unit].tolist())),
        "cells": [base64.b64encode(cells.tobytes()).decode("ascii") for cells in heat.maps[unit]],
    }


def _histogram(samples: NDArray[np.float32], marks: list[float]) -> dict[str, Any] | None:
    """Count activations in equal bins that span all samples and all marks (thresholds, the largest value)."""
    seen = np.concatenate((samples, marks)).astype(np.float64)
    if seen.size == 0 or not np.isfinite(seen).all():
        return None
    low, high = float(seen.min()), float(seen.max())
    if high == low:
        high = low + 1.0
    counts, _ = np.histogram(samples.astype(np.float64), _BINS, (low, high))
    return {"low": rounded(low), "high": rounded(high), "counts": counts.tolist()}
