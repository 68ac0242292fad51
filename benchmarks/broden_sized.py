"""A run over as many images as Broden has, its report, and reading it again, each in a process of its own.

    python benchmarks/broden_sized.py MODEL DATA [--images N] [--layer SEL]... [preprocessing options]

The rows of the data set are repeated. Without `--images` there are 63,305 of them, as in Broden. The figures
of version 0.1 are those of a 0.9 MB MobileNet with five stages on two cores that others used too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import worlds
from beside import HEAD, Figure
from options import common, preprocessing

import onnxdissect

# As many as Broden has; the figures of version 0.1 are of so many.
_IMAGES = 63_305
_FIGURES = {
    "pass": Figure("pass, s", 222),
    "pass_decode": Figure("  of it waiting for images and labels, s", 129),
    "pass_inference": Figure("  of it in the network, s", 21),
    "pass_spool": Figure("  of it in kernels and spool, s", 72),
    "thresholds": Figure("thresholds, s", 30),
    "tally": Figure("tally, s", 55),
    "null": Figure("null, s", 20),
    "user": Figure("processor, user mode, s", 257),
    "system": Figure("processor, system, s", 56),
    "share": Figure("  of the whole processor time, per cent", 17.9, 5),
    "faults": Figure("page faults, thousands", 4_900, None, 0),
    "switches": Figure("context switches, thousands", 600, None, 0),
    "peak": Figure("peak memory, MB", 873, None, 0),
    "load": Figure("reading the run again, s", None, 0.3, 2),
    "report": Figure("report, s", 57, 15),
    "report_processor": Figure("report, processor s"),
}

parser = common(__doc__)
parser.add_argument("--images", type=int, default=_IMAGES)
parser.add_argument("--child", choices=["run", "report"], help=argparse.SUPPRESS)
parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)


def run(given: argparse.Namespace) -> dict[str, float]:
    """Dissect, and say what this process needed for it."""
    found = onnxdissect.dissect(
        given.model,
        given.data,
        given.layer or ["stages"],
        provider="cpu",
        out=given.out,
        **preprocessing(given),
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    timing: dict[str, Any] = found.manifest["timing"]
    return timing | {
        "user": used.ru_utime,
        "system": used.ru_stime,
        "share": 100 * used.ru_stime / (used.ru_utime + used.ru_stime),
        "faults": used.ru_minflt / 1e3,
        "switches": (used.ru_nvcsw + used.ru_nivcsw) / 1e3,
        "peak": used.ru_maxrss / 1024,
    }


def report(given: argparse.Namespace) -> dict[str, float]:
    """Read the run and build its report."""
    from onnxdissect import report
    from onnxdissect.results import load

    def timed(work: Callable[[], Any]) -> tuple[Any, float]:
        began = time.perf_counter()
        return work(), time.perf_counter() - began

    found, reading = timed(lambda: load(given.out))
    _, building = timed(lambda: report.build(found))
    processor = sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    return {"load": reading, "report": building, "report_processor": processor}


def main() -> None:
    given = parser.parse_args()
    if given.child:
        print(json.dumps({"run": run, "report": report}[given.child](given)))
        return
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = worlds.repeat(given.data, Path(folder) / "data", given.images)
        for child in ("run", "report"):
            command = [sys.executable, __file__, str(given.model), str(data), *sys.argv[3:]]
            command += ["--child", child, "--out", f"{folder}/run"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            told |= json.loads(done.stdout.splitlines()[-1])
    print(f"{given.images:,} images")
    print(HEAD)
    for key, figure in _FIGURES.items():
        comparable = figure if given.images == _IMAGES else replace(figure, before=None)
        print(comparable.row(told[key]))


if __name__ == "__main__":
    main()
