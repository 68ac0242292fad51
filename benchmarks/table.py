"""All benchmarks after one another, each in its own process, on one model and one data set.

    python benchmarks/table.py MODEL DATA [--quick] [--layer SEL] [preprocessing options]

Rows are those of `speed.py` (one layer, then the stages), `kernels.py` and `growth.py`. Options that are not
named here are passed on to all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", type=Path)
parser.add_argument("data", type=Path)
parser.add_argument("--layer", default="last", help="the layer of the rows that are about one layer")
parser.add_argument("--quick", action="store_true", help="few images, a single round")

_HERE = Path(__file__).resolve().parent


def rows(quick: bool, layer: str) -> list[tuple[str, list[str]]]:
    """The title of each section, and the command that prints it, without the model and the data set."""
    effort = ["--limit", "16", "--rounds", "1"] if quick else ["--rounds", "5"]
    sizes = ["16", "32"] if quick else ["700", "7000"]
    return [
        ("run against the bare loop, one layer", ["speed.py", *effort, "--layer", layer]),
        ("run against the bare loop, stages", ["speed.py", *effort, "--layer", "stages"]),
        ("kernels against the older tools", ["kernels.py", *effort, "--layer", layer]),
        ("memory and growth", ["growth.py", "--layer", layer, "--images", *sizes]),
    ]


def main() -> int:
    given, passed_on = parser.parse_known_args()
    failed = 0
    for title, (script, *options) in rows(given.quick, given.layer):
        print(f"== {title}", flush=True)
        command = [sys.executable, str(_HERE / script), str(given.model), str(given.data)]
        failed |= subprocess.run([*command, *options, *passed_on], check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
