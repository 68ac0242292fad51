"""The centres of any number of a network's layers, measured for checking what was derived about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.layers.records import Layer
from onnxdissect.model.network import Network
from onnxdissect.model.preprocessing.preparer import Preparer
from onnxdissect.model.preprocessing.presets import Preprocessing
from onnxdissect.model.receptive_field.effective import PROBE_IMAGES, EffectiveCentre, measure_centres
from onnxdissect.model.runtime.session import open_session

__all__ = ["drawn_images", "measure_layers"]

# Activations of one image that are fetched in one run; about ten times as much is held.
_GROUP_BYTES = 32 * 2**20
# Sides of the squares that drawn images are made of, each octave as strong as the others, as in photographs.
_SQUARES = (1, 2, 4, 8, 16, 32, 64)


def drawn_images(size: tuple[int, int], count: int = PROBE_IMAGES) -> NDArray[np.uint8]:
    """Draw images to probe a network with, where there are none: squares of all sizes and colours.

    Parameters
    ----------
    size : (int, int)
        (height, width).
    count : int
        How many.

    Returns
    -------
    ndarray of uint8, shape (count, height, width, 3)
        RGB, the same every time.
    """
    generator = np.random.default_rng(11)
    total = np.zeros((count, *size, 3))
    for side in _SQUARES:
        rows, columns = (-(-length // side) + 1 for length in size)
        squares = generator.normal(size=(count, rows, columns, 3))
        down, across = generator.integers(0, side, 2)
        drawn = squares.repeat(side, axis=1).repeat(side, axis=2)
        total += drawn[:, down : down + size[0], across : across + size[1]]
    spread = np.sqrt(len(_SQUARES)) * 2.5
    drawn_pixels: NDArray[np.uint8] = np.clip(128 + 128 * total / spread, 0, 255).astype(np.uint8)
    return drawn_pixels


def measure_layers(
    network: Network,
    layers: Sequence[Layer],
    preprocessing: Preprocessing,
    images: Sequence[NDArray[np.uint8]] | None = None,
) -> tuple[EffectiveCentre, ...]:
    """Measure where the cells of layers respond, a few layers at a time so that memory stays bounded.

    Parameters
    ----------
    network : Network
        The network.
    layers : sequence of Layer
        Some of its layers.
    preprocessing : Preprocessing
        How pixels become its input.
    images : sequence of ndarray, optional
        RGB, (h, w, 3), uint8, of any size; by default `drawn_images`.

    Returns
    -------
    tuple of EffectiveCentre
        One per layer.

    Raises
    ------
    ModelRuntimeError
        If onnxruntime fails.
    """
    if images is None:
        images = list(drawn_images(network.size))
    preparer = Preparer(preprocessing, network.input, network.size)
    prepared: NDArray[Any] = np.empty((len(images), *preparer.shape), preparer.dtype)
    for image, row in zip(images, prepared, strict=True):
        preparer(image, row)
    centres: list[EffectiveCentre] = []
    for group in _groups(layers):
        session = open_session(network, group, provider="cpu")
        centres.extend(measure_centres(session, group, network.input, prepared))
    return tuple(centres)


def _groups(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    group: list[Layer] = []
    held = 0
    for layer in layers:
        size = layer.units * layer.grid[0] * layer.grid[1] * 4
        if group and held + size > _GROUP_BYTES:
            yield group
            group, held = [], 0
        group.append(layer)
        held += size
    if group:
        yield group
