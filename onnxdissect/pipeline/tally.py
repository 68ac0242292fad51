"""Count the masks of everything a pass kept against its annotations (paper section 3.3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

from onnxdissect.core.kernels.labels.label_sets import unpack
from onnxdissect.core.kernels.masks.count import count
from onnxdissect.core.layer_tally import LayerTally, Tally
from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Progress
from onnxdissect.core.sparse_maps import Annotations, Counts
from onnxdissect.core.spool.pages import PagePool
from onnxdissect.core.spool.spool import Chunk
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.core.upsampling import interpolation_table
from onnxdissect.statistics.per_image_collector import PerImageCollector
from onnxdissect.storage.scratch import ScratchFile

__all__ = ["tally"]

# Of many bases of wide layers the masks of all top images do not fit in a gibibyte beside the rest.
_HELD_MASKS = 64 * 2**20


def tally(
    plan: Plan,
    passed: PassResult,
    progress: Progress,
    collector: PerImageCollector | None = None,
    scratch: ScratchFile | None = None,
) -> Tally:
    """Count the masks of everything a pass kept against its annotations.

    With a part of the spool in its place, what is counted is that of a part of the images: tallies of parts
    merge into that of the whole, and so do the collectors that were told.

    Parameters
    ----------
    plan : Plan
    passed : PassResult
        Its spool may be any iterable of chunks.
    progress : Progress
    collector : PerImageCollector, optional
        Told what is counted image by image.
    scratch : ScratchFile, optional
        Has the masks of top images where they are too many to be held; without it all are held.

    Returns
    -------
    Tally
    """
    vocabulary = plan.vocabulary
    mask_bytes = (int(plan.grids.prod(axis=1).max()) + 7) // 8
    samplings = [
        interpolation_table(layer.shape, plan.grids, plan.pixels, layer.field) for layer in plan.layers
    ]
    if scratch is not None and _top_mask_bytes(plan, passed, mask_bytes) <= _HELD_MASKS:
        scratch = None
    counts = [
        Counts.zeros(
            len(plan.quantiles),
            layer.units,
            len(vocabulary.concepts),
            len(vocabulary.categories),
            top.images.shape[1],
            mask_bytes,
            scratch,
        )
        for layer, top in zip(plan.layers, passed.top, strict=True)
    ]

    locks = [Lock() for _ in plan.layers]

    def add(chunk: Chunk, annotations: Annotations, share: tuple[int, slice]) -> None:
        layer, units = share
        masks = count(
            chunk.layers[layer],
            annotations,
            chunk.start,
            passed.top[layer].images,
            passed.thresholds[layer],
            samplings[layer],
            vocabulary.category_of,
            counts[layer],
            units,
            keep=collector is not None and collector.masks,
        )
        if collector is not None and masks is not None:
            with locks[layer]:
                collector.keep(layer, chunk.start, masks)

    images = []
    pages = PagePool()
    progress.start("tally", plan.images)
    with ThreadPoolExecutor(plan.threads) as pool:
        for chunk in passed.spool:
            annotations = unpack(chunk.annotations, plan.grids, pages)
            work = partial(add, chunk, annotations)
            counted = pool.map(work, plan.shares())
            if collector is not None:
                collector.see(chunk.start, annotations)
            list(counted)
            if scratch is not None:
                scratch.release()
            images.append((chunk.start, chunk.start + len(chunk)))
            progress.advance(len(annotations))
    progress.finish()
    told: dict[str, object] = {
        f"thresholds of layer {i}": thresholds for i, thresholds in enumerate(passed.thresholds)
    }
    told |= {f"top images of layer {i}": top.images for i, top in enumerate(passed.top)}
    return Tally(
        ImageRanges.of(*images),
        tuple(map(LayerTally, passed.thresholds, counts, passed.top)),
        plan.fingerprint().plus(told),
    )


def _top_mask_bytes(plan: Plan, passed: PassResult, mask_bytes: int) -> int:
    masks = [layer.units * top.images.shape[1] for layer, top in zip(plan.layers, passed.top, strict=True)]
    found: int = len(plan.quantiles) * sum(masks) * mask_bytes
    return found
