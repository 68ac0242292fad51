"""A dissection against the bare loop, side by side in one process.

    python benchmarks/speed.py MODEL DATA [--limit N] [--rounds N] [--layer SEL]... [preprocessing options]

The bare loop decodes the images, preprocesses them, runs the graph cut off after the asked-for layers, and
drops the result. It is tried serial and overlapped with decoding, image by image and in batches, with
onnxruntime's own choice of threads; the best of these counts. What `run` does with the results dropped, a
lane for each core, is shown apart: it is often faster than the best bare loop. Start-up is not counted.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import worlds
from options import common, preprocessing

import onnxdissect
from onnxdissect.data import open_dataset
from onnxdissect.model import Preparer, choose_preprocessing, load_network, open_session

BATCHES = (1, 8, 32)
LANES = 2

parser = common(__doc__)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batch-size", default="auto", help="of the dissection")


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def processor_seconds(work: Callable[[], object]) -> float:
    """What all threads of this process compute, whatever else the machine does meanwhile."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    given = parser.parse_args()
    dataset = open_dataset(given.data).subset(limit=given.limit)
    network = load_network(given.model, image_size=dataset.image_size)
    layers = network.select(given.layer or ["stages"])
    bare = open_session(network, layers, provider="cpu")
    lane = open_session(network, layers, provider="cpu", threads=1, spin=False)
    preparer = Preparer(choose_preprocessing(network, **preprocessing(given)), network.input, network.size)
    for layer in layers:
        print(f"{layer.name}: {layer.units} units of {layer.grid[0]}x{layer.grid[1]}")
    forms = {
        f"{'overlapped' if threads else 'serial'}, batches of {batch}": partial(
            worlds.bare_loop, dataset, preparer, bare, batch, threads
        )
        for batch in BATCHES
        if batch <= len(dataset)
        for threads in (0, LANES)
    }
    # Once to warm up and to see which form is best; only that one is measured from then on.
    tried = {name: min(seconds(loop), seconds(loop)) for name, loop in forms.items()}
    best = min(tried, key=tried.__getitem__)
    batch_size = given.batch_size if given.batch_size == "auto" else int(given.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        dissect = partial(
            onnxdissect.dissect,
            given.model,
            given.data,
            given.layer or ["stages"],
            limit=given.limit,
            batch_size=batch_size,
            provider="cpu",
            out=Path(folder) / "run",
            fresh=True,
            **preprocessing(given),
        )
        size = dissect().manifest["batch_size"]
        bare_lanes = partial(worlds.bare_lanes, dataset, preparer, lane, size, LANES)
        loops, lanes, timings, lanes_cpu, ours_cpu = [], [], [], [], []
        for _ in range(given.rounds):
            loops.append(seconds(forms[best]))
            timings.append(dissect().manifest["timing"])
            lanes.append(seconds(bare_lanes))
            lanes_cpu.append(processor_seconds(bare_lanes))
            ours_cpu.append(processor_seconds(dissect))
    phases = ("pass", "thresholds", "tally", "null")
    whole = [sum(timing[name] for name in phases) for timing in timings]
    ratios = [a / b for a, b in zip(whole, loops, strict=True)]
    print(f"{len(dataset)} images; medians of {given.rounds} rounds, in seconds")
    for name, took in tried.items():
        print(f"  tried {name:<28} {took:8.2f}")
    print(f"bare loop ({best}) {statistics.median(loops):8.2f}")
    print(f"bare lanes ({LANES} x batches of {size}) {statistics.median(lanes):8.2f}")
    print(f"dissection             {statistics.median(whole):8.2f}")
    for name in ("pass", "pass_decode", "pass_inference", "pass_spool", *phases[1:], "start"):
        print(f"  {name:<20} {statistics.median(timing[name] for timing in timings):8.2f}")
    print(
        f"dissection / bare loop {statistics.median(ratios):8.3f}  ({min(ratios):.3f} .. {max(ratios):.3f})"
    )
    # What else the machine does only ever adds time: the shortest of each is the steadiest comparison.
    print(f"shortest / shortest    {min(whole) / min(loops):8.3f}")
    print(f"processor seconds, start and results included / bare lanes {min(ours_cpu) / min(lanes_cpu):.3f}")


if __name__ == "__main__":
    main()
