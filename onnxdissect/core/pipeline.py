"""One pass over the images, then the tally of what it kept (paper sections 3.2 and 3.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.count import count
from onnxdissect.core.kernels.sparse import encode
from onnxdissect.core.kernels.survey import survey
from onnxdissect.core.records import Counts, Records, pack
from onnxdissect.core.spool import Chunk, Spool
from onnxdissect.core.thresholds import Thresholds
from onnxdissect.core.top import TopImages
from onnxdissect.core.upsample import Field, sampling
from onnxdissect.data.concepts import Vocabulary
from onnxdissect.data.stream import Batch
from onnxdissect.errors import NonFiniteError

__all__ = ["LayerPlan", "LayerTally", "Passed", "Plan", "Progress", "run_pass", "tally"]


class Progress(Protocol):
    """What a long run tells about itself; the command line draws it, a program may ignore it."""

    def start(self, phase: str, total: int) -> None:
        """Begin a phase over so many images."""

    def advance(self, images: int) -> None:
        """So many more images are done."""

    def finish(self) -> None:
        """End the phase."""


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer, as far as the method is concerned.

    Attributes
    ----------
    name : str
        ONNX value name.
    units : int
        Units of the layer.
    shape : tuple of int
        (h, w) of an activation map.
    field : tuple of (offset, stride) or None
        Receptive-field geometry in input pixels; ``None``: upsample with the `resize` map.
    """

    name: str
    units: int
    shape: tuple[int, int]
    field: Field | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is dissected, and how.

    Attributes
    ----------
    layers : tuple of LayerPlan
    quantiles : tuple of float
        Levels tau.
    images : int
        How many images the pass will bring.
    pixels : tuple of int
        (height, width) of the network's input.
    grids : ndarray of int64, shape (grids, 2)
        Distinct label grids of the images.
    vocabulary : Vocabulary
    top : int
        How many top images are kept per unit.
    threads : int
        Threads of the kernels.
    spool_bytes : int
        Memory for the spool; beyond it goes to disk.
    """

    layers: tuple[LayerPlan, ...]
    quantiles: tuple[float, ...]
    images: int
    pixels: tuple[int, int]
    grids: NDArray[np.int64]
    vocabulary: Vocabulary
    top: int
    threads: int
    spool_bytes: int


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
    seconds : dict of str to float
        Where the time went: waiting for decoded images, inference, kernels and spooling.
    """

    thresholds: tuple[NDArray[np.float32], ...]
    top: tuple[TopImages, ...]
    truth: NDArray[np.int64]
    concept_images: NDArray[np.int64]
    spool: Spool
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class LayerTally:
    """Everything counted for one layer.

    Attributes
    ----------
    thresholds : ndarray of float32, shape (quantiles, units)
    counts : Counts
    top : TopImages
    """

    thresholds: NDArray[np.float32]
    counts: Counts
    top: TopImages


