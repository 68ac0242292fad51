"""Drawn activations and annotations, and what the core makes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from naive import method as naive
from numpy.typing import NDArray

from onnxdissect.core.layer_tally import LayerTally
from onnxdissect.core.per_image_counts import Null, PerImageCounts, PerImageCountsPart, TruthCounts
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Silent
from onnxdissect.core.scoring import iou
from onnxdissect.core.spool.spool import Spool
from onnxdissect.core.state.activation_reducer import LocalReducer, ReducerMaker
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassResult, PassState
from onnxdissect.core.upsampling import Field
from onnxdissect.data.annotation import Annotation
from onnxdissect.data.decoding.stream import Batch
from onnxdissect.data.vocabulary import Concept, Vocabulary
from onnxdissect.pipeline.execution.image_pass import run_pass
from onnxdissect.pipeline.tally import tally
from onnxdissect.statistics.per_image_collector import PerImageCollector
from onnxdissect.statistics.permutation_null import PermutationNull


@dataclass
class World:
    """Activations and annotations of a small random data set."""

    activations: NDArray[np.float32]
    annotations: list[Annotation]
    images: list[naive.NaiveImage]
    category_of: list[int]
    categories: int
    quantiles: list[float]
    field: Field | None
    pixels: tuple[int, int]
    top: int

    def plan(self, *, threads: int = 2, spool_bytes: int = 10**6, block: int = 6) -> Plan:
        names = tuple(f"category{g}" for g in range(self.categories))
        concepts = tuple(
            Concept(index=i, number=i + 1, name=f"concept{i}", category=names[g], categories=(names[g],))
            for i, g in enumerate(self.category_of)
        )
        vocabulary = Vocabulary(
            categories=names,
            concepts=concepts,
            category_of=np.array(self.category_of, np.int64),
            lookup=np.arange(len(concepts) + 1, dtype=np.int32),
        )
        n, units, h, w = self.activations.shape
        return Plan(
            layers=(LayerPlan("layer", units, (h, w), self.field),),
            quantiles=tuple(self.quantiles),
            images=n,
            pixels=self.pixels,
            grids=np.array(sorted({a.grid for a in self.annotations}), np.int64),
            vocabulary=vocabulary,
            top=self.top,
            block=block,
            threads=threads,
            spool_bytes=spool_bytes,
        )

    def dissect(
        self, plan: Plan, batch: int, workers: int = 1, reducer: ReducerMaker = LocalReducer
    ) -> tuple[PassResult, LayerTally]:
        batches = [
            Batch(s, self.activations[s : s + plan.block], tuple(self.annotations[s : s + plan.block]))
            for s in range(0, len(self.annotations), plan.block)
        ]

        def forward(inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
            return [np.ascontiguousarray(inputs)]

        with tempfile.TemporaryDirectory() as folder:
            intake = Intake(PassState(plan, Path(folder)), reducer)
            run_pass(
                intake,
                batches,
                forward,
                str,
                Silent(),
                workers=workers,
                batch_size=batch,
                tag={},
                save_every=1e9,
                stopped=lambda: False,
            )
            passed = intake.gathered().settle()
            (counted,) = tally(plan, passed, Silent()).layers
        return passed, counted

    def expected(self) -> naive.NaiveCounts:
        return naive.dissect(
            self.activations,
            self.images,
            [(i + 1, g) for i, g in enumerate(self.category_of)],
            self.categories,
            self.quantiles,
            self.pixels,
            self.field,
            self.top,
        )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    n, units = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    h, w = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    categories = draw(st.integers(1, 3))
    category_of = draw(st.lists(st.integers(0, categories - 1), min_size=1, max_size=5))
    # Few distinct values make ties, many make rounding.
    element = draw(
        st.sampled_from(
            [
                st.integers(-2, 2).map(float),
                st.integers(0, 3).map(float),
                st.floats(-1e3, 1e3, width=32),
                st.floats(allow_nan=False, allow_infinity=False, width=32),
            ]
        )
    )
    activations = draw(hnp.arrays(np.float32, (n, units, h, w), elements=element))
    sizes = draw(
        st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=2, unique=True)
    )
    labels = st.integers(0, len(category_of))
    annotations, images = [], []
    for _ in range(n):
        grid = draw(st.sampled_from(sizes))
        maps = draw(st.lists(hnp.arrays(np.int64, grid, elements=labels), max_size=2))
        image_labels = draw(st.lists(st.integers(1, len(category_of)), max_size=2, unique=True))
        images.append(naive.NaiveImage(grid, maps, image_labels))
        annotations.append(annotate(grid, maps, image_labels))
    anchored = draw(st.booleans())
    offsets, strides = st.floats(-5, 5), st.floats(0.5, 8)
    return World(
        activations=activations,
        annotations=annotations,
        images=images,
        category_of=category_of,
        categories=categories,
        quantiles=draw(
            st.lists(st.sampled_from([0.005, 0.05, 0.2, 0.5, 0.9]), min_size=1, max_size=2, unique=True)
        ),
        field=(draw(st.tuples(offsets, offsets)), draw(st.tuples(strides, strides))) if anchored else None,
        pixels=draw(st.tuples(st.integers(1, 40), st.integers(1, 40))),
        top=draw(st.integers(0, 4)),
    )


def annotate(grid: tuple[int, int], maps: list[NDArray[Any]], image_labels: list[int]) -> Annotation:
    planes: list[NDArray[np.uint16]] = []
    for label_map in maps:
        plane = np.where(np.isin(label_map, image_labels), 0, label_map).astype(np.uint16)
        for previous in planes:
            plane[plane == previous] = 0
        planes.append(plane)
    return Annotation(
        grid=grid,
        planes=np.stack(planes) if planes else np.zeros((0, *grid), np.uint16),
        image_labels=np.array(sorted(number - 1 for number in image_labels), np.int64),
    )


COUNTS = ("intersection", "activation", "activation_overlap", "activation_total")


def witnessed(
    world: World,
    *,
    memory: int = 10**6,
    threads: int = 2,
    order: list[int] | None = None,
    part: int = 10**6,
) -> tuple[PerImageCounts, TruthCounts]:
    plan = world.plan(threads=threads, block=2)
    passed, counted = world.dissect(plan, batch=2)
    if order is not None:
        shuffled = Spool(Path(), 10**9)
        chunks = list(passed.spool)
        for i in sorted(range(len(chunks)), key=lambda i: order[i % len(order)]):
            shuffled.append(chunks[i], [np.full(world.activations.shape[1], -np.inf, np.float32)])
        passed = replace(passed, spool=shuffled)
    with tempfile.TemporaryDirectory() as folder:
        collector = PerImageCollector(Path(folder), plan, masks=True, permutation_null=None, memory=memory)
        (again,) = tally(plan, passed, Silent(), collector).layers
        np.testing.assert_array_equal(again.counts.intersection, counted.counts.intersection)
        counts = again.counts
        scores = iou(counts.intersection, counts.activation, passed.truth, plan.vocabulary.category_of)
        parts = list(collector.per_image(0, scores, part))
        return joined(parts, collector.starts(0), len(plan.quantiles)), collector.truth()


def shuffled(
    world: World,
    count: int,
    seed: int,
    *,
    threads: int = 2,
    backwards: bool = False,
    groups: list[int] | None = None,
    min_images: int = 1,
) -> tuple[Null, PermutationNull]:
    plan = replace(world.plan(threads=threads, block=2), min_images=min_images)
    if groups is not None:
        plan = replace(plan, groups=np.array(groups))
    passed, _ = world.dissect(plan, batch=2)
    if backwards:
        spool = Spool(Path(), 10**9)
        for chunk in reversed(list(passed.spool)):
            spool.append(chunk, [np.full(world.activations.shape[1], -np.inf, np.float32)])
        passed = replace(passed, spool=spool)
    permutation_null = PermutationNull(plan, count, seed)
    with tempfile.TemporaryDirectory() as folder:
        tally(
            plan,
            passed,
            Silent(),
            PerImageCollector(Path(folder), plan, masks=False, permutation_null=permutation_null),
        )
    (null,) = permutation_null.scores(passed, Silent())
    return null, permutation_null


def joined(parts: Sequence[PerImageCountsPart], starts: NDArray[np.int64], quantiles: int) -> PerImageCounts:
    """The whole of which these are the parts, which must lie one after the other."""
    at = 0
    chosen: list[list[NDArray[np.int64]]] = [[] for _ in range(quantiles)]
    for part in parts:
        assert len(part.per_image.top_concepts) == 1
        assert part.units.start == sum(map(len, chosen[part.quantile]))
        chosen[part.quantile].append(part.per_image.top_concepts[0])
        rows = slice(at, at + part.units.stop - part.units.start + 1)
        np.testing.assert_array_equal(part.per_image.starts, starts[rows] - starts[at])
        at = rows.stop - 1
    assert at == starts.size - 1
    return PerImageCounts(
        np.stack([np.concatenate(units) for units in chosen]),
        starts,
        *(
            np.concatenate([getattr(part.per_image, name) for part in parts])
            for name in ("image", "activation", "intersection", "overlap")
        ),
    )
