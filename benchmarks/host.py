"""What a dissection costs outside its network, step by step, in processor milliseconds an image.

    python benchmarks/host.py MODEL DATA [--images N] [--layer SEL]... [preprocessing options]

A real run over the data set, its rows repeated up to so many images. The functions that do each step are
wrapped; a step that calls another one is told without it. A first run over a few images compiles kernels.

Processor time of a thread is exact; how it divides between user and system is what the system's clock tick
happened upon, and steady only over some seconds. Only Linux counts both thread by thread.
"""

from __future__ import annotations

import functools
import importlib
import resource
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import worlds
from numpy.typing import NDArray
from options import common, preprocessing

import onnxdissect

# Functions by the step they are part of, each where its caller looks it up: module, then attribute.
# What runs in which phase is told by the phase's name before the colon.
_STEPS = {
    "pass: images, read and decode": ["data.broden.reader:read_image"],
    "pass: images, prepare": ["model:Preparer.__call__"],
    "pass: label maps, read and decode": [
        "data.broden.reader:BrodenDataset._read_map",
        "data.broden.reader:fill_plane",
    ],
    "pass: annotations, unite": ["data.broden.reader:BrodenDataset.read_annotation"],
    "pass: annotations, pack": ["core.state.intake:pack"],
    "pass: network": ["model:Session.__call__"],
    "pass: cells, encode": ["core.kernels.activations.encode:SparseEncoder.add"],
    "pass: cells, drain": ["core.kernels.activations.encode:SparseEncoder.drain"],
    "pass: thresholds, top images, samples": [
        "core.state.thresholds:Thresholds.update",
        "core.state.top_images:TopImages.update",
        "core.state.samples:Samples.update",
    ],
    "pass: spool": ["core.spool.spool:SpoolAppender.append"],
    "pass: state saved": ["core.state.intake:Intake.save", "core.state.pass_state:PassState.save"],
    "pass: the rest": ["pipeline.run:_pass"],
    "thresholds": ["core.state.pass_state:PassState.settle"],
    "tally: annotations, unpack": ["pipeline.tally:unpack"],
    "tally: masks, count": ["pipeline.tally:count"],
    "tally: per image": [
        "statistics.per_image_collector:PerImageCollector.see",
        "statistics.per_image_collector:PerImageCollector.keep",
    ],
    "tally: the rest": ["pipeline.findings:tally"],
    "null": ["statistics.permutation_null:PermutationNull.scores"],
    "statistics and files": ["pipeline.run:write_layers", "pipeline.run:write_run"],
}
_COLUMNS = ("seconds", "user", "system", "faults", "switches", "calls")

parser = common(__doc__)
parser.add_argument("--images", type=int, default=2000)
parser.add_argument("--workers", type=int, help="of the pass; default: as many as there are cores")


def columns(seconds: float, used: resource.struct_rusage) -> NDArray[np.float64]:
    """What a thread or the process has used up, in the order of the columns."""
    faults, switches = used.ru_minflt + used.ru_majflt, used.ru_nvcsw + used.ru_nivcsw
    return np.array([seconds, used.ru_utime, used.ru_stime, faults, switches, 0.0])


def spent(who: int, seconds: Callable[[], float]) -> NDArray[np.float64]:
    """What it has used up so far."""
    return columns(seconds(), resource.getrusage(who))