def run_pass(
    plan: Plan,
    batches: Iterable[Batch],
    forward: Callable[[NDArray[np.generic]], Sequence[NDArray[np.float32]]],
    image_name: Callable[[int], str],
    folder: Path,
    progress: Progress,
) -> Passed:
    """Run the network once over all images; keep what can still matter.

    Parameters
    ----------
    plan : Plan
    batches : iterable of Batch
        All images, in order.
    forward : callable
        From a batch's inputs to the activations of the plan's layers, each of shape (n, units, h, w).
    image_name : callable
        Name of an image, for messages.
    folder : Path
        Where the spool may overflow to.
    progress : Progress

    Returns
    -------
    Passed

    Raises
    ------
    NonFiniteError
        If an activation is NaN or infinite, naming layer, unit and image.
    """
    vocabulary = plan.vocabulary
    concepts = len(vocabulary.concepts)
    levels = tuple(
        Thresholds(layer.units, plan.images * layer.shape[0] * layer.shape[1], plan.quantiles, plan.threads)
        for layer in plan.layers
    )
    tops = tuple(TopImages(layer.units, min(plan.top, plan.images)) for layer in plan.layers)
    truth = np.zeros(concepts, np.int64)
    concept_images = np.zeros(concepts, np.int64)
    spool = Spool(folder, plan.spool_bytes)
    seconds = {"decode": 0.0, "inference": 0.0, "spool": 0.0}
    progress.start("pass", plan.images)
    clock = time.perf_counter()

    def lap(phase: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[phase] += now - clock
        clock = now

    for batch in batches:
        lap("decode")
        activations = forward(batch.inputs)
        lap("inference")
        records = tuple(
            _survivors(layer, level, top, batch.start, values, image_name, plan.threads)
            for layer, level, top, values in zip(plan.layers, levels, tops, activations, strict=True)
        )
        truths = np.stack([annotation.truth(concepts) for annotation in batch.annotations])
        truth += truths.sum(axis=0)
        concept_images += (truths > 0).sum(axis=0)
        annotations = pack(
            batch.annotations, truths, plan.grids, vocabulary.category_of, len(vocabulary.categories)
        )
        spool.append(Chunk(batch.start, annotations, records), [level.bounds for level in levels])
        lap("spool")
        progress.advance(len(batch.annotations))
    thresholds = tuple(level.settle(partial(spool.records, i)) for i, level in enumerate(levels))
    lap("spool")
    progress.finish()
    return Passed(thresholds, tops, truth, concept_images, spool, seconds)


def tally(plan: Plan, passed: Passed, progress: Progress) -> tuple[LayerTally, ...]:
    """Count the masks of everything a pass kept against its annotations.

    Parameters
    ----------
    plan : Plan
    passed : Passed
    progress : Progress

    Returns
    -------
    tuple of LayerTally
        One per layer of the plan.
    """
    vocabulary = plan.vocabulary
    mask_bytes = (int(plan.grids.prod(axis=1).max()) + 7) // 8
    samplings = [sampling(layer.shape, plan.grids, plan.pixels, layer.field) for layer in plan.layers]
    counts = [
        Counts.zeros(
            len(plan.quantiles),
            layer.units,
            len(vocabulary.concepts),
            len(vocabulary.categories),
            top.images.shape[1],
            mask_bytes,
        )
        for layer, top in zip(plan.layers, passed.top, strict=True)
    ]
    progress.start("tally", plan.images)
    for chunk in passed.spool:
        annotations = chunk.annotations.unpack()
        for i, records in enumerate(chunk.layers):
            ranks = passed.top[i].ranks(chunk.start + records.image_of(), records.units)
            count(
                records,
                annotations,
                ranks,
                passed.thresholds[i],
                samplings[i],
                vocabulary.category_of,
                counts[i],
                plan.threads,
            )
        progress.advance(len(annotations))
    progress.finish()
    return tuple(map(LayerTally, passed.thresholds, counts, passed.top))


def _survivors(
    layer: LayerPlan,
    level: Thresholds,
    top: TopImages,
    start: int,
    activations: NDArray[np.float32],
    image_name: Callable[[int], str],
    threads: int,
) -> Records:
    n = activations.shape[0]
    if activations.shape != (n, layer.units, *layer.shape):
        raise RuntimeError(
            f"{layer.name} was announced as {(layer.units, *layer.shape)} per image, got {activations.shape}"
        )
    maxima, damaged = survey(activations, threads)
    if damaged >= 0:
        image, unit = divmod(damaged, layer.units)
        raise NonFiniteError(
            f"layer {layer.name!r}, unit {unit}, image {image_name(start + image)}: "
            "the activation map holds NaN or infinity",
            hint="check the model's weights and that the preprocessing fits it; "
            "half-precision networks overflow on inputs of the wrong scale",
        )
    level.update(activations, maxima)
    top.update(start, maxima)
    maps, starts, cells, values = encode(activations, maxima, level.bounds, threads)
    return Records(
        shape=layer.shape,
        image_starts=np.searchsorted(maps, np.arange(n + 1) * layer.units).astype(np.int64),
        units=(maps % layer.units).astype(np.int32),
        starts=starts,
        cells=cells,
        values=values,
    )
