"""How much of a network was understood: values whose axes are open, and the compute that layers reach."""

from __future__ import annotations

from dataclasses import dataclass

from onnxdissect.model.layers.listing import Listing

__all__ = ["Coverage", "measure_coverage"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a network was understood.

    Attributes
    ----------
    share : float
        Part of the network's multiply-accumulates, from 0 to 1, up to and including the map or tokens that
        most of them stand behind; those on regions that the network chose from the picture are left out.
        0 where there is no layer.
    open_values : int
        Floating-point activations whose axes are left open.
    values : int
        Floating-point activations of two axes or more.
    culprit : str
        Operator that left most of them open, as the first on the way; empty where none is.
    first_open : str
        The first of them in the order of the graph: the value to state the layout of. Empty where none is.
    severed_values : int
        Open values that lead into a convolution or a pool which says anew what its axes are, so that layers
        were missed on the way there. The others lie where no layer is lost: between reshapes that are taken
        back, inside attention, or behind the last map.
    """

    share: float
    open_values: int
    values: int
    culprit: str
    first_open: str
    severed_values: int = 0


def measure_coverage(listing: Listing) -> Coverage:
    """Tell how much of a network was understood.

    Parameters
    ----------
    listing : Listing
        Its layers, and what was left open.

    Returns
    -------
    Coverage
    """
    # dense units at the end stand behind everything, however little of the maps was found
    maps = [layer for layer in listing.layers if len(layer.shape) > 2] or listing.layers
    share = max((layer.share for layer in maps), default=0.0)
    return Coverage(share, *listing.open_axes)
