"""Another implementation of what takes in activations, as a device would have one, gives the same counts."""

from __future__ import annotations

from threading import Lock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.drawn_counts import COUNTS, World, worlds

from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.arena import Arena
from onnxdissect.core.state.activation_reducer import WorkerReducer
from onnxdissect.core.state.layer_state import LayerState


class NaiveReducer:
    """Keeps everything it was given, and makes something of it only when it is asked.

    Its state is merged with the one it was made with, as one would be that had been gathered on a device.
    """

    def __init__(self, layer: LayerPlan, plan: Plan, state: LayerState) -> None:
        self.layer, self.plan, self.before = layer, plan, state
        self.batches: list[tuple[int, NDArray[np.float32]]] = []
        self.lock = Lock()
        self.bounds = np.full(layer.units, -np.inf, np.float32)

    def worker(self) -> WorkerReducer:
        return NaiveWorker(self)

    def state(self) -> LayerState:
        gathered = LayerState(self.layer, self.plan)
        for first, values in self.batches:
            for at in range(len(values)):
                one = np.ascontiguousarray(values[at : at + 1])
                gathered.thresholds.update(whole(one), one[0, 0].size)
                gathered.top.update(first + at, one, one.max(axis=(2, 3)))
                gathered.samples.update(first + at, one)
        gathered.merge(self.before)
        self.before, self.batches = gathered, []
        return gathered


class NaiveWorker:
    def __init__(self, reducer: NaiveReducer) -> None:
        self.reducer = reducer
        self.held: list[NDArray[np.float32]] = []

    @property
    def images(self) -> int:
        return sum(map(len, self.held))

    @property
    def used(self) -> int:
        return sum(values.size for values in self.held)

    def take(self, first: int, activations: NDArray[np.float32]) -> int:
        for flat, values in enumerate(activations.reshape(-1, *activations.shape[2:])):
            if not np.isfinite(values).all():
                return flat
        self.held.append(activations.copy())
        with self.reducer.lock:
            self.reducer.batches.append((first, activations.copy()))
        return -1

    def drain(self, room: Arena) -> SparseMaps:
        drained, self.held = whole(np.concatenate(self.held)), []
        return room.take_in(drained)


def whole(activations: NDArray[np.float32]) -> SparseMaps:
    """Every cell of every map."""
    n, units, h, w = activations.shape
    return SparseMaps(
        shape=(h, w),
        image_starts=np.arange(n + 1, dtype=np.int64) * units,
        units=np.tile(np.arange(units, dtype=np.int32), n),
        starts=np.arange(n * units + 1, dtype=np.int64) * h * w,
        cells=np.tile(np.arange(h * w, dtype=np.uint16), n * units),
        values=activations.reshape(-1).copy(),
    )


@given(worlds(), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0, 10**6]))
@settings(max_examples=40, deadline=None)
def test_a_naive_reducer_gives_the_same_counts(
    world: World, batch: int, workers: int, spool_bytes: int
) -> None:
    passed, counted = world.dissect(world.plan(), batch=2)
    plan = world.plan(block=2 if batch < 3 else 4, spool_bytes=spool_bytes)
    ours, again = world.dissect(plan, batch, workers, NaiveReducer)
    for name in ("thresholds", "samples"):
        np.testing.assert_array_equal(getattr(ours, name)[0], getattr(passed, name)[0], err_msg=name)
    np.testing.assert_array_equal(again.top.images, counted.top.images)
    for mine, theirs in zip(again.top.maps(), counted.top.maps(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for name in (*COUNTS, "top_masks"):
        np.testing.assert_array_equal(getattr(again.counts, name), getattr(counted.counts, name), name)
