"""Where the cells of a layer respond: effective centres, measured by fading images into one another.

A wave of one period over the height (or width) of the image decides how far each row of an image is faded
into the same row of the next one: (1 + cos(2 pi (row / height - phase))) / 2. It is moved on by a quarter of
its length three times. The squared change of a cell, as a function of the phase, is a wave too. Its phase is
the place that the cell responds to: the centre of its response, weighted by energy. What responds to the
whole image alike adds to all four phases alike, and moves nothing. Nothing but forward passes is needed, nine
for an image, whatever the size of the image and the number of layers. A faded pixel lies between two real
ones, so that any input type holds it, and the change is as large as images differ: no rounding hides it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.layers.records import ImageInput, Layer

__all__ = [
    "MOST_APART",
    "PROBE_IMAGES",
    "EffectiveCentre",
    "Forward",
    "contradicts",
    "even_spread",
    "measure_centres",
    "nearer_to_rule",
    "rule_distance",
]

PROBE_IMAGES = 8
"""Images that a measurement takes: 72 forward passes. Offsets then repeat within 0.05 cells on other images,
0.2 where a cell sees most of the image."""

MOST_APART = 0.5
"""Cells between rule and measurement from which on they contradict each other."""

_BACKWARDS = "its cells all respond to the same place, or run against the image"
_SCATTERED = "its cells do not lie in a row as the image's parts do"
_BEYOND = "its cells go on beyond the image's edge: rolled, or in another order"
_TOO_FEW = "its few cells do not tell in which order they lie"
_DIFFERS = "its place differs by"
_FEWEST_CELLS = 4
# From so many on, a border that lacks what it would see hardly moves the cells inside.
_MANY_CELLS = 8
_DISORDER = (_BACKWARDS, _SCATTERED, _BEYOND)

Forward = Callable[[NDArray[Any]], Sequence[NDArray[np.float32]]]
"""From a batch of prepared images to the activations of the layers, each (n, units, h, w)."""

_PHASES = 4
_SUMS = ("nkhw,nkhw->nkh", "nkhw,nkhw->nkw")
# A wave of amplitudes between 0 and 1 has squares of 3/8 + cos / 2 + ...: more contrast is not to be had.
_FULL_CONTRAST = 4 / 3
# Below it the phase is what noise makes of it: cells respond to a part as wide as a third of the image.
_LEAST_CONTRAST = 0.08
# At the border what a cell would see is missing on one side: centres are drawn inwards, and strides shrink.
_STRIDE_SLACK = 0.3
# Cells beyond the edge by this share of the image were put there.
_EDGE = 0.02
# Cells that change less than this share of the strongest are looked past.
_SILENT = 1e-3
# With fewer cells than this nothing but border is left to measure a stride on.
_CELLS_FOR_STRIDE = 8


@dataclass(frozen=True, slots=True)
class EffectiveCentre:
    """Where the cells of a layer respond, as measured.

    Attributes
    ----------
    offset, stride : (float, float) or None
        Cell ``i`` responds to what lies around ``offset + i * stride``, in input pixels (pixel p has its
        centre at p), as (vertical, horizontal); None where that could not be measured.
    spread : (float, float) or None
        Standard deviation of the response around its centre, in input pixels.
    error : (float, float) or None
        How far either half of the images lies from the offset, in input pixels.
    images : int
        How many images it was measured on.
    reason : str
        Why it could not be measured; "" where it was.
    """

    offset: tuple[float, float] | None
    stride: tuple[float, float] | None
    spread: tuple[float, float] | None
    error: tuple[float, float] | None
    images: int
    reason: str = ""

    @property
    def disordered(self) -> bool:
        """Whether the cells were found to lie in another order than the image's parts."""
        return self.reason in _DISORDER

    @property
    def uncertain(self) -> bool:
        """Whether no place was found, and other images might well show one."""
        return self.reason in (*_DISORDER, _TOO_FEW) or self.reason.startswith(_DIFFERS)


def even_spread(cells: int, pixels: int) -> tuple[float, float]:
    """Offset and stride of cells that share an axis of the image evenly, as `resize` has them.

    Parameters
    ----------
    cells, pixels : int
        How many there are along the axis.

    Returns
    -------
    offset, stride : float
        In input pixels.
    """
    stride = pixels / cells
    return stride / 2 - 0.5, stride


