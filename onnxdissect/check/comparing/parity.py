"""How much two models' activations differ on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.verdict import LayerDrift
from onnxdissect.data import Dataset
from onnxdissect.model import Layer, Network, Preparer, Preprocessing, open_session
from onnxdissect.statistics.drift import ActivationSums

__all__ = ["Side", "measure_drift"]

_BATCH = 4


@dataclass(frozen=True, slots=True)
class Side:
    """One of two models.

    Attributes
    ----------
    network : Network
        The model.
    layers : sequence of Layer
        What is compared, in the order of the other side's.
    preprocessing : Preprocessing
        How pixels become its input.
    """

    network: Network
    layers: Sequence[Layer]
    preprocessing: Preprocessing


def measure_drift(
    first: Side, second: Side, dataset: Dataset, images: int, provider: str
) -> tuple[LayerDrift, ...]:
    """Run both models on the same images and compare their layers.

    Parameters
    ----------
    first : Side
        What is compared against.
    second : Side
        As many layers, of the same units and grids.
    dataset : Dataset
        Where images are taken from, evenly.
    images : int
        How many, if there are as many.
    provider : str
        Execution provider.

    Returns
    -------
    tuple of LayerDrift
        One per layer.

    Raises
    ------
    DataError
        If an image cannot be read.
    ModelError
        If a model does not run.
    """
    dataset = dataset.subset(limit=min(images, len(dataset)))
    sides = [_Forward(side, provider) for side in (first, second)]
    sums = [ActivationSums(layer.units) for layer in first.layers]
    for start in range(0, len(dataset), _BATCH):
        pictures = [dataset.read_image(i) for i in range(start, min(start + _BATCH, len(dataset)))]
        for total, one, two in zip(sums, *(side(pictures) for side in sides), strict=True):
            total.add(one, two)
    return tuple(
        _drift(layer.name, len(dataset), total) for layer, total in zip(first.layers, sums, strict=True)
    )


def _drift(layer: str, images: int, sums: ActivationSums) -> LayerDrift:
    of_units = sums.relative_rms_of_units
    worst = int(of_units.argmax())
    return LayerDrift(
        layer=layer,
        images=images,
        relative_rms=sums.relative_rms,
        cosine=sums.cosine,
        largest=sums.largest,
        highest=sums.highest,
        worst_unit=worst,
        worst_rms=float(of_units[worst]),
    )


class _Forward:
    def __init__(self, side: Side, provider: str) -> None:
        self._session = open_session(side.network, side.layers, provider=provider)
        self._preparer = Preparer(side.preprocessing, side.network.input, side.network.size)

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        inputs = np.empty((len(pictures), *self._preparer.shape), self._preparer.dtype)
        for picture, place in zip(pictures, inputs, strict=True):
            self._preparer(picture, place)
        return self._session(inputs)
