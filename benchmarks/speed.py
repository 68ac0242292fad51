"""A dissection against the bare loop, side by side in one process.

    python benchmarks/speed.py MODEL DATA [--limit N] [--rounds N] [--layer SEL]... [preprocessing options]

The bare loop decodes the images, preprocesses them, runs the graph cut off after the asked-for layers, and
drops the result; the better of its serial and its overlapped form counts. Start-up is reported apart.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import worlds

import onnxdissect
from onnxdissect.data import open_dataset
from onnxdissect.model import Preparer, choose_preprocessing, load_network, open_session

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", type=Path)
parser.add_argument("data", type=Path)
parser.add_argument("--limit", type=int)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--layer", action="append")
parser.add_argument("--mean", type=float, nargs="+")
parser.add_argument("--std", type=float, nargs="+")
parser.add_argument("--scale", type=float)
parser.add_argument("--preset")


def main() -> None:
    given = parser.parse_args()
    preprocessing = {name: getattr(given, name) for name in ("mean", "std", "scale", "preset")}
    dataset = open_dataset(given.data).subset(limit=given.limit)
    network = load_network(given.model, image_size=dataset.image_size)
    layers = network.select(given.layer or ["stages"])
    session = open_session(network, layers, provider="cpu")
    preparer = Preparer(choose_preprocessing(network, **preprocessing), network.input, network.size)
    for layer in layers:
        print(f"{layer.name}: {layer.units} units of {layer.grid[0]}x{layer.grid[1]}")
    serial, overlapped, whole, phases = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(given.rounds + 1):
            times = []
            for threads in (0, 2):
                began = time.perf_counter()
                worlds.bare_loop(dataset, preparer, session, given.batch, threads)
                times.append(time.perf_counter() - began)
            run = onnxdissect.dissect(
                given.model,
                given.data,
                given.layer or ["stages"],
                limit=given.limit,
                batch_size=given.batch,
                provider="cpu",
                out=Path(folder) / "run",
                fresh=True,
                **preprocessing,
            )
            timing = run.manifest["timing"]
            if turn:  # the first round compiles and warms up
                serial.append(times[0])
                overlapped.append(times[1])
                whole.append(timing["pass"] + timing["thresholds"] + timing["tally"])
                phases.append(timing)
    bare = [min(pair) for pair in zip(serial, overlapped, strict=True)]
    ratios = [a / b for a, b in zip(whole, bare, strict=True)]
    print(f"{len(dataset)} images; medians of {given.rounds} rounds, in seconds")
    print(f"bare loop, serial      {statistics.median(serial):8.2f}")
    print(f"bare loop, overlapped  {statistics.median(overlapped):8.2f}")
    print(f"dissection             {statistics.median(whole):8.2f}")
    for name in ("start", "pass", "pass_decode", "pass_inference", "pass_spool", "thresholds", "tally"):
        print(f"  {name:<20} {statistics.median(timing[name] for timing in phases):8.2f}")
    print(
        f"dissection / bare loop {statistics.median(ratios):8.3f}  ({min(ratios):.3f} .. {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
