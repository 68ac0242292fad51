"""Which layouts a person is offered for a value that the graph leaves open, the likeliest first."""

from __future__ import annotations

from collections.abc import Collection

from onnxdissect.model.layers.records import LAYOUTS

__all__ = ["fitting_layouts"]

_MOST_BESIDE = 16
"""Tokens beside a grid: class, distillation and register tokens."""


def fitting_layouts(
    shape: tuple[int, ...], grids: Collection[tuple[int, int]] | None = None
) -> tuple[str, ...]:
    """List the layouts that a shape may have.

    Parameters
    ----------
    shape : tuple of int
        Shape at a batch of one.
    grids : collection of (int, int), optional
        (h, w) of the network's maps. Tokens that fill none of them, such as groups of units in a row, are
        offered no layout.

    Returns
    -------
    tuple of str
        All layouts of that rank, the one that fits first: of four axes the equal two are height and width,
        of three the one of length one is the batch.
    """
    of_rank = [layout for layout in LAYOUTS if len(layout) == len(shape)]
    if grids is not None and len(shape) == 3:
        beside = [max(shape[:2]) - h * w for h, w in grids if h * w > 1]
        of_rank = of_rank if any(0 <= tokens <= _MOST_BESIDE for tokens in beside) else []
    return tuple(sorted(of_rank, key=lambda layout: _misfit(layout, shape)))


def _misfit(layout: str, shape: tuple[int, ...]) -> tuple[bool, bool]:
    lengths = dict(zip(layout, shape, strict=True))
    return lengths.get("N", 1) != 1, lengths.get("H") != lengths.get("W")
