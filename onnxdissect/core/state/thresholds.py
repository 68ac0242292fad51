"""Exact top-tau thresholds from one pass over the activations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.activations.rank import bin_edges, count_above, order
from onnxdissect.core.plan import BIN_BYTES
from onnxdissect.core.quantiles import tail_size
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.state.deciding_bins import DecidingBins

__all__ = ["Thresholds"]

# Fewer leading bits make bounds coarser, never wrong.
_MOST_BITS = 14
_FEWEST_BITS = 10


class Thresholds:
    """Bounds under the thresholds of a layer's units during the pass, and the thresholds after it.

    The threshold T_k is the (m+1)-th largest of a unit's n values, and n is known before the pass starts.
    The largest values are counted by their leading bits, in memory that does not depend on n. The bin that
    holds the (m+1)-th largest so far bounds T_k from below, and only rises. What exceeds the bound is kept
    in the spool, so that in the end the remaining bits are read off there, exactly.

    Parameters
    ----------
    units : int
        Units of the layer.
    positions : int
        n, spatial positions of all images together.
    quantiles : sequence of float
        Levels tau, each strictly between 0 and 1.
    bits : int, optional
        Leading bits of a bin; by default as many as `memory` allows.
    memory : int
        Bytes for the bins of all units that share it. Narrower bins keep less in the spool; where there is
        too little memory for the widest that serve, more of it is taken.
    sharing : int, optional
        Units of all layers that share this memory; by default this layer has it alone.

    Attributes
    ----------
    bounds : ndarray of float32, shape (units,)
        No unit's lowest threshold is below its bound; ``-inf`` until enough values were seen.
    """

    def __init__(
        self,
        units: int,
        positions: int,
        quantiles: Sequence[float],
        bits: int | None = None,
        *,
        memory: int = BIN_BYTES,
        sharing: int | None = None,
    ) -> None:
        if bits is None:
            bytes_of_a_bin = (sharing or units) * _count_type(positions).itemsize
            affordable = int(math.log2(max(1, memory // bytes_of_a_bin)))
            bits = max(_FEWEST_BITS, min(_MOST_BITS, affordable))
        self._allocate(units, positions, [tail_size(q, positions) for q in quantiles], bits)

    def _allocate(self, units: int, positions: int, sizes: list[int], bits: int) -> None:
        self._sizes = sizes
        self._positions = positions
        self._bits = bits
        self._edges = bin_edges(bits)
        self._counts = np.zeros((units, 2**bits), _count_type(positions))
        lowest = int(order(np.full(1, -np.finfo(np.float32).max, np.float32))[0]) >> (32 - bits)
        self._floors = np.full(units, lowest, np.int64)
        self._above = np.zeros(units, np.int64)
        self._lowest = lowest
        self._seen = 0
        self.bounds: NDArray[np.float32] = np.full(units, -np.inf, np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes held; constant over the pass."""
        return self._counts.nbytes

    def update(self, sparse_maps: SparseMaps, positions: int) -> None:
        """Take in a batch.

        Parameters
        ----------
        sparse_maps : SparseMaps
            What some images hold above `bounds`, as they are now or once were.
        positions : int
            How many spatial positions those images have together.
        """
        count_above(sparse_maps, self._edges, self._counts, self._floors, self._above, max(self._sizes) + 1)
        self._seen += positions
        self._set_bounds()

    def merge(self, other: Thresholds) -> None:
        """Take in everything that another object made with the same parameters has taken in.

        Parameters
        ----------
        other : Thresholds
            Of other positions of the same units. Not changed.
        """
        self._counts += other._counts
        floors = np.maximum(self._floors, other._floors)
        for unit, floor in enumerate(floors.tolist()):
            # Bins up to a floor were counted by one of the two at most, and decide nothing any more.
            from_top = np.cumsum(self._counts[unit, :floor:-1], dtype=np.int64)
            enough = int(np.searchsorted(from_top, max(self._sizes) + 1))
            if enough < from_top.size:
                floors[unit] = self._counts.shape[1] - 1 - enough
            self._above[unit] = from_top[enough - 1] if enough else 0
        self._floors = floors
        self._seen += other._seen
        self._set_bounds()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything taken in so far.

        Returns
        -------
        dict of str to ndarray
            For `restore`. Only bins above the floors are in it: what lies below decides nothing any more.
        """
        kept = np.arange(self._counts.shape[1]) > self._floors[:, None]
        places = np.flatnonzero((self._counts > 0) & kept)
        return {
            "places": places,
            "counts": self._counts.reshape(-1)[places],
            "floors": self._floors,
            "above": self._above,
            "seen": np.array([self._seen]),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of an object made with the same parameters.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `state` gave it.
        """
        self._counts[:] = 0
        self._counts.reshape(-1)[state["places"]] = state["counts"]
        self._floors = state["floors"]
        self._above = state["above"]
        self._seen = int(state["seen"][0])
        self._set_bounds()

    def fits(self, state: Mapping[str, NDArray[Any]]) -> bool:
        """Tell whether a state is one of an object made with the same parameters: kernels index with it.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `state` gives it; of the right dtypes and numbers of axes.

        Returns
        -------
        bool
        """
        places, counts, floors = state["places"], state["counts"], state["floors"]
        return bool(
            places.shape == counts.shape
            and floors.shape == self._floors.shape
            and state["above"].shape == self._above.shape
            and state["seen"].shape == (1,)
            and 0 <= state["seen"][0] <= self._positions
            and (places.size == 0 or (places.min() >= 0 and places.max() < self._counts.size))
            and (floors.size == 0 or (floors.min() >= 0 and floors.max() < self._counts.shape[1]))
        )

    def _set_bounds(self) -> None:
        # Below the lowest bin there is no value to bound anything with.
        self.bounds = np.where(self._floors == self._lowest, -np.inf, self._edges[self._floors]).astype(
            np.float32
        )

    def deciding_bins(self) -> DecidingBins:
        """Give the bin of each threshold, once all positions have been taken in.

        Returns
        -------
        DecidingBins
            To be narrowed down to the thresholds by what is in the spool.

        Raises
        ------
        RuntimeError
            If the positions taken in are not as many as announced, so that no threshold is decided.
        """
        if self._seen != self._positions:
            raise RuntimeError(f"{self._positions} positions were announced, {self._seen} were seen")
        prefixes, ranks = self._bins_and_ranks()
        return DecidingBins(self._bits, prefixes, ranks, np.zeros(ranks.shape, np.bool_), self.bounds)

    def release(self) -> None:
        """Give up the counts, once the deciding bins are known. Nothing can be taken in any more."""
        self._counts = self._counts[:, :0].copy()

    def __getstate__(self) -> dict[str, Any]:
        return self.state() | {"sizes": self._sizes, "positions": self._positions, "bits": self._bits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._allocate(state["floors"].size, state["positions"], state["sizes"], state["bits"])
        self.restore(state)

    def _bins_and_ranks(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Bin of each threshold, and its rank from the top within the bin, both (quantiles, units)."""
        units = self._floors.size
        bins = np.empty((len(self._sizes), units), np.uint32)
        ranks = np.empty((len(self._sizes), units), np.int64)
        for unit in range(units):
            floor = int(self._floors[unit])
            from_top = np.cumsum(self._counts[unit, :floor:-1], dtype=np.int64)
            for q, size in enumerate(self._sizes):
                # Position among the bins above the floor, or one past them: then it is the floor's own.
                place = int(np.searchsorted(from_top, size + 1))
                bins[q, unit] = 2**self._bits - 1 - place
                ranks[q, unit] = size + 1 - (from_top[place - 1] if place else 0)
        return bins, ranks


def _count_type(positions: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.uint32 if positions < 2**32 else np.uint64)
