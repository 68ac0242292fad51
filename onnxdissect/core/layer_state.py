"""What a pass knows of one layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.encode import SparseEncoder
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.samples import Samples
from onnxdissect.core.thresholds import Thresholds
from onnxdissect.core.top_images import TopImages
from onnxdissect.errors import NonFiniteError

__all__ = ["LayerState"]


class LayerState:
    """Thresholds, top images and a sample of one layer's units, as images come in any order.

    Parameters
    ----------
    layer : LayerPlan
    plan : Plan
        What the layer is part of.

    Attributes
    ----------
    thresholds : Thresholds
    top : TopImages
    samples : Samples
    """

    def __init__(self, layer: LayerPlan, plan: Plan) -> None:
        h, w = layer.shape
        self._layer = layer
        self._lock = Lock()
        self.thresholds = Thresholds(layer.units, plan.images * h * w, plan.quantiles)
        self.top = TopImages(layer.units, min(plan.top, plan.images), layer.shape)
        self.samples = Samples(layer.units, plan.images, h * w)

    @property
    def nbytes(self) -> int:
        """Bytes held; constant over the pass."""
        return self.thresholds.nbytes + self.top.nbytes + self.samples.nbytes

    def take(
        self,
        first: int,
        activations: NDArray[np.float32],
        encoder: SparseEncoder,
        image_name: Callable[[int], str],
    ) -> None:
        """Take in a batch; several threads may do so at once.

        Parameters
        ----------
        first : int
            Number of the batch's first image.
        activations : ndarray of float32, shape (n, units, h, w)
        encoder : SparseEncoder
            The calling thread's; what remains of the batch is added to it.
        image_name : callable
            Name of an image, for messages.

        Raises
        ------
        NonFiniteError
            If an activation is NaN or infinite, naming layer, unit and image.
        """
        layer = self._layer
        n = activations.shape[0]
        if activations.shape != (n, layer.units, *layer.shape):
            raise RuntimeError(
                f"{layer.name} was announced as {(layer.units, *layer.shape)} per image, "
                f"got {activations.shape}"
            )
        before = encoder.images
        damaged = encoder.add(activations, self.thresholds.bounds)
        if damaged >= 0:
            image, unit = divmod(damaged, layer.units)
            raise NonFiniteError(
                f"layer {layer.name!r}, unit {unit}, image {image_name(first + image)}: "
                "the activation map holds NaN or infinity",
                hint="check the model's weights and that the preprocessing fits it; "
                "half-precision networks overflow on inputs of the wrong scale",
            )
        # The walk over all activations is behind us: what is left is short, and shared.
        with self._lock:
            self.thresholds.update(encoder.sparse_maps(before), n * layer.shape[0] * layer.shape[1])
            self.top.update(first, activations, encoder.maxima[before : before + n])
        self.samples.update(first, activations)

    def merge(self, other: LayerState) -> None:
        """Take in everything that another object made with the same parameters has taken in.

        Parameters
        ----------
        other : LayerState
            Of other images. Not changed.
        """
        self.thresholds.merge(other.thresholds)
        self.top.merge(other.top)
        self.samples.merge(other.samples)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything taken in so far, for `restore`."""
        return self.thresholds.state() | self.top.state() | {"samples": self.samples.values}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of an object made with the same parameters.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `state` gave it.
        """
        self.thresholds.restore(state)
        self.top.restore(state)
        self.samples.values = state["samples"]
