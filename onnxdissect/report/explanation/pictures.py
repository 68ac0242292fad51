"""Photographs of explained images, and what the page's script draws over them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.upsampling import upsample_map
from onnxdissect.report.data.photos import PHOTOS, encode_photo, photo_path, shrink
from onnxdissect.report.data.rle import text_of_mask
from onnxdissect.report.pages.scripts import rounded

if TYPE_CHECKING:
    from onnxdissect.experiments.explanation import Explanation, UnitContribution

__all__ = ["overlay_record", "write_photo"]

_SIDE = 480  # pixels of a photograph
_MASK = 256  # of the longer side of a mask's grid
_HEAT = 48  # rows and columns of a heat map


def write_photo(pixels: NDArray[np.uint8], number: int, folder: Path) -> tuple[int, int]:
    """Write an image's photograph.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    number : int
        Of the explanation.
    folder : Path
        Of the page's files.

    Returns
    -------
    (int, int)
        (width, height) of it.
    """
    small = shrink(pixels, _SIDE)
    (folder / PHOTOS).mkdir(exist_ok=True)
    (folder / photo_path(number)).write_bytes(encode_photo(small))
    return small.shape[1], small.shape[0]


def overlay_record(explanation: Explanation, number: int, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Give the masks and heat maps of the units told of, as the report has those of top images.

    Parameters
    ----------
    explanation : Explanation
    number : int
        Of it.
    size : (int, int)
        (width, height) of its photograph.

    Returns
    -------
    list of dict
        Per unit ``unit``, ``images`` (this one), ``maps``, and ``masks`` and ``annotations`` of it.
    """
    height, width = explanation.pixels.shape[:2]
    scale = min(_MASK / max(height, width), 1.0)
    grid = max(round(height * scale), 1), max(round(width * scale), 1)
    return [_overlay(explanation, unit, number, size, grid) for unit in explanation.units]


def _overlay(
    explanation: Explanation,
    unit: UnitContribution,
    number: int,
    size: tuple[int, int],
    grid: tuple[int, int],
) -> dict[str, Any]:
    own = explanation.activations[unit.unit]
    mask = upsample_map(own, grid, explanation.input_size, explanation.placement) > np.float32(unit.threshold)
    heat = upsample_map(own, (_HEAT, _HEAT), explanation.input_size, explanation.placement)
    low, high = float(heat.min()), float(heat.max())
    cells = np.rint((heat.astype(np.float64) - low) / ((high - low) or 1) * 255).astype(np.uint8)
    label = unit.label if unit.detector else "no detector"
    return {
        "unit": unit.unit,
        "images": [
            {
                "image": number,
                "name": Path(explanation.image).name,
                "grid": list(grid),
                "photo": list(size),
                "value": rounded(unit.activation),
                "alt": f"where unit {unit.unit} ({label}) responds, largest activation {unit.activation:.4g}",
            }
        ],
        "maps": {
            "size": [_HEAT, _HEAT],
            "rows": [_HEAT, -0.5],
            "columns": [_HEAT, -0.5],
            "low": [rounded(low)],
            "high": [rounded(high)],
            "cells": [base64.b64encode(cells.tobytes()).decode("ascii")],
        },
        "masks": [text_of_mask(mask)],
        "annotations": [None],
    }
