"""Rotations of a small network on a small data set, and calls of `rotate` that end early."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import onnxdissect
from onnxdissect.experiments.rotation import RotationResult
from support.small_runs import Convolution, broden, network

ALPHAS, SEEDS = (0.0, 0.4, 1.0), 2


def small_world(folder: Path) -> Path:
    """``net.onnx`` with layers of six and four units, and ``data`` of forty images."""
    convolutions = [
        Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1)),
        Convolution(4, (2, 2), (1, 1), (0, 0, 0, 0)),
    ]
    network(folder / "net.onnx", convolutions, pool=False, seed=1)
    broden(folder / "data", 40, seed=2)
    return folder


def rotated(world: Path, out: str = "run", **given: Any) -> RotationResult:
    chosen: dict[str, Any] = {
        "layers": ["relu0"],
        "alphas": ALPHAS,
        "seeds": SEEDS,
        "quantiles": [0.1, 0.02],
        "preset": "raw",
        "batch_size": 2,
        "workers": 1,
        "bootstrap": 40,
        "save_every": 0,
    }
    return onnxdissect.rotate(world / "net.onnx", world / "data", out=world / out, **chosen | given)


class Phases:
    """Remembers the phases of a run."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def start(self, phase: str, total: int) -> None:
        self.begun.append(phase)

    def advance(self, images: int) -> None: ...

    def finish(self) -> None: ...


class _Killing(Phases):
    """Kills this process in the middle of a phase."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self._phase = phase
        self._advanced = 0

    def advance(self, images: int) -> None:
        if self.begun[-1] == self._phase:
            self._advanced += 1
            if self._advanced > 4:
                os.kill(os.getpid(), signal.SIGKILL)


def rotate_and_die(world: Path, phase: str) -> None:
    """Rotate, and be killed in the middle of a phase."""
    rotated(world, progress=_Killing(phase))
