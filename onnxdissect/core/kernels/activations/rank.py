"""How many of a unit's activations lie above a value: counts over the leading bits of float32.

T_k is the (m+1)-th largest of a unit's n activations (paper section 3.2), and n is far too large to keep them
all. `order` turns floats into unsigned integers of the same order, whose leading bits make bins: 14 bits are
a sign, an exponent and five bits of mantissa, so that a bin is 3 % wide. `count_above` counts per bin during
the pass, in memory that does not depend on n. Afterwards `refine` counts the values in the bin of the
threshold by the bits that follow, until all 32 bits of the threshold are known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, kernel
from onnxdissect.core.kernels.records import records_of
from onnxdissect.core.sparse_maps import SparseMaps

__all__ = ["bin_edges", "count_above", "order", "refine"]

_MINUS_ZERO = np.uint32(0x80000000)


def order(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Unsigned integers in the order of the floats; the order of NaN is of no use.

    Parameters
    ----------
    values : ndarray of float32

    Returns
    -------
    ndarray of uint32
        Equal where the floats are: ``-0.0`` is taken for ``0.0``.
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    bits = np.where(bits == _MINUS_ZERO, np.uint32(0), bits)
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))


def bin_edges(bits: int) -> NDArray[np.float32]:
    """Smallest float of each bin of the leading bits.

    Parameters
    ----------
    bits : int
        How many leading bits make a bin.

    Returns
    -------
    ndarray of float32, shape (2**bits,)
        The bins beyond minus and plus infinity are those of NaN; they are given ``-inf`` and ``inf``.
    """
    keys = np.arange(2**bits, dtype=np.uint32) << np.uint32(32 - bits)
    edges = np.where(keys >> 31, keys & np.uint32(0x7FFFFFFF), ~keys).astype(np.uint32).view(np.float32)
    middle = 2 ** (bits - 1)
    edges[:middle][np.isnan(edges[:middle])] = -np.inf
    edges[middle:][np.isnan(edges[middle:])] = np.inf
    return edges


def count_above(
    sparse_maps: SparseMaps,
    edges: NDArray[np.float32],
    counts: NDArray[np.unsignedinteger],
    floors: NDArray[np.int64],
    above: NDArray[np.int64],
    keep: int,
) -> None:
    """Count activations above each unit's floor, and raise the floor as far as they allow.

    Parameters
    ----------
    sparse_maps : SparseMaps
        Everything in some images that exceeds the bounds that belong to the floors, or to lower ones.
    edges : ndarray of float32, shape (bins,)
        Smallest value of each bin.
    counts : ndarray of unsigned integers, shape (units, bins)
        Values per bin, complete for the bins above the floor; added to in place.
    floors : ndarray of int64, shape (units,)
        The highest bin that is sure to lie at or below the bin of the ``keep``-th largest value; raised in
        place.
    above : ndarray of int64, shape (units,)
        How many values lie in bins above the floor, less than ``keep``; changed in place.
    keep : int
        m + 1: how many of a unit's largest values decide its threshold.
    """
    shift = np.uint32(33 - edges.size.bit_length())
    _count(
        (sparse_maps.units, sparse_maps.starts, sparse_maps.values),
        edges,
        (counts, floors, above),
        keep,
        shift,
    )


def refine(
    sparse_maps: SparseMaps,
    prefixes: NDArray[np.uint32],
    known: int,
    counts: NDArray[np.int64],
    units: slice,
) -> None:
    """Count the next bits of the values that share their leading bits with a unit's threshold.

    Parameters
    ----------
    sparse_maps : SparseMaps
        Surviving maps of a chunk of images.
    prefixes : ndarray of uint32, shape (quantiles, units)
        The leading bits of each threshold.
    known : int
        How many bits those are.
    counts : ndarray of int64, shape (quantiles, units, 2**next)
        Added to in place.
    units : slice
        Only these units. Others may be counted at the same time.
    """
    following = counts.shape[2].bit_length() - 1
    first, last, _ = units.indices(prefixes.shape[1])
    _refine(
        (
            sparse_maps.image_starts,
            sparse_maps.units,
            sparse_maps.starts,
            sparse_maps.values.view(np.uint32),
        ),
        prefixes,
        np.uint32(32 - known),
        np.uint32(32 - known - following),
        counts,
        first,
        last,
    )


@kernel
def _count(sparse_maps, edges, state, keep, shift):
    """Do what `count_above` says; ``shift`` is 32 less the bits that make a bin.

    Values at or below the floor's bin are not counted: enough others are larger.
    """
    units, starts, values = sparse_maps
    counts, floors, above = state
    for record in range(units.shape[0]):
        unit = units[record]
        floor = floors[unit]
        ceiling = edges[floor + 1]
        total = above[unit]
        for at in range(starts[record], starts[record + 1]):
            value = values[at]
            if value >= ceiling:
                counts[unit, _ordered(np.float32(value).view(np.uint32)) >> shift] += 1
                total += 1
        while total >= keep:
            floor += 1
            total -= counts[unit, floor]
        floors[unit] = floor
        above[unit] = total


@kernel
def _refine(sparse_maps, prefixes, shift, rest, counts, first, last):
    """Do what `refine` says, for the units ``first .. last - 1``.

    Of the 32 bits of a value, those from ``shift`` on are known of the threshold; it is counted by those from
    ``rest`` up to there.
    """
    image_starts, units, starts, keys = sparse_maps
    mask = np.uint32(counts.shape[2] - 1)
    for image in range(image_starts.shape[0] - 1):
        begin, end = records_of(image_starts, units, image, first, last)
        for record in range(begin, end):
            unit = units[record]
            for at in range(starts[record], starts[record + 1]):
                key = _ordered(keys[at])
                for q in range(prefixes.shape[0]):
                    if key >> shift == prefixes[q, unit]:
                        counts[q, unit, (key >> rest) & mask] += 1


@inlined
def _ordered(bits):
    """Do what `order` does to the bits of one float."""
    if bits == _MINUS_ZERO:
        bits = np.uint32(0)
    return np.uint32(~bits if bits >> np.uint32(31) else bits | np.uint32(0x80000000))
