"""What networks are taught on the same images: scenes, objects, parts, or what the pixels alone give."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from onnxdissect.tiny import SCENES
from onnxdissect.tiny.concepts import OBJECTS, PARTS

__all__ = ["TASKS", "Task", "chance_of", "examples", "loss_of", "score_of"]

PERMUTATIONS = tuple(itertools.permutations(range(4)))
_TURNS = 4
# Tiles of the jigsaw are cut with gaps, so that edges running on do not give their order away.
_GAP = 6


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be told of an image.

    Attributes
    ----------
    name : str
        Its key in `TASKS`.
    classes : tuple of str
        What the scores are of.
    labels : {"scene", "object", "part", "none"}
        What of the drawing is shown; "none" where targets are made of the pixels alone.
    several : bool
        Whether several classes may hold at once.
    windows : int
        Along each axis, how many windows the maximum is taken over before the scores.
    """

    name: str
    classes: tuple[str, ...]
    labels: Literal["scene", "object", "part", "none"]
    several: bool = False
    windows: int = 1

    @property
    def score(self) -> str:
        """What a network is measured by."""
        return "mean average precision" if self.several else "accuracy"


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task("scene", tuple(f"{name}-s" for name in SCENES), "scene"),
        Task("objects", OBJECTS, "object", several=True),
        Task("parts", PARTS, "part", several=True),
        Task("rotation", tuple(f"{90 * turn} degrees" for turn in range(_TURNS)), "none"),
        Task("jigsaw", tuple("".join(map(str, order)) for order in PERMUTATIONS), "none", windows=2),
    )
}


def examples(task: Task, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Make what a network is shown, and what it has to tell.

    Parameters
    ----------
    task : Task
    images : Tensor, shape (n, 3, h, w)
        Pixels.
    labels : Tensor, shape (n,) or (n, classes)
        Of the drawings; not looked at where the task makes its own targets.

    Returns
    -------
    shown : Tensor, shape (n, 3, h, w)
    targets : Tensor of int64, shape (n,), or of float32, shape (n, classes)
    """
    if task.name == "rotation":
        turns = torch.randint(0, _TURNS, (len(images),))
        turned = [torch.rot90(image, int(turn), (1, 2)) for image, turn in zip(images, turns, strict=True)]
        return torch.stack(turned), turns
    if task.name == "jigsaw":
        orders = torch.randint(0, len(PERMUTATIONS), (len(images),))
        return torch.stack(
            [_permuted(i, PERMUTATIONS[o]) for i, o in zip(images, orders, strict=True)]
        ), orders
    return images, labels.float() if task.several else labels


def _permuted(image: torch.Tensor, order: tuple[int, ...]) -> torch.Tensor:
    """Lay two by two tiles out in another order, each cut somewhere in its quarter and enlarged."""
    side = image.shape[1] // 2
    cut = side - _GAP
    offsets = torch.randint(0, _GAP + 1, (4, 2)).tolist()
    tiles = []
    for tile, (down, across) in zip(order, offsets, strict=True):
        top, left = tile // 2 * side + down, tile % 2 * side + across
        tiles.append(image[:, top : top + cut, left : left + cut])
    size = (side, side)
    enlarged = nn.functional.interpolate(torch.stack(tiles), size, mode="bilinear", align_corners=False)
    upper, lower = (torch.cat(list(row), dim=2) for row in (enlarged[:2], enlarged[2:]))
    return torch.cat([upper, lower], dim=1)


def loss_of(task: Task) -> nn.Module:
    """Give the loss that logits and targets are trained by."""
    return nn.BCEWithLogitsLoss() if task.several else nn.CrossEntropyLoss(label_smoothing=0.05)


def score_of(task: Task, logits: NDArray[np.float32], targets: NDArray[np.generic]) -> float:
    """Measure logits by what would have been right.

    Parameters
    ----------
    task : Task
    logits : ndarray of float32, shape (n, classes)
    targets : ndarray, shape (n,) or (n, classes)
        Of `examples`.

    Returns
    -------
    float
        Share of images told right; where several classes hold at once, the average precision of a class,
        averaged over the classes that occur.
    """
    if not task.several:
        return float(np.mean(logits.argmax(axis=1) == targets))
    return float(
        np.mean(
            [
                _average_precision(scores, held > 0)
                for scores, held in zip(logits.T, targets.T, strict=True)
                if held.any()
            ]
        )
    )


def _average_precision(scores: NDArray[np.float32], held: NDArray[np.bool_]) -> float:
    found = held[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(found) / np.arange(1, len(found) + 1)
    return float(precision[found].mean())


def chance_of(task: Task, targets: NDArray[np.generic]) -> float:
    """Give the score of a network that knows nothing of the images."""
    if not task.several:
        return 1 / len(task.classes)
    shares = np.asarray(targets, np.float64).mean(axis=0)
    return float(shares[shares > 0].mean())
