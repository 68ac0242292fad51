"""Everything a pass has gathered so far, so that it can stop anywhere and go on with the same bits."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.arena import Arena
from onnxdissect.core.kernels.encode import SparseEncoder
from onnxdissect.core.layer_state import LayerState
from onnxdissect.core.plan import Plan
from onnxdissect.core.sparse_maps import SparseMaps, pack
from onnxdissect.core.spool import Chunk, Spool
from onnxdissect.core.top_images import TopImages
from onnxdissect.data.annotation import Annotation
from onnxdissect.storage.files import write_npz

__all__ = ["STATE_FILE", "STATE_FORMAT", "PassResult", "PassState"]

STATE_FILE = "state.npz"

STATE_FORMAT = 2
"""Version of what a saved pass consists of; one of another version is not taken up."""

# Cells of all layers that remain before they become a chunk of their own.
_CHUNK_CELLS = 2**21


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a complete pass leaves for the tally.

    Attributes
    ----------
    thresholds : tuple of ndarray of float32, shape (quantiles, units)
        T_k, one array per layer.
    top : tuple of TopImages
        One per layer.
    samples : tuple of ndarray of float32, shape (units, positions)
        A sample of each unit's activations, ascending; one array per layer.
    truth : ndarray of int64, shape (concepts,)
        Pixels that hold each concept.
    concept_images : ndarray of int64, shape (concepts,)
        Images that hold each concept.
    spool : Spool
        Surviving maps and annotations.
    """

    thresholds: tuple[NDArray[np.float32], ...]
    top: tuple[TopImages, ...]
    samples: tuple[NDArray[np.float32], ...]
    truth: NDArray[np.int64]
    concept_images: NDArray[np.int64]
    spool: Spool


