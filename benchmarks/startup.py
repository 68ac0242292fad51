"""From typing the command to the first images done, each time in a process of its own.

    python benchmarks/startup.py MODEL DATA [--layer SEL]... [--rounds N] [preprocessing options]

The first round has no compiled kernels to use; the others find those it left.
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
        return
    took = []
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": f"{folder}/kernels"}
        command = [sys.executable, *sys.argv, "--child", f"{folder}/run"]
        for _ in range(given.rounds + 1):
            began = time.time()
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            took.append(float(done.stdout.splitlines()[0]) - began)
    print(f"start-up, kernels compiled  {took[0]:8.2f} s")
    print(f"start-up, kernels cached    {statistics.median(took[1:]):8.2f} s  (median of {given.rounds})")


if __name__ == "__main__":
    main()
