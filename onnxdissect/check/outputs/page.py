"""A verdict as a page: the rules, and the units that changed, before and after."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.verdict import ChangedUnit, Verdict
from onnxdissect.data import Dataset
from onnxdissect.libraries import import_cv2
from onnxdissect.storage.characters import printable
from onnxdissect.templates import render

__all__ = ["render_check"]

_MOST_UNITS = 24
_WIDTH = 200
_DIMMED = 0.42
_OUTLINE = (255, 214, 10)
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class _Picture:
    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class _Unit:
    change: ChangedUnit
    before: tuple[_Picture, ...]
    after: tuple[_Picture, ...]


def render_check(
    verdict: Verdict, baseline: Snapshot | None, candidate: Snapshot | None, dataset: Dataset
) -> str:
    """Write a page that needs no other file.

    Parameters
    ----------
    verdict : Verdict
    baseline, candidate : Snapshot or None
        What was compared, the candidate's layers called as the baseline's; None if nothing was.
    dataset : Dataset
        Of both.

    Returns
    -------
    str
        HTML. Every name in it is escaped.

    Raises
    ------
    DataError
        If an image that is to be shown cannot be read.
    """
    units = []
    if baseline is not None and candidate is not None:
        before, after = (
            {layer.name: layer for layer in snapshot.layers} for snapshot in (baseline, candidate)
        )
        units = [
            _Unit(
                change,
                _pictures(before[change.layer], change.unit, dataset),
                _pictures(after[change.layer], change.unit, dataset),
            )
            for change in verdict.changed[:_MOST_UNITS]
        ]
    content = {"verdict": verdict, "units": units, "more": len(verdict.changed) - len(units)}
    return printable(render("onnxdissect.check", "check.html.j2", content))


def _pictures(layer: LayerSnapshot, unit: int, dataset: Dataset) -> tuple[_Picture, ...]:
    if not layer.highest[unit] > 0:
        return ()
    return tuple(
        _Picture(dataset.image_name(int(image)), _drawn(dataset, int(image), mask))
        for image, mask in zip(layer.top_images[unit], layer.top_masks[unit], strict=True)
    )


def _drawn(dataset: Dataset, image: int, packed: NDArray[np.uint8]) -> str:
    """Draw a photograph with what is outside the mask dimmed, as a data URI."""
    cv2 = import_cv2()
    photograph = dataset.read_image(image)
    sh, sw = dataset.read_annotation(image).grid
    mask = np.unpackbits(packed, count=sh * sw).reshape(sh, sw)
    size = (_WIDTH, max(1, round(_WIDTH * photograph.shape[0] / photograph.shape[1])))
    small = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    drawn = np.where(inside[:, :, None] > 0, small, (small * _DIMMED).astype(np.uint8))
    outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    drawn = cv2.drawContours(np.ascontiguousarray(drawn), outlines, -1, _OUTLINE, 1)
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
