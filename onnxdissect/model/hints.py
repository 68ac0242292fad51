"""Which layouts a person is offered for a value that the graph leaves open, the likeliest first."""

from __future__ import annotations

from onnxdissect.model.layers import LAYOUTS

__all__ = ["fitting_layouts"]


def fitting_layouts(shape: tuple[int, ...]) -> tuple[str, ...]:
    """List the layouts that a shape may have.

    Parameters
    ----------
    shape : tuple of int
        Shape at a batch of one.

    Returns
    -------
    tuple of str
        All layouts of that rank, the one that fits first: of four axes the equal two are height and width,
        of three the one of length one is the batch.
    """
    of_rank = [layout for layout in LAYOUTS if len(layout) == len(shape)]
    return tuple(sorted(of_rank, key=lambda layout: _misfit(layout, shape)))


def _misfit(layout: str, shape: tuple[int, ...]) -> tuple[bool, bool]:
    lengths = dict(zip(layout, shape, strict=True))
    return lengths.get("N", 1) != 1, lengths.get("H") != lengths.get("W")