class PassState:
    """Accumulators of a pass over the images.

    Parameters
    ----------
    plan : Plan
        What is dissected.
    folder : Path
        Where the spool overflows to and the state is saved.

    Attributes
    ----------
    images : int
        How many images have been taken in.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._layers = tuple(LayerState(layer, plan) for layer in plan.layers)
        self._truth = np.zeros(len(plan.vocabulary.concepts), np.int64)
        self._concept_images = np.zeros_like(self._truth)
        self._spool = Spool(folder, plan.spool_bytes)
        self._lock = Lock()
        self._idle: list[tuple[list[SparseEncoder], Arena]] = []
        self.images = 0

    @property
    def nbytes(self) -> int:
        """Most bytes the pass holds from one batch to the next, whatever the number of images."""
        # While one worker makes room in the spool, the others may fill a quarter of it anew.
        return self._plan.spool_bytes * 5 // 4 + sum(layer.nbytes for layer in self._layers)

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
        OutputError
            If the disk does not take what does not fit in memory.
        """
        # Encoders are worth keeping: what they are made of would have to be cleared by the system each time.
        try:
            encoders, arena = self._idle.pop()
        except IndexError:
            encoders = [
                SparseEncoder(self._plan.block, layer.units, layer.shape) for layer in self._plan.layers
            ]
            arena = Arena()
        stored = 0
        for activations in batches:
            for layer, encoder, values in zip(self._layers, encoders, activations, strict=True):
                layer.take(first + stored + encoder.images, values, encoder, image_name)
            images = encoders[0].images
            # The first images of a pass remain almost whole.
            if (
                stored + images == len(annotations)
                or sum(encoder.used for encoder in encoders) > _CHUNK_CELLS
            ):
                self._store(first + stored, annotations[stored : stored + images], encoders, arena)
                stored += images
        self._idle.append((encoders, arena))

    def _store(
        self, first: int, annotations: Sequence[Annotation], encoders: Sequence[SparseEncoder], arena: Arena
    ) -> None:
        vocabulary = self._plan.vocabulary
        packed, truths = pack(
            annotations, self._plan.grids, vocabulary.category_of, len(vocabulary.categories)
        )
        chunk = Chunk(first, packed, tuple(encoder.drain(arena) for encoder in encoders))
        with self._lock:
            self._truth += truths.sum(axis=0)
            self._concept_images += (truths > 0).sum(axis=0)
            self.images += len(annotations)
        self._spool.append(chunk, self._bounds())

    def merge(self, other: PassState) -> None:
        """Take in everything that a pass over other images of the same plan has taken in.

        What comes out in the end is the same, bit for bit, however the images are divided. A merged pass
        can be finished, or merged again; to go on with one that was interrupted, its images must be the
        first ones.

        Parameters
        ----------
        other : PassState
            Made with the same plan, and another folder. What it holds is taken over: it is of no use
            afterwards.

        Raises
        ------
        OutputError
            If the disk does not take what does not fit in memory.
        """
        for layer, more in zip(self._layers, other._layers, strict=True):
            layer.merge(more)
        self._truth += other._truth
        self._concept_images += other._concept_images
        self.images += other.images
        for chunk in other._spool:
            self._spool.append(chunk, self._bounds())

    def settle(self) -> PassResult:
        """Settle the thresholds, once all images have been taken in.

        Returns
        -------
        PassResult
        """
        thresholds: dict[int, NDArray[np.float32]] = {}
        settling = {i: layer.thresholds.settling() for i, layer in enumerate(self._layers)}
        while settling:
            takers: dict[int, Callable[[SparseMaps, slice], None]] = {}
            for i, level in list(settling.items()):
                try:
                    takers[i] = next(level)
                except StopIteration as end:
                    thresholds[i] = end.value
                    del settling[i]
            shares = [share for share in self._plan.shares() if share[0] in takers]
            with ThreadPoolExecutor(self._plan.threads) as pool:
                # The spool may be on disk: all layers look at each chunk while it is in memory.
                for chunk in self._spool if takers else ():
                    list(pool.map(partial(_settle_share, takers, chunk), shares))
        return PassResult(
            tuple(thresholds[i] for i in range(len(self._layers))),
            tuple(layer.top for layer in self._layers),
            tuple(layer.samples.sorted() for layer in self._layers),
            self._truth,
            self._concept_images,
            self._spool,
        )

    def save(self, tag: Mapping[str, str | int]) -> None:
        """Write everything to the folder; the state file is replaced last.

        Parameters
        ----------
        tag : mapping
            What must be the same for the pass to go on, such as the batch size.

        Raises
        ------
        OutputError
            If the disk does not take it. What was saved before stays good.
        """
        self._spool.flush(self._bounds())
        arrays: dict[str, NDArray[Any]] = {
            "tag": np.array([f"{key}={value}" for key, value in tag.items()]),
            "images": np.array([self.images]),
            "truth": self._truth,
            "concept_images": self._concept_images,
            "segments": np.array(self._spool.spool_files(), np.int64).reshape(-1, 2),
        }
        for i, layer in enumerate(self._layers):
            arrays |= {f"{i}.{name}": array for name, array in layer.state().items()}
        write_npz(self._folder / STATE_FILE, arrays, compress=False)
        self._spool.saved()

    def restore(self, tag: Mapping[str, str | int]) -> bool:
        """Take up what was saved in the folder, if it was saved under the same tag.

        Parameters
        ----------
        tag : mapping
            As given to `save`.

        Returns
        -------
        bool
            Whether there was something to take up. If not, the state is as new.
        """
        try:
            with (
                (self._folder / STATE_FILE).open("rb") as file,
                np.load(file, allow_pickle=False) as archive,
            ):
                arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            return False
        if arrays["tag"].tolist() != [f"{key}={value}" for key, value in tag.items()]:
            return False
        if not self._spool.restore([tuple(pair) for pair in arrays["segments"].tolist()]):
            return False
        self.images = int(arrays["images"][0])
        self._truth = arrays["truth"]
        self._concept_images = arrays["concept_images"]
        for i, layer in enumerate(self._layers):
            layer.restore({name: arrays[f"{i}.{name}"] for name in layer.state()})
        return True

    def _bounds(self) -> list[NDArray[np.float32]]:
        return [layer.thresholds.bounds for layer in self._layers]


def _settle_share(
    takers: Mapping[int, Callable[[SparseMaps, slice], None]], chunk: Chunk, share: tuple[int, slice]
) -> None:
    layer, units = share
    takers[layer](chunk.layers[layer], units)
