"""The maps that make the masks, kept in the run directory: the room they need, and how they get there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.labels.label_sample import SIDE
from onnxdissect.core.kernels.masks.mask_cells import mask_cells
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Progress
from onnxdissect.core.quantiles import tail_size
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.spool.spool import Spool
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.core.upsampling import InterpolationTable, interpolation_table
from onnxdissect.errors import OutputError, RunMismatchError
from onnxdissect.pipeline.prepare import Prepared
from onnxdissect.results import Dissection
from onnxdissect.results.masks.archive import MasksWriter
from onnxdissect.results.masks.layout import MASKS, MASKS_VERSION, MasksLayout, cell_bytes, chunk_bytes
from onnxdissect.storage.disk import size_text
from onnxdissect.storage.files import make_folder

__all__ = ["SizeBounds", "check_space", "expect_kept_masks", "keep_masks", "masks_size", "size_text"]

# A cell above a threshold, and the eight that a pixel beside it may lie between.
_MOST_PER_CELL = 9


@dataclass(frozen=True, slots=True)
class SizeBounds:
    """How many bytes the kept maps of a run may take.

    Attributes
    ----------
    least : int
        Those of the cells above the thresholds alone, where all activations differ, before compression.
    most : int
        Never exceeded.
    """

    least: int
    most: int


def masks_size(plan: Plan) -> SizeBounds:
    """Bound what the kept maps of a run take, before anything is known but how many activations there are.

    At most m = floor(tau * n) activations of a unit exceed its threshold at the largest tau. What is kept are
    these cells and some of the eight around each, at most 9 m cells of n.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    SizeBounds
    """
    sizes = [_layer_size(layer, plan) for layer in plan.layers]
    return SizeBounds(sum(size.least for size in sizes), sum(size.most for size in sizes))


def _layer_size(layer: LayerPlan, plan: Plan) -> SizeBounds:
    positions = plan.images * layer.shape[0] * layer.shape[1]
    above = tail_size(max(plan.quantiles), positions)
    size = layer.units * cell_bytes(layer.shape)
    overhead = chunk_bytes(plan.images, layer.units, layer.shape, max(plan.quantiles))
    # What does not compress at all grows by five bytes in 16 thousand.
    most = min(positions, _MOST_PER_CELL * above) * size * 1001 // 1000 + overhead
    return SizeBounds(above * size, most)


def check_space(size: SizeBounds, free: int, folder: Path, notify: Callable[[str], None]) -> None:
    """Say how much the kept maps take, and refuse what cannot fit.

    Parameters
    ----------
    size : SizeBounds
    free : int
        Bytes that are free where the run directory is.
    folder : Path
        The run directory.
    notify : callable
        Told the bound, and if that is more than what is free.

    Raises
    ------
    OutputError
        If even the cells above the thresholds alone need more than is free.
    """
    wanted, there = size_text(size.most), size_text(free)
    if size.least > free:
        raise OutputError(
            f"the kept masks would take {size_text(size.least)} to {wanted}, and {there} are free in "
            f"{folder}",
            hint="fewer layers (--layer), a smaller --quantile, another disk (--out), or no --keep-masks",
        )
    notify(f"masks: at most {wanted} will be kept, usually a sixth of it; {there} are free")
    if size.most > free:
        notify(
            f"warning: kept masks may not fit: they take at most {wanted}, and {there} are free in {folder}; "
            "if they do not, the same command goes on once there is room"
        )


def keep_masks(prepared: Prepared, passed: PassResult, progress: Progress) -> dict[str, Any]:
    """Write ``masks.npz`` of every layer, from what the spool holds of all images.

    Parameters
    ----------
    prepared : Prepared
    passed : PassResult
    progress : Progress

    Returns
    -------
    dict
        What the manifest says about it: ``version``, ``points`` and ``bytes``.

    Raises
    ------
    OutputError
        If the disk does not take it.
    """
    plan, request = prepared.plan, prepared.request
    folders = [make_folder(request.target / "layers" / layer.slug) for layer in request.layers]
    layouts = [
        MasksLayout.of(
            plan.images, layer.shape, plan.pixels, layer.field, bounds.min(axis=0), max(plan.quantiles)
        )
        for layer, bounds in zip(plan.layers, passed.thresholds, strict=True)
    ]
    try:
        write_masks(passed.spool, folders, layouts, plan.grids, plan.threads, progress)
    except OutputError as error:
        helps = error.hint or "make room and type the same command again"
        raise OutputError(error.message, hint=f"{helps}; or leave --keep-masks out") from error
    return {
        "version": MASKS_VERSION,
        "points": SIDE,
        "bytes": sum((folder / MASKS).stat().st_size for folder in folders),
    }


def write_masks(
    spool: Spool | SpoolParts,
    folders: Sequence[Path],
    layouts: Sequence[MasksLayout],
    grids: NDArray[np.int64],
    threads: int,
    progress: Progress,
) -> None:
    """Write the kept maps of a spool, chunk by chunk in the order of the images.

    Parameters
    ----------
    spool : Spool or SpoolParts
        Of all images. Not changed.
    folders : sequence of Path
        Each layer's folder.
    layouts : sequence of MasksLayout
        What is written of each layer.
    grids : ndarray of int64, shape (grids, 2)
        Distinct label grids of the images, as the spool's annotations number them.
    threads : int
        How many layers are worked on at a time.
    progress : Progress

    Raises
    ------
    OutputError
        If the disk does not take it.
    """
    # Shuffles of labels look at every mask on points of their own.
    grids = np.concatenate([grids, [[SIDE, SIDE]]])
    tables = [interpolation_table(layout.shape, grids, layout.pixels, layout.field) for layout in layouts]
    with ThreadPoolExecutor(threads) as pool, ExitStack() as stack:
        writers = [
            stack.enter_context(MasksWriter.opened(folder, layout))
            for folder, layout in zip(folders, layouts, strict=True)
        ]
        progress.start("masks", layouts[0].images)
        for chunk in spool.in_order():
            keep = partial(_keep_chunk, chunk.annotations.grid_of)
            # Layers are written to files of their own, so a thread for each needs no lock.
            list(pool.map(keep, writers, layouts, tables, chunk.layers))
            progress.advance(len(chunk))
        progress.finish()


def _keep_chunk(
    grid_of: NDArray[np.int64],
    writer: MasksWriter,
    layout: MasksLayout,
    table: InterpolationTable,
    maps: SparseMaps,
) -> None:
    points = np.full_like(grid_of, len(table.grids) - 1)
    writer.add(mask_cells(maps, np.stack([grid_of, points], axis=1), layout.lowest, table))


def expect_kept_masks(dissection: Dissection) -> None:
    """Refuse a finished run that keeps no masks, where they are asked for.

    Parameters
    ----------
    dissection : Dissection

    Raises
    ------
    RunMismatchError
        If it keeps none, or they have been removed since.
    """
    files = [dissection.path / "layers" / layer.slug / MASKS for layer in dissection.layers]
    if "kept_masks" not in dissection.manifest or not all(file.is_file() for file in files):
        raise RunMismatchError(
            f"{dissection.path} already holds this run, complete, but without its masks",
            hint="--fresh to run it again and keep them, or --out to write elsewhere",
        )
