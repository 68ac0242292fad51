"""Candidates that something went wrong with, and a few that look so but are sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from candidates import MODEL, UNTRAINED, Candidate, Weights, changed, copied
from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = ["damaged", "destroyed", "mistaken"]

LAST = "conv6"
MEAN, STD = 0.45, 0.25


def shuffled(weights: Weights, *, followed: bool) -> None:
    """The last layer's units in another order, which the classifier follows or does not."""
    order = np.random.default_rng(0).permutation(len(weights[f"{LAST}.weight"]))
    for kind in ("weight", "bias"):
        weights[f"{LAST}.{kind}"][:] = weights[f"{LAST}.{kind}"][order]
    if followed:
        weights["scores.weight"][:] = weights["scores.weight"][:, order]


def zeroed(weights: Weights, *, layer: str) -> None:
    """No weights, as if a layer's had not been loaded."""
    weights[f"{layer}.weight"][:] = 0


def nudged(weights: Weights, *, share: float) -> None:
    """Every weight of a convolution off by a share of itself, at random."""
    random = np.random.default_rng(0)
    for name, values in weights.items():
        if name.startswith("conv") and name.endswith("weight"):
            values *= 1 + share * random.standard_normal(values.shape).astype(np.float32)


def pruned(weights: Weights, *, share: float) -> None:
    """The smallest weights of every layer set to zero."""
    for name, values in weights.items():
        if name.endswith("weight"):
            values[np.abs(values) < np.quantile(np.abs(values), share)] = 0


def blue_first(weights: Weights) -> None:
    """Made for images with blue first; the data is given with red first."""
    weights["conv1.weight"][:] = weights["conv1.weight"][:, ::-1].copy()


def misnamed(weights: Weights) -> None:
    """The classes in another order."""
    order = np.random.default_rng(0).permutation(len(weights["scores.bias"]))
    for kind in ("weight", "bias"):
        weights[f"scores.{kind}"][:] = weights[f"scores.{kind}"][order]


def destroyed(units: Sequence[int]) -> Callable[[Path], None]:
    """Make a candidate in which units of the last layer have their weights in random order.

    Parameters
    ----------
    units : sequence of int

    Returns
    -------
    callable
    """

    def destroy(weights: Weights) -> None:
        random = np.random.default_rng(1)
        kernel = weights[f"{LAST}.weight"]
        for unit in units:
            kernel[unit] = random.permutation(kernel[unit].ravel()).reshape(kernel[unit].shape)

    return changed(destroy)


def mistaken(
    *steps: tuple[str, float | Sequence[int]], channels_last: bool = False
) -> Callable[[Path], None]:
    """Make a candidate whose graph does something to its input first.

    Parameters
    ----------
    *steps : (str, number or sequence of int)
        Operators and what they take: a number to add or multiply by, or the order of axes of a transposition.
    channels_last : bool
        Whether images come in as (batch, height, width, channels).

    Returns
    -------
    callable
    """

    def write(path: Path) -> None:
        model = onnx.load(MODEL)
        graph = model.graph
        value, nodes = graph.input[0].name, list[NodeProto]()
        for number, (op, operand) in enumerate(steps):
            given, value = value, f"step{number}"
            if isinstance(operand, float):
                constant = numpy_helper.from_array(np.array(operand, np.float32), f"operand{number}")
                graph.initializer.append(constant)
                nodes.append(helper.make_node(op, [given, constant.name], [value]))
            else:
                nodes.append(helper.make_node(op, [given], [value], perm=list(operand)))
        graph.node[0].input[0] = value
        for node in reversed(nodes):
            graph.node.insert(0, node)
        if channels_last:
            height, width = (d.dim_value for d in graph.input[0].type.tensor_type.shape.dim[2:])
            shape = ["batch", height, width, 3]
            graph.input[0].CopyFrom(
                helper.make_tensor_value_info(graph.input[0].name, TensorProto.FLOAT, shape)
            )
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)

    return write


def damaged(detectors: Sequence[int]) -> list[Candidate]:
    """List the candidates.

    Parameters
    ----------
    detectors : sequence of int
        Detectors of the last layer, by falling IoU.

    Returns
    -------
    list of Candidate
    """
    tenth = detectors[::10]
    tenth_lost = Candidate(f"{len(tenth)} of {len(detectors)} detectors destroyed", "fails", destroyed(tenth))
    lighter = Candidate("30 % of the weights pruned", "fails", changed(partial(pruned, share=0.3)))
    return [
        Candidate("itself", "passes", copied(MODEL)),
        Candidate(
            "images come in channels last",
            "passes",
            mistaken(("Transpose", (0, 3, 1, 2)), channels_last=True),
        ),
        Candidate("weights moved by 2 %", "passes", changed(partial(nudged, share=0.02))),
        Candidate("10 % of the weights pruned", "passes", changed(partial(pruned, share=0.1))),
        lighter,
        lighter.tolerated("passes"),
        Candidate("70 % of the weights pruned", "fails", changed(partial(pruned, share=0.7))),
        Candidate("blue first", "fails", changed(blue_first)),
        Candidate("mean and deviation forgotten", "fails", mistaken(("Mul", STD), ("Add", MEAN))),
        Candidate("mean and deviation twice", "fails", mistaken(("Add", -MEAN), ("Mul", 1 / STD))),
        Candidate("height and width exchanged", "fails", mistaken(("Transpose", (0, 1, 3, 2)))),
        Candidate("last layer's units in another order", "fails", changed(partial(shuffled, followed=False))),
        Candidate("the same, and the classifier follows", "fails", changed(partial(shuffled, followed=True))),
        Candidate("last layer zeroed", "fails", changed(partial(zeroed, layer=LAST))),
        Candidate("fourth layer zeroed", "fails", changed(partial(zeroed, layer="conv4"))),
        tenth_lost,
        tenth_lost.tolerated("fails"),
        Candidate(
            f"the strongest of {len(detectors)} detectors destroyed", "fails", destroyed(detectors[:1])
        ),
        Candidate(
            "classes in another order",
            "passes",
            changed(misnamed),
            "the units are as they were; what the classifier makes of them is no map, and is not dissected",
        ),
        Candidate("untrained", "fails", copied(UNTRAINED)),
    ]
