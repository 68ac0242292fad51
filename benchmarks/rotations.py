"""Many rotations of a layer in one pass, against a run for each of them, and against the bare loop.

    python benchmarks/rotations.py MODEL DATA [--limit N] [--rounds N] [--alphas N] [--alone N]
                                   [--layer SEL] [preprocessing options]

MODEL is a file, or `resnet18`: that architecture with random weights (`networks.py`). Without `--layer` it is
the last stage's layer. The bare loop decodes, preprocesses and runs the graph cut off after the layer, in as
many lanes as there are cores, in the batches of the run with the rotations. `--alone` says how many of the
runs with one rotation each are made; the others are taken to last as long.

Seconds are those of the pass, thresholds, tally and null, and processor seconds, of all threads, from the
start of the pass to the end of the null. What a run takes before and after, whatever the number of images, is
told apart, as is drawing the rotations. Beside other work only processor seconds say much.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networks
import worlds
from options import common, preprocessing

import onnxdissect
from onnxdissect.data import open_dataset
from onnxdissect.machine import cores
from onnxdissect.model import Preparer, choose_preprocessing, load_network, open_session

PHASES = ("pass", "thresholds", "tally", "null")

parser = common(__doc__)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--alphas", type=int, default=11, help="spread evenly over 0 to 1")
parser.add_argument("--alone", type=int, help="runs of one rotation that are made; default: one per alpha")


class Meter:
    """Notes the processor seconds from the start of the pass to the end of the null."""

    def __init__(self) -> None:
        self._began = self.used = 0.0

    def start(self, phase: str, total: int) -> None:
        if phase == "pass":
            self._began = time.process_time()

    def advance(self, images: int) -> None: ...

    def finish(self) -> None:
        self.used = time.process_time() - self._began


def spent(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What the work gives, its seconds, and its processor seconds."""
    began, used = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - began, time.process_time() - used


def main() -> None:
    given = parser.parse_args()
    alphas = [i / (given.alphas - 1) for i in range(given.alphas)]
    specs = [f"rotation:seed=0,alpha={alpha:.12g}" for alpha in alphas]
    alone = specs[: given.alone or len(specs)]
    dataset = open_dataset(given.data).subset(limit=given.limit)
    with tempfile.TemporaryDirectory() as folder:
        model = given.model if str(given.model) != "resnet18" else networks.resnet18(Path(folder))
        network = load_network(model, image_size=dataset.image_size)
        (layer,) = network.select(given.layer or ["last"])
        session = open_session(network, [layer], provider="cpu", threads=1, spin=False)
        preparer = Preparer(
            choose_preprocessing(network, **preprocessing(given)), network.input, network.size
        )

        def run(*bases: str) -> dict[str, Any]:
            meter = Meter()
            found = onnxdissect.dissect(
                model,
                given.data,
                [layer.name],
                bases=bases,
                limit=given.limit,
                provider="cpu",
                out=Path(folder) / "run",
                fresh=True,
                progress=meter,
                **preprocessing(given),
            )
            timing: dict[str, Any] = found.manifest["timing"]
            told = {"batch": found.manifest["batch_size"], "drawing": timing.get("bases", 0.0)}
            return told | {"used": meter.used} | timing

        def loop(batch: int) -> None:
            worlds.bare_lanes(dataset, preparer, session, batch, cores())

        batch = run(*specs)["batch"]
        loop(batch)
        rows: dict[str, list[tuple[float, float]]] = {}
        drawing, fixed = [], []
        for _ in range(given.rounds):
            _, seconds, processor = spent(lambda: loop(batch))
            rows.setdefault("bare loop", []).append((seconds, processor))
            for name, groups in (
                ("plain run", [()]),
                ("one run", [tuple(specs)]),
                ("runs", [(spec,) for spec in alone]),
            ):
                took = used = 0.0
                for bases in groups:
                    timing, _, processor = spent(lambda bases=bases: run(*bases))  # type: ignore[misc]
                    took += sum(timing[phase] for phase in PHASES)
                    used += timing["used"]
                    if name == "one run":
                        drawing.append(timing["drawing"])
                        fixed.append(processor - timing["used"])
                share = len(specs) / len(groups) if name == "runs" else 1
                rows.setdefault(name, []).append((took * share, used * share))
    h, w = layer.grid
    print(f"{layer.name}: {layer.units} units of {h}x{w}, {len(specs)} rotations, {len(dataset)} images")
    print(f"medians of {given.rounds} rounds; {len(alone)} of the runs of one rotation were made")
    print(f"{'':<34}{'seconds':>9}{'/ loop':>8}{'processor s':>13}{'/ loop':>8}")
    base = [statistics.median(column) for column in zip(*rows["bare loop"], strict=True)]
    titles = {
        "bare loop": "bare loop",
        "plain run": "run of the layer alone",
        "one run": f"run with {len(specs)} rotations",
        "runs": f"{len(specs)} runs with one rotation each",
    }
    for name, title in titles.items():
        took, used = (statistics.median(column) for column in zip(*rows[name], strict=True))
        print(f"{title:<34}{took:>9.2f}{took / base[0]:>8.2f}{used:>13.2f}{used / base[1]:>8.2f}")
    print(f"{'drawing and opening the rotations':<34}{statistics.median(drawing):>9.2f}")
    print(f"{'start, drawing and results':<51}{statistics.median(fixed):>13.2f}")


if __name__ == "__main__":
    main()
