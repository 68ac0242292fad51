"""Hostile and damaged input by the thousand: none ends as a bug, hangs or takes more memory than its share.

    python benchmarks/fuzz.py KIND [--inputs N] [--seed S] [--processes P]

Seeds S to S + N - 1, in batches; a process for each batch, so that a crash is seen from outside. What is
wrong is printed with its seed, at last how many came out how.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
BATCH = 500
# Kind: the words that run a batch of it, in the folder of the tests; the first seed and the one behind the
# last follow. Each prints what is wrong and, in its last line, "COUNT OUTCOME, COUNT OUTCOME".
KINDS: dict[str, tuple[str, ...]] = {
    "data": ("support.hostile_data",),
    "runs": ("support.hostile_runs",),
    "models": ("support.hostile_model_runs", "layers"),
    "dissected-models": ("support.hostile_model_runs", "run"),
    **{f"damaged-{kind}": ("support.fuzz", kind) for kind in ("onnx", "csv", "png", "jpg")},
}


def batch(words: tuple[str, ...], start: int, stop: int) -> tuple[Counter[str], bool]:
    """Run one batch; how many came out how, and whether all was well."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *words, str(start), str(stop)],
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    written = done.stdout.decode(errors="replace")
    # Before each input some kinds write its seed, and go back to the line's beginning.
    *wrong, last = [line.rpartition("\r")[2] for line in written.rstrip("\n").split("\n")]
    if done.returncode not in (0, 1):
        wrong.append(f"DIED ({done.returncode}): one of the seeds {start} to {stop - 1}, behind {last!r}")
        last = ""
    for line in wrong:
        print(line, flush=True)
    found = Counter({outcome.strip(): int(count) for count, outcome in re.findall(r"(\d+) ([^,]+)", last)})
    return found, done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    stop = given.seed + given.inputs
    starts = range(given.seed, stop, BATCH)
    counted: Counter[str] = Counter()
    well = True
    with ThreadPoolExecutor(given.processes) as pool:
        for found, fine in pool.map(
            lambda start: batch(KINDS[given.kind], start, min(start + BATCH, stop)), starts
        ):
            counted += found
            well &= fine
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items())))
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
