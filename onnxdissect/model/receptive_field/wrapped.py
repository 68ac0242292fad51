"""Maps that are continued beyond their edge by their other side: frames of circular padding, and rolls.

A frame that repeats the opposite border (``Pad`` of mode wrap, or a concatenation of slices) is harmless as
long as the map in it is whole. Cut out again at another place, it is a roll: the cells of one side lie on the
other. Both are followed as places that go on beyond the edge, which whatever cuts the frame off, or rolls
back, brings to an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.receptive_field.axis_geometry import AxisGeometry, Period, Position, Rolled, Unplaced

__all__ = ["continued", "frame_of_indices", "laid_again", "merge_rolled", "repeated", "rolled_on", "settle"]

_EXACT = 1e-6
"""Cells by which computed places may differ."""


def continued(at: AxisGeometry, cells: int) -> Period | None:
    """Describe the map that a frame of its own cells is laid around.

    Parameters
    ----------
    at : AxisGeometry
        The map.
    cells : int
        How many cells it has.

    Returns
    -------
    Period or None
        None where it has such a frame already, of another map.
    """
    ends = sorted((at.offset, at.offset + (cells - 1) * at.stride))
    period = Period(ends[0], ends[1], abs(at.stride))
    if at.period is None or abs(at.period.length - period.length) < _EXACT * period.cell:
        return at.period or period
    return None


def frame_of_indices(at: AxisGeometry, indices: NDArray[np.float64], cells: int) -> AxisGeometry | None:
    """Place cells that indices take round and round the map, some of them several times.

    Parameters
    ----------
    at : AxisGeometry
        The map.
    indices : ndarray of float64
        Which of its cells lies where.
    cells : int
        How many it has.

    Returns
    -------
    AxisGeometry or None
        None where they do not follow each other, or none is repeated: that is a crop, or another order.
    """
    straight = np.unwrap(indices, period=cells)
    period = continued(at, cells)
    if len(set(indices)) == len(indices) or period is None or not np.all(np.diff(straight) == 1):
        return None
    turns = np.round((straight.mean() - (cells - 1) / 2) / cells)
    return replace(at, period=period).resampled(float(straight[0] - turns * cells), 1)


def repeated(parts: Sequence[tuple[Position, int]], which: int) -> Period | None:
    """Describe the map that pieces of its own other side were laid around by a concatenation.

    Parameters
    ----------
    parts : sequence of (Position, int)
        Place and length of each operand, in order.
    which : int
        The one that is the map.

    Returns
    -------
    Period or None
        None where any of the others comes from elsewhere, as mirrored and repeated borders do.
    """
    whole, cells = parts[which]
    assert isinstance(whole, AxisGeometry)
    period = continued(whole, cells)
    starts = [sum(length for _, length in parts[:i]) for i in range(len(parts))]
    if period is None or len(parts) == 1:
        return None
    for i, (position, _) in enumerate(parts):
        if i == which:
            continue
        if not isinstance(position, AxisGeometry) or abs(position.stride - whole.stride) > _EXACT:
            return None
        off = position.offset - whole.offset - (starts[i] - starts[which]) * whole.stride
        if abs(abs(off) - period.length) > _EXACT * period.cell:
            return None
    return period


def laid_again(parts: Sequence[tuple[Position, int]]) -> Rolled | None:
    """Place a map that is laid behind itself, out of which a roll is cut.

    Parameters
    ----------
    parts : sequence of (Position, int)
        Place and length of each operand, all of them the same map.

    Returns
    -------
    Rolled or None
        None where it is laid once only, or was in no order.
    """
    place, cells = parts[0]
    period = continued(place, cells) if isinstance(place, AxisGeometry) and len(parts) > 1 else None
    if period is None or not isinstance(place, AxisGeometry) or place.period is not None:
        return None
    return Rolled(replace(place, period=period))


def rolled_on(parts: Sequence[tuple[Position, int]]) -> AxisGeometry | None:
    """Place pieces of a map that was rolled, laid behind each other in the order in which they follow.

    Parameters
    ----------
    parts : sequence of (Position, int)
        Place and length of each operand, in order.

    Returns
    -------
    AxisGeometry or None
        None where none was rolled, or they do not follow each other round the map.
    """
    period = next((p.extent.period for p, _ in parts if isinstance(p, Rolled)), None)
    if period is None:
        return None
    extents = [position.extent if isinstance(position, Rolled) else position for position, _ in parts]
    first = extents[0]
    if not isinstance(first, AxisGeometry):
        return None
    behind = 0
    for extent, (_, length) in zip(extents, parts, strict=True):
        if not isinstance(extent, AxisGeometry) or abs(extent.stride - first.stride) > _EXACT * period.cell:
            return None
        turns = (extent.offset - first.offset - behind * first.stride) / period.length
        if abs(turns - round(turns)) * period.length > _EXACT * period.cell:
            return None
        behind += length
    return replace(first, period=period)


def settle(position: Position, cells: int) -> Position:
    """Tell a map in a frame of its own cells from one that was rolled.

    Parameters
    ----------
    position : Position
        Where an operator put its results.
    cells : int
        How many there are.

    Returns
    -------
    Position
        `Rolled` where the cells of one side lie on the other. Without a period where none is beyond the edge.
    """
    extent = position.extent if isinstance(position, Rolled) else position
    if not isinstance(extent, AxisGeometry) or extent.period is None:
        return position
    period = extent.period
    half = max(period.cell, abs(extent.stride)) / 2 + _EXACT * period.cell
    low, high = sorted((extent.offset, extent.offset + (cells - 1) * extent.stride))
    # a piece that lies beyond the edge as a whole is a piece of the other side
    turns = 0
    while high + turns * period.length < period.first - half:
        turns += 1
    while low + turns * period.length > period.last + half:
        turns -= 1
    extent = replace(extent, offset=extent.offset + turns * period.length)
    low, high = low + turns * period.length, high + turns * period.length
    before, after = low < period.first - half, high > period.last + half
    if not (before or after):
        return replace(extent, period=None)
    lacking = (before and high < period.last - half) or (after and low > period.first + half)
    return Rolled(extent) if lacking else extent


def merge_rolled(branches: Sequence[Rolled], others: bool, together: AxisGeometry | None) -> Position:
    """Place the sum of maps that were rolled.

    Parameters
    ----------
    branches : sequence of Rolled
        At least one.
    others : bool
        Whether there are branches that were not rolled.
    together : AxisGeometry or None
        The rolled ones, put together.

    Returns
    -------
    Position
        Out of order for good where they were not all rolled alike.
    """
    starts = [each.extent.offset for each in branches]
    alike = max(starts) - min(starts) < _EXACT * abs(branches[0].extent.stride)
    return Rolled(together) if alike and not others and together is not None else Unplaced.DISORDERED