class Meter:
    """Adds up what each step uses, in whatever threads it runs.

    Attributes
    ----------
    used : dict of str to ndarray
        Step to the columns, without the steps that it called in the same thread.
    process : dict of str to ndarray
        Phase to what the whole process used meanwhile: threads of libraries, and the code between steps.
    measuring : dict of str to float
        Phase to the seconds that measuring its steps took.
    """

    def __init__(self) -> None:
        self.used: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(_COLUMNS)))
        self.process: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(_COLUMNS)))
        self.measuring: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._phase: str | None = None
        self._open = threading.local()

    def wrap(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, measured as part of a step."""

        @functools.wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            with self._measure(step):
                return function(*arguments, **named)

        return measured

    @contextmanager
    def _measure(self, step: str) -> Iterator[None]:
        phase = step.partition(":")[0]
        whole = step.endswith("the rest") or phase == step
        if whole and threading.current_thread() is not threading.main_thread():
            # Kernels are made ready beside the run by calling the same functions; what they are part of is
            # told by the run alone.
            yield
            return
        if whole:
            self._phase = phase
        elif phase != self._phase:
            # Some steps are taken once more in preparation of the run.
            yield
            return
        entered = time.thread_time()
        inner = self._open.__dict__.setdefault("inner", [])
        inner.append(np.zeros(len(_COLUMNS)))
        process = spent(resource.RUSAGE_SELF, time.process_time) if whole else None
        before = resource.getrusage(resource.RUSAGE_THREAD)
        began = time.thread_time()
        try:
            yield
        finally:
            seconds = time.thread_time() - began
            after = resource.getrusage(resource.RUSAGE_THREAD)
            took = columns(seconds, after) - columns(0.0, before)
            own = took - inner.pop()
            own[-1] = 1
            with self._lock:
                self.used[step] += own
                if process is not None:
                    self._phase = None
                    self.process[phase] += spent(resource.RUSAGE_SELF, time.process_time) - process
            # What measuring costs is nobody's.
            measuring = time.thread_time() - entered - seconds
            took[0] += measuring
            if inner:
                inner[-1] += took
            with self._lock:
                self.measuring[phase] += measuring


@contextmanager
def measured(meter: Meter) -> Iterator[None]:
    """Wrap the functions of all steps."""
    with ExitStack() as patches:
        for step, places in _STEPS.items():
            for place in places:
                module, _, attribute = place.partition(":")
                *path, name = attribute.split(".")
                owner = importlib.import_module(f"onnxdissect.{module}")
                owner = attrgetter(".".join(path))(owner) if path else owner
                patches.enter_context(patch.object(owner, name, meter.wrap(step, getattr(owner, name))))
        yield


def rows(meter: Meter) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Each step and what it used; the rest of a phase is what the process used beside its steps."""
    for step in _STEPS:
        phase, colon, _ = step.partition(":")
        used = meter.used[step]
        if step.endswith("the rest") or not colon:
            others = [
                meter.used[other] for other in _STEPS if other.startswith(f"{phase}:") and other != step
            ]
            calls = used[-1]
            used = meter.process[phase] - sum(others, np.zeros(len(_COLUMNS)))
            used[0] -= meter.measuring[phase]
            used[-1] = calls
        yield step, used


def told(step: str, used: NDArray[np.float64], images: int) -> str:
    """A row: milliseconds an image, then faults and switches an image, then calls in all."""
    seconds, user, system, faults, switches, calls = used
    share = max(system, 0) / max(user + system, 1e-9)
    return (
        f"{step:<38} {1000 * seconds / images:8.3f} {1000 * seconds * (1 - share) / images:8.3f}"
        f" {1000 * seconds * share / images:8.3f} {faults / images:8.1f} {switches / images:8.2f}"
        f" {calls:8.0f}"
    )


def main() -> None:
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = worlds.repeat(given.data, folder / "data", given.limit or given.images)
        dissect = functools.partial(
            onnxdissect.dissect,
            given.model,
            data,
            given.layer or ["stages"],
            provider="cpu",
            workers=given.workers,
            fresh=True,
            **preprocessing(given),
        )
        dissect(limit=16, out=folder / "compiled")
        meter = Meter()
        with measured(meter):
            run = dissect(out=folder / "run")
    images = len(run.images)
    print(f"{images} images, {len(run.manifest['layers'])} layers; processor milliseconds an image")
    print(f"{'':<38} {'all':>8} {'user':>8} {'system':>8} {'faults':>8} {'switches':>8} {'calls':>8}")
    everything = np.zeros(len(_COLUMNS))
    for step, used in rows(meter):
        print(told(step, used, images))
        everything += used
    network = meter.used["pass: network"]
    print(told("outside the network", everything - network, images))
    print(told("all", everything, images))


if __name__ == "__main__":
    main()
