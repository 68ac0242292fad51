"""From typing the command to the first images done, each time in a process of its own.

    python benchmarks/startup.py MODEL DATA [--layer SEL]... [--rounds N] [preprocessing options]

The first round has no compiled kernels to use; the others find those it left. What compiling them took is
printed kernel by kernel, and the processor seconds of the whole run with and without it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compilations import Compilations
from options import common, preprocessing

from onnxdissect.core.progress import Silent

parser = common(__doc__)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)


class First(Silent):
    """Says when the first images are through."""

    said = True

    def start(self, phase: str, total: int) -> None:
        self.said = phase != "pass"

    def advance(self, images: int) -> None:
        if images and not self.said:
            print(time.time(), flush=True)
            self.said = True


def main() -> None:
    given = parser.parse_args()
    if given.child:
        import onnxdissect

        compilations = Compilations()
        onnxdissect.dissect(
            given.model,
            given.data,
            given.layer or ["stages"],
            limit=given.limit or 16,
            provider="cpu",
            out=given.child,
            fresh=True,
            progress=First(),
            **preprocessing(given),
        )
        print(time.process_time())
        if compilations.costs:
            print(compilations.table())
        return
    took = []
    processor = []
    table = ""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": f"{folder}/kernels"}
        command = [sys.executable, *sys.argv, "--child", f"{folder}/run"]
        for _ in range(given.rounds + 1):
            began = time.time()
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            first, used, *rest = done.stdout.splitlines()
            took.append(float(first) - began)
            processor.append(float(used))
            table = table or "\n".join(rest)
    print(f"start-up, kernels compiled  {took[0]:8.2f} s")
    print(f"start-up, kernels cached    {statistics.median(took[1:]):8.2f} s  (median of {given.rounds})")
    warm = statistics.median(processor[1:])
    print(f"processor seconds of the run, kernels compiled {processor[0]:.2f}, cached {warm:.2f}")
    print(f"compiling                   {processor[0] - warm:8.2f} processor seconds")
    print(table)


if __name__ == "__main__":
    main()
