"""What a run dissects, and how, as far as the method is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.fingerprint import Fingerprint
from onnxdissect.core.upsampling import Field
from onnxdissect.data.vocabulary import Vocabulary

__all__ = ["BIN_BYTES", "LayerPlan", "Plan"]

BIN_BYTES = 256 * 2**20
"""Memory for the bins of all units together, where nothing else has a claim to it."""


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer, as far as the method is concerned.

    Attributes
    ----------
    name : str
        ONNX value name.
    units : int
        Units of the layer.
    shape : tuple of int
        (h, w) of an activation map.
    field : tuple of (offset, stride) or None
        Receptive-field geometry in input pixels; ``None``: upsample by `resize`.
    """

    name: str
    units: int
    shape: tuple[int, int]
    field: Field | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is dissected, and how.

    Attributes
    ----------
    layers : tuple of LayerPlan
    quantiles : tuple of float
        Levels tau.
    images : int
        How many images the pass will bring.
    pixels : tuple of int
        (height, width) of the network's input.
    grids : ndarray of int64, shape (grids, 2)
        Distinct label grids of the images.
    vocabulary : Vocabulary
    top : int
        How many top images are kept per unit.
    block : int
        Most images that are taken in at a time.
    threads : int
        Threads of the kernels.
    spool_bytes : int
        Memory for the spool; beyond it goes to disk.
    bin_bytes : int
        Memory for the bins by which all layers count activations; see
        `onnxdissect.core.state.thresholds.Thresholds`.
    min_images : int
        Concepts held by fewer images are no candidates for labels; see `onnxdissect.core.candidates`.
    groups : ndarray of int64, shape (images,), or None
        Group of each image, such as the film it is from; None if each image stands for itself.
    inputs : mapping of str to object
        What decides the activations beside all this, by name: the model's file, the images, the batch size.
    """

    layers: tuple[LayerPlan, ...]
    quantiles: tuple[float, ...]
    images: int
    pixels: tuple[int, int]
    grids: NDArray[np.int64]
    vocabulary: Vocabulary
    top: int
    block: int
    threads: int
    spool_bytes: int
    bin_bytes: int = BIN_BYTES
    min_images: int = 1
    groups: NDArray[np.int64] | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)

    def fingerprint(self) -> Fingerprint:
        """Give what decides the results: not how they are computed, such as the number of threads.

        Returns
        -------
        Fingerprint
        """
        layers: dict[str, object] = {}
        for i, layer in enumerate(self.layers):
            layers |= {
                f"layer {i}": (layer.name, layer.units, layer.shape),
                f"field of layer {i}": layer.field,
            }
        return Fingerprint.of(
            {
                **layers,
                "quantiles": self.quantiles,
                "images": self.images,
                "pixels": self.pixels,
                "grids": self.grids,
                "vocabulary": (self.vocabulary.categories, self.vocabulary.concepts),
                "top": self.top,
                "min_images": self.min_images,
                "groups": self.groups,
                **self.inputs,
            }
        )

    def shares(self) -> list[tuple[int, slice]]:
        """Layers and slices of their units: the work of each layer in equal shares, one for each thread."""
        return [
            (i, slice(layer.units * t // self.threads, layer.units * (t + 1) // self.threads))
            for i, layer in enumerate(self.layers)
            for t in range(self.threads)
        ]
