"""Kernels made ready while a run is still opening its files.

Compiled kernels are kept from run to run. The first run on a machine has to compile them, which takes one
core longer than a short run takes: so this begins at once and goes on beside the pass, in the order in which
kernels will be needed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np

from onnxdissect.compiling.files import compiled_here, not_kept
from onnxdissect.core.kernels.compiler import compiler_facts
from onnxdissect.core.kernels.labels.label_sample import sample_labels
from onnxdissect.core.kernels.labels.label_sets import unpack
from onnxdissect.core.kernels.labels.truth import image_truth
from onnxdissect.core.kernels.masks.mask_cells import mask_cells
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Silent
from onnxdissect.core.scoring import iou
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassResult, PassState
from onnxdissect.core.upsampling import interpolation_table
from onnxdissect.data.annotation import annotate
from onnxdissect.data.decoding.label_png import warm_label_kernels
from onnxdissect.data.vocabulary import Concept, Vocabulary
from onnxdissect.interrupts import uninterrupted
from onnxdissect.pipeline.options import StatisticsOptions
from onnxdissect.pipeline.tally import tally
from onnxdissect.statistics.bootstrap import certainty
from onnxdissect.statistics.per_image_collector import PerImageCollector
from onnxdissect.statistics.permutation_null import PermutationNull
from onnxdissect.statistics.resamples import Resamples

__all__ = ["kernels_warming"]

_IMAGES = 2


@contextmanager
def kernels_warming(
    notify: Callable[[str], None], statistics: StatisticsOptions, *, keep_masks: bool
) -> Iterator[None]:
    """Load the compiled kernels in a thread, and compile them if need be, while the body runs.

    Whoever calls a kernel in the meantime waits for that kernel only. When the body ends, so does the thread,
    once it is through with the kernel at hand.

    Parameters
    ----------
    notify : callable
        Told when kernels have to be compiled.
    statistics : StatisticsOptions
        Of the run: what it does not ask for is not compiled.
    keep_masks : bool
        Whether the run keeps the masks of all images.
    """
    stop = Event()
    thread = Thread(target=_warm, args=(notify, stop, statistics, keep_masks), name="onnxdissect-kernels")
    try:
        # Interrupted half way, it would go on while Python ends.
        with uninterrupted():
            thread.start()
        yield
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join()


def _warm(
    notify: Callable[[str], None], stop: Event, statistics: StatisticsOptions, keep_masks: bool
) -> None:
    """Dissect two images of nothing, step by step."""
    began, before, slow = time.perf_counter(), compiled_here(), False
    compiler_facts()
    steps = _warmups(statistics, keep_masks)
    more = True
    while more:
        # Some may have been kept, and others not.
        if not slow and compiled_here() > before:
            slow = True
            notify("compiling kernels beside the work, once on this machine: about ten seconds of one core")
        try:
            more = not stop.is_set() and next(steps, False)
        except Exception:
            # No memory, no room for a temporary file, a kernel that fails: the run meets the same when it
            # comes to that kernel, and is the one to tell of it. A thread could only print its traceback.
            return
    if slow and not stop.is_set():
        seconds = f"kernels compiled in {time.perf_counter() - began:.0f} s"
        problem = not_kept()
        if problem:
            notify(f"{seconds}, but not kept, so the next run compiles them again: {problem}")
        else:
            notify(f"{seconds}, and kept for the next run")


def _warmups(statistics: StatisticsOptions, keep_masks: bool) -> Iterator[bool]:
    warm_label_kernels()
    yield True
    plan = _plan()
    annotations = [annotate((4, 4), [np.eye(4, dtype=np.int64)], [1])] * _IMAGES
    activations = np.arange(_IMAGES * 18, dtype=np.float32).reshape(_IMAGES, 2, 3, 3)
    with tempfile.TemporaryDirectory(prefix="onnxdissect-") as name:
        folder = Path(name)
        intake = Intake(PassState(plan, folder))
        for image in range(_IMAGES):
            intake.take(image, [[activations[image : image + 1]]], annotations[image : image + 1], str)
            yield True
        passed = intake.gathered().settle()
        yield True
        for chunk in passed.spool:
            unpacked = unpack(chunk.annotations, plan.grids)
            yield True
            if statistics.bootstrap:
                image_truth(unpacked, 2)
            if statistics.null:
                sample_labels(unpacked, plan.grids, np.arange(len(unpacked)))
            yield True
        null = PermutationNull(plan, 2, 0) if statistics.null else None
        collector = PerImageCollector(folder, plan, masks=statistics.bootstrap > 0, permutation_null=null)
        (counted,) = tally(plan, passed, Silent(), collector).layers
        yield True
        if null is not None:
            null.scores(passed, Silent())
            yield True
        if keep_masks:
            _mask_cells(plan, passed)
            yield True
        if not statistics.bootstrap:
            return
        category_of = plan.vocabulary.category_of
        scores = iou(counted.counts.intersection, counted.counts.activation, passed.truth, category_of)
        per_image = list(collector.per_image(0, scores))
        # Results bring a vocabulary of their own, read from the tables of a run.
        resamples = Resamples(collector.truth(), category_of.copy(), 2, 0)
        certainty(resamples, per_image, np.zeros((1, 2), np.int64), scoring="paper", iou_threshold=0.04)


def _mask_cells(plan: Plan, passed: PassResult) -> None:
    (layer,) = plan.layers
    for chunk in passed.spool:
        table = interpolation_table(layer.shape, plan.grids, plan.pixels, layer.field)
        grids_of = chunk.annotations.grid_of[:, None].repeat(2, axis=1)
        mask_cells(chunk.layers[0], grids_of, passed.thresholds[0].min(axis=0), table)


def _plan() -> Plan:
    concepts = tuple(
        Concept(index=i, number=i + 1, name="", category="none", categories=("none",)) for i in range(2)
    )
    category_of = np.zeros(2, np.int64)
    # As those of real vocabularies are: kernels are compiled apart for arrays that can be written to.
    category_of.setflags(write=False)
    return Plan(
        layers=(LayerPlan("none", 2, (3, 3), None),),
        quantiles=(0.2,),
        images=_IMAGES,
        pixels=(6, 6),
        grids=np.array([[4, 4]], np.int64),
        vocabulary=Vocabulary(
            categories=("none",),
            concepts=concepts,
            category_of=category_of,
            lookup=np.arange(3, dtype=np.int32),
        ),
        top=1,
        block=1,
        threads=1,
        spool_bytes=2**20,
    )
