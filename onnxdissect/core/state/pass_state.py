"""Everything a pass has gathered so far, so that it can stop anywhere and go on with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.plan import Plan
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.spool.spool import Chunk, Spool
from onnxdissect.core.state.chunk_bounds import possible_chunk
from onnxdissect.core.state.deciding_bins import DecidingBins, count_bins, narrow_bins
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.layer_state import LayerState
from onnxdissect.core.state.top_images import TopImages
from onnxdissect.errors import ImagesMissingError, ImagesOverlapError, RunFormatError
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import writing_archive
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["STATE_FILE", "STATE_FORMAT", "PassResult", "PassState"]

STATE_FILE = "state.npz"

STATE_FORMAT = 5
"""Version of what a saved pass consists of; one of another version is not taken up."""


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
    spool : Spool or SpoolParts
        Surviving maps and annotations.
    """

    thresholds: tuple[NDArray[np.float32], ...]
    top: tuple[TopImages, ...]
    samples: tuple[NDArray[np.float32], ...]
    truth: NDArray[np.int64]
    concept_images: NDArray[np.int64]
    spool: Spool | SpoolParts

    def over(self, chunks: Iterable[Chunk]) -> PassResult:
        """Give the same with some chunks in the place of the spool.

        Parameters
        ----------
        chunks : iterable of Chunk

        Returns
        -------
        PassResult
            For what walks over the spool once, and asks nothing else of it.
        """
        spool: Any = chunks
        return replace(self, spool=spool)


