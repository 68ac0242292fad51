"""What a pass makes of the activations of one layer: an interface, and its implementation on the processor.

A batch of activations is reduced where it was computed: to the cells that can still exceed a threshold, to
counts from which the thresholds follow, to the top images and the samples. Another implementation may do so
on the device that runs the network; it has to give the same values.
"""

from __future__ import annotations

from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.activations.encode import SparseEncoder
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.arena import Arena
from onnxdissect.core.state.layer_state import LayerState

__all__ = ["ActivationReducer", "LocalReducer", "ReducerMaker", "WorkerReducer"]


class WorkerReducer(Protocol):
    """One worker's end of an `ActivationReducer`; used by one thread at a time."""

    @property
    def images(self) -> int:
        """How many images have been taken in since the last call of `drain`."""

    @property
    def used(self) -> int:
        """How many cells remain of them."""

    def take(self, first: int, activations: NDArray[np.float32]) -> int:
        """Take in a batch.

        Parameters
        ----------
        first : int
            Number of the batch's first image. The batches between two calls of `drain` follow one another.
        activations : ndarray of float32, shape (n, units, h, w)
            C-contiguous.

        Returns
        -------
        int
            Flat index ``image * units + unit`` of the first map holding NaN or infinity, -1 if there is
            none. If there is one, what was gathered is of no use.
        """

    def drain(self, arena: Arena) -> SparseMaps:
        """Give what remains of all images since the last call, and forget them.

        Parameters
        ----------
        arena : Arena
            Where to put it.

        Returns
        -------
        SparseMaps
            Relative to `ActivationReducer.bounds` as they are now or once were: whatever exceeds a unit's
            bound is in it, with the cells around it.
        """


class ActivationReducer(Protocol):
    """Takes in the activations of one layer, for all workers together."""

    @property
    def bounds(self) -> NDArray[np.float32]:
        """Lower bounds on the units' thresholds, shape (units,); they only rise."""

    def worker(self) -> WorkerReducer:
        """Make the end that one more worker feeds; several may be fed at once.

        Returns
        -------
        WorkerReducer
            It holds `Plan.block` images at most between two calls of `drain`.
        """

    def state(self) -> LayerState:
        """Give everything taken in so far; no worker may take in images meanwhile.

        Returns
        -------
        LayerState
            It holds what the state that the reducer was made with held, too; it may be that very object.
        """


class ReducerMaker(Protocol):
    """Makes the reducer of a layer."""

    def __call__(self, layer: LayerPlan, plan: Plan, state: LayerState) -> ActivationReducer:
        """Make a reducer.

        Parameters
        ----------
        layer : LayerPlan
        plan : Plan
            What the layer is part of.
        state : LayerState
            What to go on from. It is the reducer's own from here on.

        Returns
        -------
        ActivationReducer
        """


class LocalReducer:
    """Takes in activations that are in memory, with kernels that run in the calling threads.

    Parameters
    ----------
    layer : LayerPlan
    plan : Plan
        What the layer is part of.
    state : LayerState
        What to go on from; added to in place.
    """

    def __init__(self, layer: LayerPlan, plan: Plan, state: LayerState) -> None:
        self._layer = layer
        self._block = plan.block
        self._state = state
        self._lock = Lock()

    @property
    def bounds(self) -> NDArray[np.float32]:
        """Lower bounds on the units' thresholds, shape (units,)."""
        return self._state.thresholds.bounds

    def worker(self) -> WorkerReducer:
        """Make the end that one more worker feeds."""
        return _LocalWorker(
            SparseEncoder(self._block, self._layer.units, self._layer.shape), self._state, self._lock
        )

    def state(self) -> LayerState:
        """Give everything taken in so far: the state that the reducer was made with."""
        return self._state


class _LocalWorker:
    def __init__(self, encoder: SparseEncoder, state: LayerState, lock: Lock) -> None:
        self._encoder = encoder
        self._state = state
        self._lock = lock
        self.drain = encoder.drain

    @property
    def images(self) -> int:
        return self._encoder.images

    @property
    def used(self) -> int:
        return self._encoder.used

    def take(self, first: int, activations: NDArray[np.float32]) -> int:
        encoder, state = self._encoder, self._state
        before, after = encoder.images, encoder.images + activations.shape[0]
        damaged = encoder.add(activations, state.thresholds.bounds)
        if damaged >= 0:
            return damaged
        positions = activations.shape[0] * activations.shape[2] * activations.shape[3]
        # All activations have been looked at, without a lock. What is left takes little time, and the state
        # is shared by all workers.
        with self._lock:
            state.thresholds.update(encoder.sparse_maps(before), positions)
            state.top.update(first, activations, encoder.maxima[before:after])
        state.samples.update(first, activations)
        return -1
