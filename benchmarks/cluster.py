"""What the scheduler costs: a run on a local Dask cluster against the same run by the threads of one process.

    python benchmarks/cluster.py MODEL DATA [--limit N] [--workers N ...] [--rounds N]

Both use as many threads as there are workers, one after the other in each round; starting the cluster and its
first small run, which loads libraries and kernels, are reported apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster

import onnxdissect
from onnxdissect.results import Dissection


def timed(out: Path, asked: dict[str, Any], **options: Any) -> tuple[float, Dissection]:
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    found = onnxdissect.dissect(out=out, **asked, **options)
    return time.perf_counter() - began, found


def tables(run: Path) -> dict[str, bytes]:
    """Everything a run has written but for its manifest, which has seconds in it."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name != "manifest.json"]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


def phases(run: Path) -> str:
    timing = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["timing"]
    named = ("start", "pass", "thresholds", "tally", "null")
    return ", ".join(f"{name} {timing[name]:.1f}" for name in named if name in timing)


def measure(workers: int, rounds: int, asked: dict[str, Any], folder: Path) -> None:
    began = time.perf_counter()
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        up = time.perf_counter() - began
        first, _ = timed(folder / "first", asked | {"limit": 16}, client=client)
        here, there, same = [], [], True
        for _ in range(rounds):
            seconds, plain = timed(folder / "here", asked, workers=workers)
            here.append(seconds)
            seconds, spread = timed(folder / "there", asked, client=client)
            there.append(seconds)
            same &= tables(plain.path) == tables(spread.path)
    ratios = [b / a for a, b in zip(here, there, strict=True)]
    print(
        f"{workers:>7} {up:>8.1f} {first:>8.1f} {statistics.median(here):>12.2f} "
        f"{statistics.median(there):>12.2f} {statistics.median(ratios):>7.3f}   {'yes' if same else 'NO'}"
    )
    print(f"        last round, one process: {phases(folder / 'here')}")
    print(f"        last round, cluster:     {phases(folder / 'there')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data")
    parser.add_argument("--layer", action="append")
    parser.add_argument("--preset")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asked = {
        "model": given.model,
        "data": given.data,
        "layers": given.layer or ["last"],
        "preset": given.preset,
        "limit": given.limit,
    }
    print("workers  start, s first, s  one process, s   cluster, s   ratio   same bytes")
    with tempfile.TemporaryDirectory() as folder:
        for workers in given.workers:
            measure(workers, given.rounds, asked, Path(folder))


if __name__ == "__main__":
    main()