def measure_centres(
    forward: Forward,
    layers: Sequence[Layer],
    image_input: ImageInput,
    images: NDArray[Any],
) -> list[EffectiveCentre]:
    """Measure where the cells of some layers respond.

    Parameters
    ----------
    forward : callable
        Computes the layers' activations; called with one image, and with four.
    layers : sequence of Layer
        What it computes.
    image_input : ImageInput
        Whose layout the images have.
    images : ndarray
        n prepared images, n at least 1. Each is faded into the next one, the last into the first; a single
        one into itself upside down. It takes 9 n forward passes.

    Returns
    -------
    list of EffectiveCentre
        One per layer; the same for the same images.

    Raises
    ------
    ModelRuntimeError
        If onnxruntime fails.
    """
    axes = (1, 2) if image_input.layout == "NHWC" else (2, 3)
    pixels = images.shape[axes[0]], images.shape[axes[1]]
    halves = min(2, len(images))
    # per layer, half of the images and axis: squared change, (units, cells, phases)
    changes = [
        [[np.zeros((layer.units, cells, _PHASES)) for cells in layer.grid] for _ in range(halves)]
        for layer in layers
    ]
    for i in range(len(images)):
        image = images[i : i + 1]
        other = images[(i + 1) % len(images)][None] if len(images) > 1 else np.flip(image, axes)
        before = forward(image)
        for axis in (0, 1):
            after = forward(_faded(image, other, axes[axis]))
            for layer_changes, old, new in zip(changes, before, after, strict=True):
                with np.errstate(over="ignore", invalid="ignore"):
                    change = new - old
                    square = np.einsum(_SUMS[axis], change, change)
                layer_changes[i % halves][axis] += np.moveaxis(square, 0, -1)
    return [
        _centre(layer, measured, pixels, len(images)) for layer, measured in zip(layers, changes, strict=True)
    ]


def _faded(image: NDArray[Any], other: NDArray[Any], axis: int) -> NDArray[Any]:
    """Fade an image, (1, ...), into another along an axis, once for each phase: (phases, ...)."""
    length = image.shape[axis]
    phase = np.arange(_PHASES)[:, None] / _PHASES
    wave = (1 + np.cos(2 * np.pi * (np.arange(length)[None] / length - phase))) / 2
    shape = [_PHASES, 1, 1, 1]
    shape[axis] = length
    start = image.astype(np.float64)
    mixed = start + (other.astype(np.float64) - start) * wave.reshape(shape)
    faded: NDArray[Any] = (np.rint(mixed) if image.dtype.kind in "iu" else mixed).astype(image.dtype)
    return faded


def _centre(
    layer: Layer, changes: list[list[NDArray[np.float64]]], pixels: tuple[int, int], images: int
) -> EffectiveCentre:
    if layer.grid == (1, 1):
        return EffectiveCentre(None, None, None, None, images, "a single cell has no place")
    rule = layer.receptive_field
    found = []
    for axis, (cells, length) in enumerate(zip(layer.grid, pixels, strict=True)):
        strides = [] if rule is None or rule.stride[axis] <= 0 else [rule.stride[axis]]
        halves = [half[axis] for half in changes]
        line = _along(halves, cells, length, [*strides, length / cells])
        if isinstance(line, str):
            return EffectiveCentre(None, None, None, None, images, line)
        found.append(line)
    offset, stride, spread, error = (
        (round(down, 4) + 0.0, round(across, 4) + 0.0) for down, across in zip(*found, strict=True)
    )
    return EffectiveCentre(offset, stride, spread, error, images)


def _along(
    halves: list[NDArray[np.float64]], cells: int, length: int, strides: Sequence[float]
) -> tuple[float, float, float, float] | str:
    """Offset, stride, spread and error along one axis, or why there are none."""
    if cells == 1:
        return *even_spread(1, length), length / np.sqrt(12), 0.0
    whole = sum(halves[1:], halves[0])
    if not np.isfinite(whole).all():
        return "its activations are not finite, or too large"
    if not whole.any():
        return "it does not change with the image"
    centres, contrast = _responses(whole, length)
    if contrast < _LEAST_CONTRAST:
        return "each of its cells responds to most of the image"
    spread = length / (2 * np.pi) * float(np.sqrt(max(0.0, -2 * np.log(min(1.0, contrast)))))
    stride = _stride(centres, strides)
    if stride <= 0:
        return _BACKWARDS if cells >= _FEWEST_CELLS else _TOO_FEW
    offset, off = _offset(centres, stride)
    # less than a cell, or than a cell's own blur, is of no consequence
    if off > max(stride, spread):
        return _SCATTERED if cells >= _FEWEST_CELLS else _TOO_FEW
    # Where the image ends there is nothing to respond to, unless cells of the other side were put there. The
    # place of a response is the less certain the wider it is.
    beyond = max(stride / (2 if cells >= _MANY_CELLS else 1), _EDGE * length, spread / 4)
    if np.nanmin(centres) < -beyond or np.nanmax(centres) > length - 1 + beyond:
        return _BEYOND if cells >= _FEWEST_CELLS else _TOO_FEW
    error = 0.0
    for half in halves:
        if half.any():
            apart = _offset(_responses(half, length)[0], stride)[0] - offset
            error = max(error, abs((apart + length / 2) % length - length / 2))
    if error > stride:
        return f"{_DIFFERS} {error / stride:.1f} cells from image to image"
    return offset, stride, spread, error


