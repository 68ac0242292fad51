"""Loading a run and building its report as its data set is repeated, each in a process of its own.

python benchmarks/reading.py MODEL DATA --images N [N ...] [--layer SEL]... [preprocessing options]

Wall time and processor time, in seconds, without what importing the package takes. The report is built with
the run's photographs, which are as many as its units have top images.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import worlds
from options import common, preprocessing

import onnxdissect

parser = common(__doc__)
parser.add_argument("--images", type=int, nargs="+", required=True)
parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)


def child(run: Path) -> None:
    """Read one run, and say what it took."""
    from onnxdissect import report
    from onnxdissect.results import load

    loaded: list[onnxdissect.Dissection] = []
    took = [*timed(lambda: loaded.append(load(run))), *timed(lambda: report.build(loaded[0]))]
    photos = sum(1 for _ in (run / "report" / "photos").glob("*"))
    print(json.dumps({"took": took, "photos": photos}))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time; that of processes which the work has waited for counts too."""
    began, busy = time.perf_counter(), processor_time()
    work()
    return time.perf_counter() - began, processor_time() - busy


def processor_time() -> float:
    """Of this process and of those it has waited for, on any system."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> None:
    given = parser.parse_args()
    if given.child:
        child(given.child)
        return
    print("   images   photos    load s   of CPU  report s   of CPU")
    with tempfile.TemporaryDirectory() as folder:
        for images in given.images:
            place = Path(folder) / str(images)
            data = worlds.repeat(given.data, place / "data", images)
            onnxdissect.dissect(
                given.model,
                data,
                given.layer or ["stages"],
                provider="cpu",
                out=place / "run",
                **preprocessing(given),
            )
            command = [sys.executable, __file__, *sys.argv[1:], "--child", str(place / "run")]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            shown = "".join(f"{seconds:10.2f}{busy:9.2f}" for seconds, busy in pairs(found["took"]))
            print(f"{images:9d}{found['photos']:9d}{shown}", flush=True)


def pairs(numbers: list[float]) -> list[tuple[float, float]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


if __name__ == "__main__":
    main()
