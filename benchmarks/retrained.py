"""Candidates that were really trained: the shipped network taught on, and networks taught less. Needs torch.

The recipe is that of `models/train_tiny.py`, with fewer images shown. A network that is taught on sees scenes
that it has never seen.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from candidates import MODEL, ROOT, UNTRAINED, Candidate, copied, file_of
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from onnxdissect.tiny import SCENES
from onnxdissect.tiny.scene_objects import INDOORS

sys.path.append(str(ROOT / "models"))

from train_tiny import TRAIN_SEED, TinyScenes, arguments, draw_scenes, train

__all__ = ["Lesson", "network_of", "retrained", "teach", "write_network"]

FRESH_SEED = 1_000_003
FRESH_IMAGES = 3_400
HELD_BACK = 400

Labels = NDArray[np.int64]


def every_scene(scenes: Labels) -> Labels:
    """The task of the shipped network."""
    return scenes


def indoors(scenes: Labels) -> Labels:
    """Class 1 where the scene is a room, else 0."""
    return np.array([SCENES[scene] in INDOORS for scene in scenes], np.int64)


def first_half(scenes: Labels) -> Labels:
    """Only the first six scenes."""
    return np.where(scenes < len(SCENES) // 2, scenes, -1)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a network is taught, and how.

    Attributes
    ----------
    title : str
        Of the candidate.
    expected : str
        ``passes`` or ``fails``.
    samples : int
        Images shown, repeats counted.
    rate : float
        Highest learning rate.
    relabel : callable
        From scenes (n,) to classes (n,), -1 for images that are not shown.
    classes : int
        How many.
    tolerated : str or None
        As `expected`, under rules for networks that are meant to change; None where it is not tried.
    """

    title: str
    expected: Literal["passes", "fails"]
    samples: int
    rate: float
    relabel: Callable[[Labels], Labels] = every_scene
    classes: int = len(SCENES)
    tolerated: Literal["passes", "fails"] | None = None

    @property
    def file(self) -> str:
        """Name of the file."""
        return file_of(self.title)


ONWARD = (
    Lesson("taught on gently, rate 0.00001", "passes", 6_400, 1e-5),
    Lesson("taught on, rate 0.0001", "fails", 6_400, 1e-4, tolerated="passes"),
    Lesson("taught on at the full rate", "fails", 6_400, 1e-3, tolerated="fails"),
    Lesson("taught to tell rooms from the open", "fails", 6_400, 3e-4, indoors, 2, "fails"),
    Lesson("taught on with half of the scenes", "fails", 6_400, 3e-4, first_half, tolerated="passes"),
)
"""What the shipped network is taught; the recipe's own rate is 0.001."""


def network_of(path: Path) -> TinyScenes:
    """Read the shipped network, or the untrained one, back into torch.

    Parameters
    ----------
    path : Path

    Returns
    -------
    TinyScenes
    """
    network = TinyScenes()
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    with torch.no_grad():
        for name, values in parameters(network).items():
            values.copy_(torch.from_numpy(stored[name].copy()))
    network.to(memory_format=torch.channels_last)
    return network


def parameters(network: TinyScenes) -> dict[str, torch.Tensor]:
    """Give the weights by their names in the shipped file."""
    layers = {f"conv{i}": layer for i, layer in enumerate(network.convolutions, 1)} | {
        "scores": network.scores
    }
    return {
        f"{name}.{kind}": getattr(layer, kind)
        for name, layer in layers.items()
        for kind in ("weight", "bias")
    }


def write_network(network: TinyScenes, path: Path) -> None:
    """Write a network as the shipped file, with its weights.

    Parameters
    ----------
    network : TinyScenes
        Its last layer may have another number of classes.
    path : Path
    """
    model = onnx.load(MODEL)
    weights = parameters(network)
    for tensor in model.graph.initializer:
        values = np.ascontiguousarray(weights[tensor.name].detach().numpy())
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = network.scores.out_features
    onnx.save(model, path)


def teach(start: Path, lesson: Lesson, images: NDArray[np.uint8], scenes: Labels, path: Path) -> None:
    """Train from a file's weights on, and write what became of it.

    Parameters
    ----------
    start : Path
        `MODEL` or `UNTRAINED`.
    lesson : Lesson
    images : ndarray of uint8, shape (n, 3, h, w)
        The first of them are held back, to tell how well it learnt.
    scenes : ndarray of int64, shape (n,)
    path : Path
    """
    options = arguments().parse_args([])
    given = argparse.Namespace(**vars(options) | {"samples": lesson.samples, "rate": lesson.rate})
    classes = lesson.relabel(scenes)
    shown, labels = torch.from_numpy(images[classes >= 0]), torch.from_numpy(classes[classes >= 0])
    torch.manual_seed(options.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    network = network_of(start)
    if lesson.classes != len(SCENES):
        network.scores = nn.Linear(network.scores.in_features, lesson.classes)
    test = shown[:HELD_BACK], labels[:HELD_BACK]
    train(network, given, shown[HELD_BACK:], labels[HELD_BACK:], test)
    write_network(network, path)


def retrained(folder: Path, less: Sequence[float], only: str = "") -> list[Candidate]:
    """Train what does not lie in a folder yet, and list the candidates.

    Parameters
    ----------
    folder : Path
        For the files.
    less : sequence of float
        Shares of the recipe's steps to train with, from the weights the shipped network began with.
    only : str
        Candidates whose title does not hold this are neither trained nor listed.

    Returns
    -------
    list of Candidate
    """
    folder.mkdir(parents=True, exist_ok=True)
    recipe = arguments().parse_args([])
    fewer = tuple(
        Lesson(
            f"taught with {100 * share:g} % of the steps", "fails", int(share * recipe.samples), recipe.rate
        )
        for share in less
    )
    found = []
    for start, seed, images, lessons in (
        (MODEL, FRESH_SEED, FRESH_IMAGES, ONWARD),
        (UNTRAINED, TRAIN_SEED, recipe.images, fewer),
    ):
        drawn: tuple[NDArray[np.uint8], Labels] | None = None
        for lesson in lessons:
            path = folder / lesson.file
            wanted = [c for c in _candidates(lesson, path) if only in c.title]
            found += wanted
            if not wanted or path.exists():
                continue
            started = time.monotonic()
            drawn = drawn or draw_scenes(seed, images, recipe.workers)
            teach(start, lesson, *drawn, path)
            print(f"{lesson.title}: made in {time.monotonic() - started:.0f} s", flush=True)
    return found


def _candidates(lesson: Lesson, path: Path) -> Iterator[Candidate]:
    candidate = Candidate(lesson.title, lesson.expected, copied(path))
    yield candidate
    if lesson.tolerated:
        yield candidate.tolerated(lesson.tolerated)
