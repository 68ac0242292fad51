"""One run at a batch of one: shapes and element types of every value, and the numbers that shape them.

Files seldom carry them (`value_info` is optional), and marking everything as an output would hold every
activation in memory at once. So a clone computes only the *shapes* of the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.errors import ModelRuntimeError, ModelTimeoutError
from onnxdissect.model.graph import constant, downstream, is_stored, name_of
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Order
from onnxdissect.model.reading.element_types import follow_types
from onnxdissect.model.runtime.inference import open_runtime, random_images
from onnxdissect.model.stored import store

__all__ = ["Probe", "probe"]

_PREFIX = "onnxdissect/probe/"
# Opening a graph takes onnxruntime the square of the uses of each value: 20,000 of one take most of a minute.
_MOST_USES = 256
_OF_SEQUENCES = frozenset(
    ("ConcatFromSequence", "SequenceAt", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap")
)
"""Operators whose first input is a sequence."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one run revealed.

    Attributes
    ----------
    batch : int
        Images in that run: one, or the graph's frozen batch.
    shapes : dict of str to tuple of int
        Of the image input and of every tensor computed from it.
    dtypes : dict of str to str
        NumPy's name of their element types.
    numbers : dict of str to ndarray
        Values of computed inputs that shape others: pads, axes, sizes and the like.
    """

    batch: int
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    numbers: dict[str, NDArray[Any]]

    def number(self, node: ir.Node, index: int) -> NDArray[Any] | None:
        """Read one of a node's shaping inputs.

        Parameters
        ----------
        node : onnx_ir.Node
            The node.
        index : int
            Which input.

        Returns
        -------
        ndarray or None
            None where it is left out, or was not probed.
        """
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is None:
            return None
        stored = constant(value)
        return stored if stored is not None else self.numbers.get(name_of(value))


def probe(model: ir.Model, folder: Path, image: ImageInput, size: tuple[int, int]) -> Probe:
    """Run a model once to learn its shapes.

    Parameters
    ----------
    model : onnx_ir.Model
        The model; it is not changed.
    folder : Path
        Where its external data lie.
    image : ImageInput
        Its image input.
    size : (int, int)
        (height, width) to run at.

    Returns
    -------
    Probe

    Raises
    ------
    ModelRuntimeError
        If onnxruntime refuses or fails.
    """
    batch = image.batch or 1
    source = next(value for value in model.graph.inputs if value.name == image.name)
    reached = downstream(model.graph, source)
    values = [
        name_of(value)
        for node in model.graph
        if operator_of(node).tensors
        for value in node.outputs
        if value in reached and value.name and _is_tensor(value)
    ]
    numbers = _shaping_values(model)
    derived = follow_types(model.graph, model.graph.opset_imports)
    typed = [name for name in values if name not in derived]
    clone = _instrument(model.clone(), values, typed, numbers)
    runtime = open_runtime(clone, folder=folder, optimise="none")
    images = random_images(image.shape(batch, size), image.dtype)
    try:
        found = runtime({image.name: images}, [*_names("shape", values), *numbers])
    except ModelTimeoutError:
        raise
    except ModelRuntimeError as error:
        raise ModelRuntimeError(
            f"a probe run at {size[0]} x {size[1]} pixels failed: {error.message}",
            hint="the network may need images of another size",
        ) from error
    shapes = dict(zip(values, found, strict=False))
    types = runtime.dtypes
    return Probe(
        batch=batch,
        shapes={image.name: images.shape, **{n: tuple(int(d) for d in s) for n, s in shapes.items()}},
        dtypes={
            image.name: image.dtype,
            **{n: derived[n] for n in values if n in derived},
            **{n: types.get(t, "unknown") for n, t in zip(typed, _names("type", typed), strict=True)},
        },
        numbers={n: np.asarray(v) for n, v in zip(numbers, found[len(values) :], strict=True)},
    )


def _is_tensor(value: ir.Value) -> bool:
    """Whether a value is no sequence: where the file does not say, the nodes that read it do."""
    if value.type is not None:
        return isinstance(value.type, ir.TensorType)
    return not any(node.op_type in _OF_SEQUENCES and index == 0 for node, index in value.uses())


def _names(what: str, values: list[str]) -> list[str]:
    return [f"{_PREFIX}{what}/{i}" for i in range(len(values))]


def _shaping_values(model: ir.Model) -> list[str]:
    outputs = {name_of(value) for value in model.graph.inputs}
    names: dict[str, None] = {}
    # chosen by the picture, not by its size
    pictured = set(outputs)
    for node in model.graph:
        operator = operator_of(node)
        if operator.subgraphs or (
            not operator.sizes_only and any(v is not None and v.name in pictured for v in node.inputs)
        ):
            pictured.update(name_of(value) for value in node.outputs)
        for index in operator.shaping:
            value = node.inputs[index] if index < len(node.inputs) else None
            if value is None or not value.name or is_stored(value) or value.name in outputs:
                continue
            # chosen by the picture, the numbers that say which cells are others in every one
            which = operator.order in (Order.SHIFTED, Order.PICKED)
            if not which or value.name not in pictured:
                names[value.name] = None
    return list(names)


def _instrument(model: ir.Model, values: list[str], typed: list[str], numbers: list[str]) -> ir.Model:
    """Replace the outputs of a clone by shapes, shaping numbers, and empty tensors of unknown types."""
    graph = model.graph
    by_name = {name_of(value): value for node in graph for value in node.outputs}
    shapes: list[ir.Value] = []
    types: list[ir.Value] = []
    for name, shape_name in zip(values, _names("shape", values), strict=True):
        shape = ir.node("Shape", [by_name[name]])
        shape.outputs[0].name = shape_name
        graph.append(shape)
        shapes.append(shape.outputs[0])
    if typed:
        flat = store(graph, f"{_PREFIX}flat", np.array([-1], np.int64))
        nothing = store(graph, f"{_PREFIX}nothing", np.array([], np.int64))
    for name, type_name in zip(typed, _names("type", typed), strict=True):
        # Reshape costs nothing and Gather keeps none of it: what is left is the element type.
        vector = ir.node("Reshape", [by_name[name], flat])
        empty = ir.node("Gather", [vector.outputs[0], nothing])
        vector.outputs[0].name = f"{type_name}/flat"
        empty.outputs[0].name = type_name
        graph.extend([vector, empty])
        types.append(empty.outputs[0])
    graph.outputs.clear()
    graph.outputs.extend([*shapes, *(by_name[name] for name in numbers), *types])
    _share_uses(graph, [*graph.inputs, *(by_name[name] for name in values)])
    return model


def _share_uses(graph: ir.Graph, values: list[ir.Value]) -> None:
    """Put copies in the place of values that very many nodes take, each for a share of the nodes."""
    copies = 0
    for value in values:
        uses = [(node, index) for node, index in value.uses() if node.graph is graph]
        if len(uses) <= _MOST_USES:
            continue
        producer = value.producer()
        before = graph[0]
        for first in range(0, len(uses), _MOST_USES):
            copy = ir.node("Identity", [value])
            copy.outputs[0].name = f"{_PREFIX}copy/{copies}"
            copies += 1
            if producer is None:
                graph.insert_before(before, copy)
            else:
                graph.insert_after(producer, copy)
            for node, index in uses[first : first + _MOST_USES]:
                node.replace_input_with(index, copy.outputs[0])
