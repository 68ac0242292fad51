"""Everything a pass has gathered so far, so that it can stop anywhere and go on with the same bits."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.sparse import encode
from onnxdissect.core.kernels.survey import survey
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.records import Records, pack
from onnxdissect.core.spool import Chunk, Spool
from onnxdissect.core.thresholds import Thresholds
from onnxdissect.core.top import TopImages
from onnxdissect.data.annotation import Annotation
from onnxdissect.errors import NonFiniteError
from onnxdissect.files import write_npz

__all__ = ["STATE_FILE", "PassState", "Passed"]

STATE_FILE = "state.npz"


@dataclass(frozen=True, slots=True)
class Passed:
    """What a complete pass leaves for the tally.

    Attributes
    ----------
    thresholds : tuple of ndarray of float32, shape (quantiles, units)
        T_k, one array per layer.
    top : tuple of TopImages
        One per layer.
    truth : ndarray of int64, shape (concepts,)
        Pixels that hold each concept.
    concept_images : ndarray of int64, shape (concepts,)
        Images that hold each concept.
    spool : Spool
        Surviving maps and annotations.
    """

    thresholds: tuple[NDArray[np.float32], ...]
    top: tuple[TopImages, ...]
    truth: NDArray[np.int64]
    concept_images: NDArray[np.int64]
    spool: Spool


class PassState:
    """Accumulators of a pass over the images, in order.

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
        self._levels = tuple(
            Thresholds(
                layer.units, plan.images * layer.shape[0] * layer.shape[1], plan.quantiles, plan.threads
            )
            for layer in plan.layers
        )
        self._tops = tuple(TopImages(layer.units, min(plan.top, plan.images)) for layer in plan.layers)
        self._truth = np.zeros(len(plan.vocabulary.concepts), np.int64)
        self._concept_images = np.zeros_like(self._truth)
        self._spool = Spool(folder, plan.spool_bytes)
        self.images = 0

    @property
    def nbytes(self) -> int:
        """Most bytes the pass holds from one batch to the next, whatever the number of images."""
        return self._plan.spool_bytes + sum(level.nbytes for level in self._levels)

    def take(
        self,
        activations: Sequence[NDArray[np.float32]],
        annotations: Sequence[Annotation],
        image_name: Callable[[int], str],
    ) -> None:
        """Take in the next batch of images.

        Parameters
        ----------
        activations : sequence of ndarray of float32, shape (n, units, h, w)
            One per layer of the plan.
        annotations : sequence of Annotation
            One per image.
        image_name : callable
            Name of an image, for messages.

        Raises
        ------
        NonFiniteError
            If an activation is NaN or infinite, naming layer, unit and image. The state is of no use then.
        OutputError
            If the disk does not take what does not fit in memory.
        """
        vocabulary = self._plan.vocabulary
        records = tuple(
            self._survivors(layer, level, top, values, image_name)
            for layer, level, top, values in zip(
                self._plan.layers, self._levels, self._tops, activations, strict=True
            )
        )
        truths = np.stack([annotation.truth(self._truth.size) for annotation in annotations])
        self._truth += truths.sum(axis=0)
        self._concept_images += (truths > 0).sum(axis=0)
        packed = pack(
            annotations, truths, self._plan.grids, vocabulary.category_of, len(vocabulary.categories)
        )
        self._spool.append(Chunk(self.images, packed, records), self._bounds())
        self.images += len(annotations)

    def finish(self) -> Passed:
        """Settle the thresholds, once all images have been taken in.

        Returns
        -------
        Passed
        """
        thresholds: dict[int, NDArray[np.float32]] = {}
        settling = {i: level.settling() for i, level in enumerate(self._levels)}
        while settling:
            takers: dict[int, Callable[[Records], None]] = {}
            for i, layer in list(settling.items()):
                try:
                    takers[i] = next(layer)
                except StopIteration as end:
                    thresholds[i] = end.value
                    del settling[i]
            # The spool may be on disk: all layers look at each chunk while it is in memory.
            for chunk in self._spool if takers else ():
                for i, take in takers.items():
                    take(chunk.layers[i])
        return Passed(
            tuple(thresholds[i] for i in range(len(self._levels))),
            self._tops,
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
            "segments": np.array(self._spool.segments(), np.int64),
        }
        for i, (level, top) in enumerate(zip(self._levels, self._tops, strict=True)):
            parts = level.state() | {"top_images": top.images, "top_values": top.values}
            arrays |= {f"{i}.{name}": array for name, array in parts.items()}
        write_npz(self._folder / STATE_FILE, arrays)

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
        if not self._spool.restore(arrays["segments"].tolist()):
            return False
        self.images = int(arrays["images"][0])
        self._truth = arrays["truth"]
        self._concept_images = arrays["concept_images"]
        for i, (level, top) in enumerate(zip(self._levels, self._tops, strict=True)):
            level.restore({name: arrays[f"{i}.{name}"] for name in level.state()})
            top.images, top.values = arrays[f"{i}.top_images"], arrays[f"{i}.top_values"]
        return True

    def _bounds(self) -> list[NDArray[np.float32]]:
        return [level.bounds for level in self._levels]

    def _survivors(
        self,
        layer: LayerPlan,
        level: Thresholds,
        top: TopImages,
        activations: NDArray[np.float32],
        image_name: Callable[[int], str],
    ) -> Records:
        n = activations.shape[0]
        if activations.shape != (n, layer.units, *layer.shape):
            raise RuntimeError(
                f"{layer.name} was announced as {(layer.units, *layer.shape)} per image, "
                f"got {activations.shape}"
            )
        maxima, damaged = survey(activations, self._plan.threads)
        if damaged >= 0:
            image, unit = divmod(damaged, layer.units)
            raise NonFiniteError(
                f"layer {layer.name!r}, unit {unit}, image {image_name(self.images + image)}: "
                "the activation map holds NaN or infinity",
                hint="check the model's weights and that the preprocessing fits it; "
                "half-precision networks overflow on inputs of the wrong scale",
            )
        level.update(activations, maxima)
        top.update(self.images, maxima)
        maps, starts, cells, values = encode(activations, maxima, level.bounds, self._plan.threads)
        return Records(
            shape=layer.shape,
            image_starts=np.searchsorted(maps, np.arange(n + 1) * layer.units).astype(np.int64),
            units=(maps % layer.units).astype(np.int32),
            starts=starts,
            cells=cells,
            values=values,
        )
