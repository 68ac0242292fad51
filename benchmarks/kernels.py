"""Thresholds and tally against the old tools' algorithm, on the same activations, side by side.

    python benchmarks/kernels.py MODEL DATA [--limit N] [--rounds N] [--layer SEL] [preprocessing options]

Both get the activations in memory and the annotations decoded. The old algorithm is a percentile over all
activations, then an upsampled mask and its labels per image and unit, in NumPy and OpenCV.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import worlds
from options import common, preprocessing

from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Silent
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.data import open_dataset
from onnxdissect.data.decoding.stream import Batch
from onnxdissect.model import Preparer, choose_preprocessing, load_network, open_session
from onnxdissect.pipeline.execution.image_pass import run_pass
from onnxdissect.pipeline.tally import tally

TAU = 0.005

parser = common(__doc__)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--threads", type=int, default=2)


def main() -> None:
    given = parser.parse_args()
    dataset = open_dataset(given.data).subset(limit=given.limit)
    network = load_network(given.model, image_size=dataset.image_size)
    (layer,) = network.select(given.layer or ["last"])
    session = open_session(network, [layer], provider="cpu")
    preparer = Preparer(choose_preprocessing(network, **preprocessing(given)), network.input, network.size)
    activations = np.concatenate(
        [session(inputs)[0] for inputs in worlds.prepared(dataset, preparer, given.batch, 2)]
    )
    annotations = [dataset.read_annotation(i) for i in range(len(dataset))]
    # The old tools resize; so must we, for the counts to be comparable.
    plan = Plan(
        layers=(LayerPlan(layer.name, layer.units, layer.grid, None),),
        quantiles=(TAU,),
        images=len(dataset),
        pixels=network.size,
        grids=np.array(sorted({a.grid for a in annotations}), np.int64),
        vocabulary=dataset.vocabulary,
        top=15,
        block=given.batch,
        threads=given.threads,
        spool_bytes=256 * 2**20,
    )
    batches = [
        Batch(
            start, activations[start : start + given.batch], tuple(annotations[start : start + given.batch])
        )
        for start in range(0, len(dataset), given.batch)
    ]
    old: list[tuple[float, float]] = []
    new: list[tuple[float, float]] = []
    for turn in range(given.rounds + 1):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            intake = Intake(PassState(plan, Path(folder)))
            run_pass(
                intake,
                batches,
                lambda inputs: [np.ascontiguousarray(inputs)],
                dataset.image_name,
                Silent(),
                workers=given.threads,
                batch_size=given.batch,
                tag={},
                save_every=1e9,
                stopped=lambda: False,
            )
            passed = intake.gathered().settle()
            settled = time.perf_counter()
            (counted,) = tally(plan, passed, Silent()).layers
        ours = (settled - began, time.perf_counter() - settled)
        if turn == 0:  # compiles and warms up
            continue
        new.append(ours)
        began = time.perf_counter()
        thresholds = worlds.lite_quantile(activations, TAU)
        settled = time.perf_counter()
        intersection, _, _ = worlds.lite_tally(
            activations, thresholds, annotations, dataset.vocabulary.category_of
        )
        old.append((settled - began, time.perf_counter() - settled))
    differing = np.abs(intersection - counted.counts.intersection[0]).sum() / max(1, intersection.sum())
    print(f"{layer.name}: {layer.units} units of {layer.grid[0]}x{layer.grid[1]}, {len(dataset)} images")
    print("medians in seconds          thresholds     tally     total")
    for name, times in (("old tools' algorithm", old), ("onnxdissect", new)):
        first, second = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:<24} {first:12.3f} {second:9.3f} {first + second:9.3f}")
    ratios = [sum(a) / sum(b) for a, b in zip(old, new, strict=True)]
    print(
        f"old / new                {statistics.median(ratios):.1f}  ({min(ratios):.1f} .. {max(ratios):.1f})"
    )
    print(f"intersections differ by  {differing:.2e} of their sum (the old percentile interpolates)")


if __name__ == "__main__":
    main()