class PassState:
    """What a pass over some of the images has gathered; a plain value.

    It remembers which images it is of, pickles, and merges with what was gathered from other images, in any
    order and grouping. What is in the spool's memory is pickled with it, what is on disk stays there: see
    `onnxdissect.core.spool.spool_files.SpoolFiles`. Images are taken in by
    `onnxdissect.core.state.intake.Intake`.

    Parameters
    ----------
    plan : Plan
        What is dissected.
    folder : Path
        Where the spool overflows to and the state is saved.

    Attributes
    ----------
    plan : Plan
    fingerprint : Fingerprint
        That of the plan.
    images : ImageRanges
        Which images have been taken in.
    layers : tuple of LayerState
        One per layer of the plan.
    truth, concept_images : ndarray of int64, shape (concepts,)
        As in `PassResult`.
    spool : Spool
    elsewhere : SpoolParts or None
        What takes the place of the spool, where others keep what they gathered. Such a state cannot be saved.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.fingerprint = plan.fingerprint()
        self._folder = folder
        self.images = ImageRanges()
        self.layers = tuple(LayerState(layer, plan) for layer in plan.layers)
        self.truth = np.zeros(len(plan.vocabulary.concepts), np.int64)
        self.concept_images = np.zeros_like(self.truth)
        self.spool = Spool(folder, plan.spool_bytes)
        self.elsewhere: SpoolParts | None = None

    @property
    def nbytes(self) -> int:
        """Most bytes the pass holds from one batch to the next, whatever the number of images."""
        # While one worker makes room in the spool, the others may fill a quarter of it anew.
        return self.plan.spool_bytes * 5 // 4 + sum(layer.nbytes for layer in self.layers)

    def merge(self, other: PassState) -> None:
        """Take in everything that a pass over other images of the same plan has taken in.

        What comes out in the end is the same, bit for bit, however the images are divided and in whatever
        order and grouping the parts are merged.

        Parameters
        ----------
        other : PassState
            Made with the same plan, and another folder. What it holds is taken over: it is of no use
            afterwards.

        Raises
        ------
        RunMismatchError
            If the other is of another plan, naming what differs. Nothing is changed then.
        ImagesOverlapError
            If both have taken in the same images, naming them. Nothing is changed then.
        OutputError
            If the disk does not take what does not fit in memory.
        """
        self.fingerprint.expect(other.fingerprint)
        self.images |= other.images
        for layer, more in zip(self.layers, other.layers, strict=True):
            layer.merge(more)
        self.truth += other.truth
        self.concept_images += other.concept_images
        bounds = self._bounds()
        for chunk in other.spool:
            self.spool.append(chunk, bounds)

    def expect_complete(self, image_name: Callable[[int], str] = str) -> None:
        """Refuse to go on to the thresholds before all images have been taken in.

        Parameters
        ----------
        image_name : callable
            Name of an image, for the message.

        Raises
        ------
        ImagesMissingError
            If some are missing, naming them; or if there are images that the plan does not have.
        """
        images = self.plan.images
        missing = self.images.missing(images)
        if missing:
            raise ImagesMissingError(
                f"of {images} images {len(missing)} have not been taken in: numbers {missing}, "
                f"beginning with {image_name(next(iter(missing)))}",
                hint="start the run again: what was taken in and saved is not done again",
            )
        if len(self.images) > images:
            raise ImagesMissingError(f"the pass has {images} images, and images {self.images} were taken in")

    def deciding_bins(self) -> tuple[DecidingBins, ...]:
        """Give the bins that hold the thresholds, once all images have been taken in.

        Returns
        -------
        tuple of DecidingBins
            One per layer; see `onnxdissect.core.state.deciding_bins.count_bins`.

        Raises
        ------
        ImagesMissingError
            If images are missing.
        """
        self.expect_complete()
        return tuple(layer.thresholds.deciding_bins() for layer in self.layers)

    def settle(self) -> PassResult:
        """Settle the thresholds, once all images have been taken in. The state is of no use afterwards.

        Returns
        -------
        PassResult

        Raises
        ------
        ImagesMissingError
            If images are missing.
        """
        bins = self.deciding_bins()
        for layer in self.layers:
            # of many wide layers these are large, and so is what is counted next
            layer.thresholds.release()
        spool = self._kept
        spool.complete()
        while not all(decided.settled for decided in bins):
            bins = narrow_bins(bins, count_bins(self.plan, bins, spool))
        return self.result(bins)

    def result(self, bins: Sequence[DecidingBins]) -> PassResult:
        """Give what the pass leaves for the tally.

        Parameters
        ----------
        bins : sequence of DecidingBins
            Those of `deciding_bins`, settled.

        Returns
        -------
        PassResult
        """
        return PassResult(
            tuple(layer.thresholds() for layer in bins),
            tuple(layer.top for layer in self.layers),
            tuple(layer.samples.sorted() for layer in self.layers),
            self.truth,
            self.concept_images,
            self._kept,
        )

    @property
    def _kept(self) -> Spool | SpoolParts:
        return self.spool if self.elsewhere is None else self.elsewhere

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
        self.spool.flush(self._bounds())
        specs: dict[str, ArraySpec] = {}
        with writing_archive(self._folder / STATE_FILE, Schema(specs), compress=False) as archive:
            # one layer after the other, since all together take half of what the pass itself holds
            for name, array in self._arrays(tag):
                specs[name] = _spec(array)
                archive.write(name, array)
        self.spool.saved()

    def restore(self, tag: Mapping[str, str | int]) -> bool:
        """Take up what was saved in the folder, if it was saved under the same tag.

        Parameters
        ----------
        tag : mapping
            As given to `save`.

        Returns
        -------
        bool
            Whether there was something to take up, undamaged. If not, the state is as new, and what was
            saved is forgotten: files of the pass that begins now may bear the names that it knows.
        """
        taken_up = self._restored(tag)
        if not taken_up:
            (self._folder / STATE_FILE).unlink(missing_ok=True)
        return taken_up

    def _restored(self, tag: Mapping[str, str | int]) -> bool:
        own = dict(self._arrays(tag))
        try:
            arrays = read_archive(
                self._folder / STATE_FILE, Schema({name: _spec(array) for name, array in own.items()})
            )
        except RunFormatError:
            return False
        if arrays["tag"].tolist() != own["tag"].tolist():
            return False
        layers = [
            {name: arrays[f"{i}.{name}"] for name in layer.state()} for i, layer in enumerate(self.layers)
        ]
        images = _images(arrays["images"], self.plan.images)
        fit = all(layer.fits(state) for layer, state in zip(self.layers, layers, strict=True))
        counted = all(arrays[name].shape == self.truth.shape for name in ("truth", "concept_images"))
        if images is None or not fit or not counted or arrays["segments"].shape[1:] != (2,):
            return False
        segments = [(int(number), int(size)) for number, size in arrays["segments"]]
        if not self.spool.restore(segments, partial(possible_chunk, self.plan, images)):
            return False
        self.images = images
        self.truth = arrays["truth"]
        self.concept_images = arrays["concept_images"]
        for layer, state in zip(self.layers, layers, strict=True):
            layer.restore(state)
        return True

    def _arrays(self, tag: Mapping[str, str | int]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Everything gathered so far, as it is saved, by name."""
        yield "tag", np.array([f"{key}={value}" for key, value in tag.items()])
        yield "images", np.array(self.images.ranges, np.int64).reshape(-1, 2)
        yield "truth", self.truth
        yield "concept_images", self.concept_images
        yield "segments", np.array(self.spool.spool_files(), np.int64).reshape(-1, 2)
        for i, layer in enumerate(self.layers):
            for name, array in layer.state().items():
                yield f"{i}.{name}", array

    def _bounds(self) -> list[NDArray[np.float32]]:
        return [layer.thresholds.bounds for layer in self.layers]


def _images(ranges: NDArray[np.int64], count: int) -> ImageRanges | None:
    """Images that a saved pass says it has taken in; None if there are no such."""
    if ranges.shape[1:] != (2,) or (ranges.size and (ranges.min() < 0 or ranges.max() > count)):
        return None
    try:
        return ImageRanges.of(*((start, stop) for start, stop in ranges.tolist()))
    except ImagesOverlapError:
        return None


def _spec(array: NDArray[Any]) -> ArraySpec:
    """Say what an array of a saved pass is: its dtype and number of axes.

    How long its axes are may differ, as some arrays hold more the longer the pass has gone on.
    """
    return ArraySpec("str" if array.dtype.kind == "U" else array.dtype.name, "." * array.ndim)
