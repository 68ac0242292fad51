"""What a newcomer waits for: the help text, the first run of the shipped network, and the second.

    python benchmarks/first_minute.py [--rounds N] [--limit N]

The commands are run as processes, with caches of their own: the first run finds the drawn data set and no
compiled kernels. What is aimed for holds on two idle cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beside import HEAD, Figure

_MODEL = Path(__file__).parents[1] / "models" / "tiny_scenes.onnx"
_HELP = Figure("help text, s", None, 0.2, 2)
_FIRST = Figure("first run with its report, s", None, 40)
_FIRST_PROCESSOR = Figure("first run with its report, processor s")
_SECOND = Figure("second run with its report, s", None, 6)
_SECOND_PROCESSOR = Figure("second run with its report, processor s")
_COMPILING = Figure("compiling kernels, processor s", 52, 17)
_TO_IMAGES = Figure("start to first images, kernels kept, s", None, 1.5, 2)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--limit", type=int, help="images of each run; by default all")


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor seconds of a process and those it has waited for."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - began, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def main() -> None:
    given = parser.parse_args()
    program = [sys.executable, "-m", "onnxdissect"]
    limit = [] if given.limit is None else ["--limit", str(given.limit)]
    with tempfile.TemporaryDirectory() as folder:
        # Users' Python keeps the bytecode of modules. Where it does not, each run spends a third of its start
        # on compiling the package's source again.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {**kept, "NUMBA_CACHE_DIR": f"{folder}/kernels"}
        draw = [*program, "data", "info", "tiny"]
        subprocess.run(draw, env=environment, check=True, capture_output=True)
        run = [*program, "run", str(_MODEL), "--out", f"{folder}/run", "--fresh", *limit]
        shown = min(timed([*program, "--help"], environment)[0] for _ in range(given.rounds + 1))
        first = timed(run, environment)
        later = [timed(run, environment) for _ in range(given.rounds)]
        second, processor = (min(taken) for taken in zip(*later, strict=True))
        images = [sys.executable, str(Path(__file__).with_name("startup.py")), str(_MODEL), "tiny"]
        told = subprocess.run(
            [*images, "--rounds", str(given.rounds)],
            env={**environment, "PYTHONUNBUFFERED": "1"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    started = next(line for line in told.splitlines() if line.startswith("start-up, kernels cached"))
    print(HEAD)
    for figure, now in (
        (_HELP, shown),
        (_COMPILING, first[1] - processor),
        (_FIRST, first[0]),
        (_FIRST_PROCESSOR, first[1]),
        (_TO_IMAGES, float(started.split()[3])),
        (_SECOND, second),
        (_SECOND_PROCESSOR, processor),
    ):
        print(figure.row(now))


if __name__ == "__main__":
    main()
