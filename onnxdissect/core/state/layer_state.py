"""What a pass knows of one layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.state.samples import Samples
from onnxdissect.core.state.thresholds import Thresholds
from onnxdissect.core.state.top_images import TopImages

__all__ = ["LayerState"]


class LayerState:
    """Thresholds, top images and a sample of one layer's units; a plain value.

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
        self._images = plan.images
        self.thresholds = Thresholds(
            layer.units,
            plan.images * h * w,
            plan.quantiles,
            memory=plan.bin_bytes,
            sharing=sum(other.units for other in plan.layers),
        )
        self.top = TopImages(layer.units, min(plan.top, plan.images), layer.shape)
        self.samples = Samples(layer.units, plan.images, h * w)

    @property
    def nbytes(self) -> int:
        """Bytes held; constant over the pass."""
        return self.thresholds.nbytes + self.top.nbytes + self.samples.nbytes

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

    def fits(self, state: Mapping[str, NDArray[Any]]) -> bool:
        """Tell whether a state is one of an object made with the same parameters.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `state` gives it; of the right dtypes and numbers of axes.

        Returns
        -------
        bool
        """
        return (
            self.thresholds.fits(state)
            and self.top.fits(state, self._images)
            and state["samples"].shape == self.samples.values.shape
        )

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
