"""The kept masks of a run with the labels of another data set, as a pass would have left both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.labels.label_runs import pack
from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Progress
from onnxdissect.core.spool.spool import Chunk, Spool
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.core.state.top_images import TopImages
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.experiments.relabelling.images import RelabelledImages
from onnxdissect.experiments.relabelling.kept_maps import KeptMaps
from onnxdissect.machine import cores
from onnxdissect.results import Dissection
from onnxdissect.results.masks.layout import MASKS, MasksLayout

__all__ = ["labelled_masks", "masks_path"]

_AHEAD = 64


def masks_path(source: Dissection, layer: str) -> Path:
    """Say where a run keeps the maps of a layer.

    Parameters
    ----------
    source : Dissection
    layer : str

    Returns
    -------
    Path
    """
    return source.path / "layers" / source.layer(layer).slug / MASKS


def labelled_masks(
    source: Dissection,
    images: RelabelledImages,
    layouts: Sequence[MasksLayout],
    plan: Plan,
    work: Path,
    progress: Progress,
) -> PassResult:
    """Bring kept maps and labels together, as the pass over the images would have left them.

    Parameters
    ----------
    source : Dissection
        The run that keeps the maps.
    images : RelabelledImages
        Its images with other labels.
    layouts : sequence of MasksLayout
        What the run keeps of each layer.
    plan : Plan
    work : Path
        Where what does not fit in memory goes.
    progress : Progress

    Returns
    -------
    PassResult

    Raises
    ------
    DataError
        If an annotation cannot be read.
    RunFormatError
        If a file of the run is missing or damaged.
    OutputError
        If the disk does not take what does not fit in memory.
    """
    vocabulary = plan.vocabulary
    truth = np.zeros(len(vocabulary.concepts), np.int64)
    concept_images = np.zeros_like(truth)
    spool = Spool(work, plan.spool_bytes)
    # Nothing is dropped: what is kept is what is needed.
    bounds = [np.full(layer.units, -np.inf, np.float32) for layer in plan.layers]
    maps = [
        KeptMaps(masks_path(source, info.name), layout).blocks(plan.block)
        for info, layout in zip(source.layers, layouts, strict=True)
    ]
    progress.start("labels", plan.images)
    annotations = ahead(images.read_annotation, range(len(images)), workers=max(2, cores()), depth=_AHEAD)
    start = 0
    for layers in zip(*maps, strict=True):
        taken = list(islice(annotations, layers[0].image_starts.size - 1))
        packed, truths = pack(taken, plan.grids, vocabulary.category_of, len(vocabulary.categories))
        truth += truths.sum(axis=0)
        concept_images += (truths > 0).sum(axis=0)
        spool.append(Chunk(start, packed, layers), bounds)
        start += len(taken)
        progress.advance(len(taken))
    progress.finish()
    spool.complete()
    return PassResult(
        tuple(source.counts(info.name).thresholds for info in source.layers),
        tuple(_top(source, info.name, info.shape) for info in source.layers),
        tuple(_samples(source, info.name, info.units) for info in source.layers),
        truth,
        concept_images,
        spool,
    )


def _top(source: Dissection, layer: str, shape: tuple[int, int]) -> TopImages:
    counts = source.counts(layer)
    units, count = counts.top_images.shape
    found = TopImages(units, count, shape)
    maps = source.top_maps(layer)
    state: dict[str, NDArray[Any]] = found.state() | {
        "top_images": counts.top_images,
        "top_values": counts.top_values,
    }
    if maps is not None:
        state |= {"top_maps": maps.maps, "top_ranges": np.stack([maps.low, maps.high], axis=-1)}
    found.restore(state)
    return found


def _samples(source: Dissection, layer: str, units: int) -> NDArray[np.float32]:
    found = source.samples(layer)
    return np.zeros((units, 0), np.float32) if found is None else found