def _responses(changes: NDArray[np.float64], length: int) -> tuple[NDArray[np.float64], float]:
    """Place of each cell's response, in pixels, and the contrast of the middle cells' waves in 0..1.

    Every unit counts the same, however large its values are. Places are known up to the length of the image:
    neighbours are taken to be near each other, and the middle one inside. Cells that hardly respond have NaN.
    """
    total = changes.sum(axis=(1, 2), keepdims=True)
    alive = total[:, 0, 0] > 0
    waves = (changes[alive] / total[alive]).sum(axis=0)
    turned = waves @ np.exp(2j * np.pi * np.arange(_PHASES) / _PHASES)
    strength = waves.sum(axis=1)
    responding = np.flatnonzero(strength > _SILENT * strength.max())
    offset, stride = even_spread(len(waves), length)
    even = offset + stride * responding
    phase = np.angle(turned[responding]) / (2 * np.pi) * length
    apart = np.unwrap((phase - even + length / 2) % length - length / 2, period=length)
    centres = np.full(len(waves), np.nan)
    centres[responding] = even + apart
    inner = _inner(centres)
    centres -= np.round((np.median(centres[inner]) - (length - 1) / 2) / length) * length
    contrast = np.median(2 * np.abs(turned[inner]) / strength[inner]) / _FULL_CONTRAST
    return centres, float(contrast)


def _inner(centres: NDArray[np.float64]) -> NDArray[np.int64]:
    """Choose the middle half of the cells that respond: at the border padding draws centres inwards."""
    responding = np.flatnonzero(np.isfinite(centres))
    cut = len(responding) // 4 if len(responding) > 3 else 0
    return responding[cut : len(responding) - cut]


def _stride(centres: NDArray[np.float64], usual: Sequence[float]) -> float:
    """Median slope between any two inner cells (Theil and Sen), or the usual stride that it is near to."""
    inner = _inner(centres)
    if len(centres) < _CELLS_FOR_STRIDE or len(inner) < _CELLS_FOR_STRIDE // 2:
        return usual[0]
    first, second = np.triu_indices(len(inner), 1)
    slopes = (centres[inner[second]] - centres[inner[first]]) / (inner[second] - inner[first])
    fitted = float(np.median(slopes))
    return next((stride for stride in usual if abs(fitted - stride) <= _STRIDE_SLACK * stride), fitted)


def _offset(centres: NDArray[np.float64], stride: float) -> tuple[float, float]:
    """Where cell 0 is, to judge by the inner cells, and how far these lie off the line."""
    inner = _inner(centres)
    starts = centres[inner] - stride * inner
    offset = float(np.median(starts))
    return offset, float(np.median(np.abs(starts - offset)))


def rule_distance(layer: Layer, centre: EffectiveCentre) -> tuple[float, float] | None:
    """How far the middle cell responds from where the graph's rule has it.

    Parameters
    ----------
    layer : Layer
        With the rule, its receptive field.
    centre : EffectiveCentre
        As measured.

    Returns
    -------
    (float, float) or None
        In cells, (vertical, horizontal), positive towards the bottom right; None where either is unknown.
    """
    rule = layer.receptive_field
    if rule is None or centre.offset is None or centre.stride is None:
        return None
    down, across = (
        (
            centre.offset[axis]
            - rule.offset[axis]
            + (centre.stride[axis] - rule.stride[axis]) * (layer.grid[axis] - 1) / 2
        )
        / rule.stride[axis]
        for axis in (0, 1)
    )
    return down, across


def contradicts(layer: Layer, centre: EffectiveCentre) -> bool:
    """Whether the middle cell responds more than half a cell, and the error, from where the rule has it.

    Parameters
    ----------
    layer : Layer
        With the rule, its receptive field.
    centre : EffectiveCentre
        As measured.

    Returns
    -------
    bool
        False where either is unknown.
    """
    apart, rule = rule_distance(layer, centre), layer.receptive_field
    if apart is None or rule is None or centre.error is None:
        return False
    return any(
        abs(cells) > MOST_APART + error / stride
        for cells, error, stride in zip(apart, centre.error, rule.stride, strict=True)
    )


def nearer_to_rule(layer: Layer, pixels: tuple[int, int], centre: EffectiveCentre) -> bool:
    """Whether the outermost cells respond nearer to where the rule has them than to an even spread.

    Parameters
    ----------
    layer : Layer
        With the rule, its receptive field.
    pixels : (int, int)
        (height, width) of the network's input.
    centre : EffectiveCentre
        As measured.

    Returns
    -------
    bool
        False where either is unknown.
    """
    rule = layer.receptive_field
    if rule is None or centre.offset is None or centre.stride is None:
        return False
    to_rule = to_even = 0.0
    for axis, (cells, length) in enumerate(zip(layer.grid, pixels, strict=True)):
        offset, stride = even_spread(cells, length)
        for cell in (0, cells - 1):
            place = centre.offset[axis] + centre.stride[axis] * cell
            to_rule += abs(place - rule.offset[axis] - rule.stride[axis] * cell)
            to_even += abs(place - offset - stride * cell)
    return to_rule < to_even
