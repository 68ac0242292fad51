"""What a gate is tried on: a file, made from the shipped network, and what the gate should say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxdissect.check.rules.config import Config

__all__ = ["MODEL", "ROOT", "UNTRAINED", "Candidate", "Weights", "changed", "copied", "file_of"]

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models/tiny_scenes.onnx"
UNTRAINED = ROOT / "models/tiny_scenes_untrained.onnx"
TOLERANCE = 0.3
"""Share of a unit's IoU that may go where a network was pruned or taught on."""

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to be checked.

    Attributes
    ----------
    title : str
        What was done to the network.
    expected : str
        ``passes`` or ``fails``, on all images: the verdict that is wanted, or, where `blind` says why, the
        one that the check cannot help giving.
    write : callable
        Given the path of the file to write.
    blind : str
        Why the check cannot see what is wrong; empty where it should.
    rules : Config
        What it is held to; the default rules suit exports, where nothing should be lost.
    """

    title: str
    expected: Literal["passes", "fails"]
    write: Callable[[Path], None]
    blind: str = ""
    rules: Config = field(default_factory=Config)

    def tolerated(self, expected: Literal["passes", "fails"]) -> Candidate:
        """Give the same candidate under rules for networks that are meant to change.

        Parameters
        ----------
        expected : str
            The verdict that is wanted then.

        Returns
        -------
        Candidate
        """
        title = f"{self.title}, iou-margin {TOLERANCE}"
        return replace(self, title=title, expected=expected, rules=Config(iou_margin=TOLERANCE))


def file_of(title: str) -> str:
    """Give the name of a candidate's file where it is kept.

    Parameters
    ----------
    title : str

    Returns
    -------
    str
    """
    return "".join(c if c.isalnum() else "_" for c in title) + ".onnx"


def copied(source: Path) -> Callable[[Path], None]:
    """Make a candidate that is another file, byte by byte.

    Parameters
    ----------
    source : Path

    Returns
    -------
    callable
    """

    def write(path: Path) -> None:
        path.write_bytes(source.read_bytes())

    return write


def changed(change: Callable[[Weights], None]) -> Callable[[Path], None]:
    """Make a candidate whose weights were changed in place.

    Parameters
    ----------
    change : callable
        Given the weights by name: ``conv1.weight`` (units, inputs, height, width), ``conv1.bias``
        (units,) ... ``scores.weight`` (classes, units), ``scores.bias`` (classes,).

    Returns
    -------
    callable
    """

    def write(path: Path) -> None:
        model = onnx.load(MODEL)
        weights = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
        change(weights)
        for tensor in model.graph.initializer:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
        onnx.save(model, path)

    return write
