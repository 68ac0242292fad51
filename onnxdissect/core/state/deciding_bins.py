"""The bins that hold a layer's thresholds, narrowed down to single values by what is in the spool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.fingerprint import Fingerprint
from onnxdissect.core.kernels.activations.rank import refine
from onnxdissect.core.plan import Plan
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.spool.spool import Chunk
from onnxdissect.core.state.image_ranges import ImageRanges

__all__ = ["BinCounts", "DecidingBins", "count_bins", "narrow_bins"]

# Bits that one walk over the spool decides.
_REFINING_BITS = 9


@dataclass(frozen=True, slots=True, eq=False)
class DecidingBins:
    """What is known of the thresholds of a layer: their leading bits, and their rank among equal ones.

    Attributes
    ----------
    known : int
        How many bits of each threshold are known, of 32.
    prefixes : ndarray of uint32, shape (quantiles, units)
        Those bits.
    ranks : ndarray of int64, shape (quantiles, units)
        The threshold is the so-many-th largest of the values that begin with them.
    at_floor : ndarray of bool, shape (quantiles, units)
        The threshold is the unit's bound itself.
    bounds : ndarray of float32, shape (units,)
        The bounds at the end of the pass.
    """

    known: int
    prefixes: NDArray[np.uint32]
    ranks: NDArray[np.int64]
    at_floor: NDArray[np.bool_]
    bounds: NDArray[np.float32]

    @property
    def settled(self) -> bool:
        """Whether each bin holds a single value: the threshold."""
        return self.known == 32

    @property
    def key(self) -> tuple[int, bytes]:
        """What tells these bins from others of the layer."""
        return self.known, self.prefixes.tobytes()

    def zeros(self) -> NDArray[np.int64]:
        """Make counts for `count`, shape (quantiles, units, bins within a bin)."""
        return np.zeros((*self.ranks.shape, 2**self._following), np.int64)

    def count(self, sparse_maps: SparseMaps, units: slice, counts: NDArray[np.int64]) -> None:
        """Count the values in the bins by the bits that follow.

        Parameters
        ----------
        sparse_maps : SparseMaps
            Kept relative to bounds of any time of the pass.
        units : slice
            Only these. Others may be counted at the same time.
        counts : ndarray of int64
            From `zeros`; added to in place.
        """
        refine(sparse_maps, self.prefixes, self.known, counts, units)

    def narrow(self, counts: NDArray[np.int64]) -> DecidingBins:
        """Give the smaller bins that hold the thresholds.

        Parameters
        ----------
        counts : ndarray of int64
            Of all images together.

        Returns
        -------
        DecidingBins
        """
        following = self._following
        from_top = np.cumsum(counts[..., ::-1], axis=-1)
        step = np.argmax(from_top >= self.ranks[..., None], axis=-1)
        before = np.take_along_axis(from_top - counts[..., ::-1], step[..., None], axis=-1)[..., 0]
        return DecidingBins(
            self.known + following,
            (self.prefixes << np.uint32(following)) | (2**following - 1 - step).astype(np.uint32),
            self.ranks - before,
            # Values equal to the bound itself need not be in the spool; they are the smallest of their bin.
            self.at_floor | (counts.sum(axis=-1) < self.ranks),
            self.bounds,
        )

    def thresholds(self) -> NDArray[np.float32]:
        """Give T_k, shape (quantiles, units), once all bits are known."""
        if not self.settled:
            raise RuntimeError(f"{self.known} of 32 bits of the thresholds are known")
        prefixes = self.prefixes
        bits = np.where(prefixes >> 31, prefixes & np.uint32(0x7FFFFFFF), ~prefixes).astype(np.uint32)
        return np.where(self.at_floor, self.bounds, bits.view(np.float32)).astype(np.float32)

    @property
    def _following(self) -> int:
        return min(_REFINING_BITS, 32 - self.known)


@dataclass(slots=True, eq=False)
class BinCounts:
    """How the values of some images are spread within the deciding bins of every layer.

    Attributes
    ----------
    images : ImageRanges
        Whose values were counted.
    layers : tuple of ndarray of int64
        As `DecidingBins.zeros` made them, one per layer.
    fingerprint : Fingerprint
        That of the plan and of the bins.
    """

    images: ImageRanges
    layers: tuple[NDArray[np.int64], ...]
    fingerprint: Fingerprint

    def merge(self, other: BinCounts) -> None:
        """Add the counts of other images.

        Parameters
        ----------
        other : BinCounts
            Counted in the same bins. Not changed.

        Raises
        ------
        RunMismatchError
            If the other was counted in other bins or of another plan. Nothing is changed then.
        ImagesOverlapError
            If both counted the same images. Nothing is changed then.
        """
        self.fingerprint.expect(other.fingerprint)
        self.images |= other.images
        for counts, more in zip(self.layers, other.layers, strict=True):
            counts += more


def count_bins(plan: Plan, layers: Sequence[DecidingBins], chunks: Iterable[Chunk]) -> BinCounts:
    """Count the values of some images within the deciding bins of every layer.

    Parameters
    ----------
    plan : Plan
    layers : sequence of DecidingBins
        Of all images together, one per layer; those that are settled are left alone.
    chunks : iterable of Chunk
        A spool, or a part of it.

    Returns
    -------
    BinCounts
        That of a whole spool is that of its parts, merged.
    """
    if isinstance(chunks, SpoolParts):
        found = count_bins(plan, layers, chunks.here)
        for more in chunks.each("thresholds", partial(count_bins, replace(plan, threads=1), layers)):
            found.merge(more)
        if not all(bins.settled for bins in layers):
            found.images.expect_counted(plan.images)
        return found
    counts = tuple(bins.zeros() for bins in layers)

    def add(chunk: Chunk, share: tuple[int, slice]) -> None:
        layer, units = share
        layers[layer].count(chunk.layers[layer], units, counts[layer])

    shares = [share for share in plan.shares() if not layers[share[0]].settled]
    images = []
    with ThreadPoolExecutor(plan.threads) as pool:
        # The spool may be on disk: all layers look at each chunk while it is in memory.
        for chunk in chunks if shares else ():
            list(pool.map(partial(add, chunk), shares))
            images.append((chunk.start, chunk.start + len(chunk)))
    fingerprint = plan.fingerprint().plus({f"bins of layer {i}": bins.key for i, bins in enumerate(layers)})
    return BinCounts(ImageRanges.of(*images), counts, fingerprint)


def narrow_bins(layers: Sequence[DecidingBins], counts: BinCounts) -> tuple[DecidingBins, ...]:
    """Give the smaller bins that hold the thresholds of every layer.

    Parameters
    ----------
    layers : sequence of DecidingBins
        What was counted in; settled ones stay as they are.
    counts : BinCounts
        Of all images together.

    Returns
    -------
    tuple of DecidingBins
    """
    return tuple(
        bins if bins.settled else bins.narrow(counted)
        for bins, counted in zip(layers, counts.layers, strict=True)
    )
