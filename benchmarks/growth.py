"""Time and memory of a dissection as its data set is repeated, each run in its own process.

python benchmarks/growth.py MODEL DATA --images N [N ...] [--layer SEL]... [preprocessing options]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import worlds
from options import common, preprocessing

parser = common(__doc__)
parser.add_argument("--images", type=int, nargs="+", required=True)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--child", choices=["bare", "run"], help=argparse.SUPPRESS)


def child(given: argparse.Namespace) -> None:
    """One measurement: seconds of the loop, and the peak resident set of this process."""
    import time

    import onnxdissect
    from onnxdissect.data import open_data
    from onnxdissect.model import Preparer, choose_preprocessing, load_network, open_session

    selectors = given.layer or ["stages"]
    if given.child == "bare":
        dataset = open_data(given.data)
        network = load_network(given.model, image_size=dataset.image_size)
        session = open_session(network, network.select(selectors), provider="cpu")
        preparer = Preparer(
            choose_preprocessing(network, **preprocessing(given)), network.input, network.size
        )
        began = time.perf_counter()
        worlds.bare_loop(dataset, preparer, session, given.batch, 2)
        seconds = time.perf_counter() - began
    else:
        with tempfile.TemporaryDirectory() as folder:
            run = onnxdissect.dissect(
                given.model,
                given.data,
                selectors,
                provider="cpu",
                out=Path(folder) / "run",
                **preprocessing(given),
            )
        timing = run.manifest["timing"]
        seconds = sum(timing[name] for name in ("pass", "thresholds", "tally", "null"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def measure(kind: str, data: str, argv: list[str]) -> dict[str, float]:
    command = [sys.executable, __file__, argv[0], str(data), *argv[2:], "--child", kind]
    result: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    )
    return result


def main() -> None:
    given = parser.parse_args()
    if given.child:
        child(given)
        return
    argv = [str(given.model), str(given.data), *sys.argv[3:]]
    print("   images   bare s    run s   ratio   bare MiB    run MiB      above")
    with tempfile.TemporaryDirectory() as folder:
        for images in given.images:
            data = worlds.repeat(given.data, Path(folder) / str(images), images)
            bare, run = (measure(kind, data, argv) for kind in ("bare", "run"))
            print(
                f"{images:9d} {bare['seconds']:8.2f} {run['seconds']:8.2f}"
                f" {run['seconds'] / bare['seconds']:7.3f}"
                f" {bare['peak']:10.0f} {run['peak']:10.0f} {run['peak'] - bare['peak']:10.0f}"
            )


if __name__ == "__main__":
    main()
