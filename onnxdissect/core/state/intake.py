"""How a process and its threads bring images into the state of a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.labels.label_runs import pack
from onnxdissect.core.plan import LayerPlan
from onnxdissect.core.spool.arena import Arena
from onnxdissect.core.spool.spool import Chunk, SpoolAppender
from onnxdissect.core.state.activation_reducer import LocalReducer, ReducerMaker, WorkerReducer
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.data.annotation import Annotation
from onnxdissect.errors import NonFiniteError

__all__ = ["Intake"]

# So many cells of all layers together are stored as a chunk, whatever the number of images.
_CHUNK_CELLS = 2**21


class Intake:
    """Takes images into the state of a pass, by several threads at once.

    Parameters
    ----------
    state : PassState
        What to go on from. It belongs to this object until `gathered` is called.
    reducer : callable, optional
        What takes in the activations of each layer.
    """

    def __init__(self, state: PassState, reducer: ReducerMaker = LocalReducer) -> None:
        self._state = state
        self._plan = state.plan
        self._reducers = [
            reducer(layer, state.plan, held)
            for layer, held in zip(state.plan.layers, state.layers, strict=True)
        ]
        self._spool = SpoolAppender(state.spool)
        self._lock = Lock()
        self._idle: list[tuple[list[WorkerReducer], Arena]] = []

    @property
    def images(self) -> ImageRanges:
        """Which images have been taken in."""
        return self._state.images

    @property
    def total(self) -> int:
        """How many images the pass has, with those that others take in."""
        return self._plan.images

    def take(
        self,
        first: int,
        batches: Iterable[Sequence[NDArray[np.float32]]],
        annotations: Sequence[Annotation],
        image_name: Callable[[int], str],
    ) -> None:
        """Take in consecutive images. May be called from several threads at once, in any order of the images.

        Parameters
        ----------
        first : int
            Number of the first image.
        batches : iterable of sequences of ndarray of float32, shape (n, units, h, w)
            Activations of the plan's layers, batch by batch.
        annotations : sequence of Annotation
            One per image of all these batches together.
        image_name : callable
            Name of an image, for messages.

        Raises
        ------
        NonFiniteError
            If an activation is NaN or infinite, naming layer, unit and image. The state is of no use then.
        ImagesOverlapError
            If an image has been taken in before. The state is of no use then.
        OutputError
            If the disk does not take what does not fit in memory.
        """
        # Encoders are used again: the system would have to clear the memory of new ones.
        try:
            workers, arena = self._idle.pop()
        except IndexError:
            workers = [reducer.worker() for reducer in self._reducers]
            arena = Arena(self._state.spool.pages)
        stored = 0
        for activations in batches:
            for layer, worker, values in zip(self._plan.layers, workers, activations, strict=True):
                _reduce(layer, worker, first + stored + worker.images, values, image_name)
            images = workers[0].images
            # Of the first images of a pass nearly all cells are kept, so fewer images make a chunk.
            if stored + images == len(annotations) or sum(worker.used for worker in workers) > _CHUNK_CELLS:
                self._store(first + stored, annotations[stored : stored + images], workers, arena)
                stored += images
        self._idle.append((workers, arena))

    def gathered(self) -> PassState:
        """Give the state; no worker may take in images meanwhile.

        Returns
        -------
        PassState
            The one that this object was made with.
        """
        self._state.layers = tuple(reducer.state() for reducer in self._reducers)
        return self._state

    def save(self, tag: Mapping[str, str | int]) -> None:
        """Write the state to its folder; no worker may take in images meanwhile. See `PassState.save`.

        Parameters
        ----------
        tag : mapping
            What must be the same for the pass to go on, such as the batch size.

        Raises
        ------
        OutputError
            If the disk does not take it. What was saved before stays good.
        """
        self.gathered().save(tag)

    def _store(
        self, first: int, annotations: Sequence[Annotation], workers: Sequence[WorkerReducer], arena: Arena
    ) -> None:
        vocabulary = self._plan.vocabulary
        packed, truths = pack(
            annotations, self._plan.grids, vocabulary.category_of, len(vocabulary.categories)
        )
        chunk = Chunk(first, packed, tuple(worker.drain(arena) for worker in workers))
        state = self._state
        with self._lock:
            state.images |= ImageRanges.of((first, first + len(annotations)))
            state.truth += truths.sum(axis=0)
            state.concept_images += (truths > 0).sum(axis=0)
        self._spool.append(chunk, [reducer.bounds for reducer in self._reducers])


def _reduce(
    layer: LayerPlan,
    worker: WorkerReducer,
    first: int,
    activations: NDArray[np.float32],
    image_name: Callable[[int], str],
) -> None:
    n = activations.shape[0]
    if activations.shape != (n, layer.units, *layer.shape):
        raise RuntimeError(
            f"{layer.name} was announced as {(layer.units, *layer.shape)} per image, got {activations.shape}"
        )
    damaged = worker.take(first, activations)
    if damaged >= 0:
        image, unit = divmod(damaged, layer.units)
        raise NonFiniteError(
            f"layer {layer.name!r}, unit {unit}, image {image_name(first + image)}: "
            "the activation map holds NaN or infinity",
            hint="check the model's weights and that the preprocessing fits it; "
            "half-precision networks overflow on inputs of the wrong scale",
        )
