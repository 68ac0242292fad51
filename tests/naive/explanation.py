"""Contributions of units to a score, by changing the activations that a file's own graph is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]


def score_with_factors(
    path: Path,
    layer: str,
    axis: int,
    factors: Array,
    image: Array,
    output: str,
    number: int,
    offsets: Array | None = None,
) -> float:
    """Score of one class where the file multiplies units of a layer of maps by factors, and adds offsets."""
    model = onnx.load(path)
    graph = model.graph
    for initializer in graph.initializer:
        if initializer.data_type == onnx.TensorProto.FLOAT16:
            wide = numpy_helper.to_array(initializer).astype(np.float32)
            initializer.CopyFrom(numpy_helper.from_array(wide, initializer.name))
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del graph.value_info[:]
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == layer:
                node.input[i] = "changed"
    place = next(i for i, node in enumerate(graph.node) if layer in node.output)
    shape = [1, 1, 1, 1]
    shape[axis] = len(factors)
    offsets = np.zeros(len(factors)) if offsets is None else offsets
    for name, values in (("factors", factors), ("offsets", offsets)):
        graph.initializer.append(numpy_helper.from_array(values.reshape(shape).astype(np.float32), name))
    graph.node.insert(place + 1, helper.make_node("Mul", [layer, "factors"], ["scaled"]))
    graph.node.insert(place + 2, helper.make_node("Add", ["scaled", "offsets"], ["changed"]))
    del graph.output[:]
    graph.output.append(onnx.ValueInfoProto(name=output))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (scores,) = session.run([output], {graph.input[0].name: image.astype(np.float32)})
    return float(scores.reshape(-1)[number])


def contributions(
    path: Path, layer: str, axis: int, units: int, image: Array, output: str, number: int
) -> tuple[float, float, Array, Array]:
    """(score, score with no unit, contribution of each unit alone, loss of each unit's removal)."""

    def score(factors: Array) -> float:
        return score_with_factors(path, layer, axis, factors, image, output, number)

    whole, nothing = score(np.ones(units)), score(np.zeros(units))
    alone = np.array([score(np.eye(units)[k]) for k in range(units)]) - nothing
    removed = whole - np.array([score(1 - np.eye(units)[k]) for k in range(units)])
    return whole, nothing, alone, removed


def segments(
    units: list[dict[str, Any]], masks: list[Array], height: int, width: int
) -> tuple[Array, list[str]]:
    """Pixel by pixel the number of the label of the first detector whose mask holds it; labels by number."""
    owners = {}
    for row in range(height):
        for column in range(width):
            holding = [k for k, one in enumerate(units) if one["detector"] and masks[k][row, column]]
            if holding:
                owners[row, column] = holding[0]
    labels = list(dict.fromkeys(units[k]["label"] for k in sorted(set(owners.values()))))
    numbers = np.zeros((height, width), int)
    for place, k in owners.items():
        numbers[place] = labels.index(units[k]["label"]) + 1
    return numbers, labels
