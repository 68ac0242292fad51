"""Integer activations: give each a twin in floating point, which is what its integers stand for.

A QDQ graph dequantises every value that a layer reads. A QLinear graph hands integers from operator to
operator, with scale and zero point beside them, so that no activation is a number yet.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import DEQUANTISED, attribute, constant, name_of, stored_size
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Numbers

__all__ = ["AddDequantised", "has_scales", "is_rectified"]

_Meaning = tuple[ir.Value, ir.Value | None]
"""Scale and zero point."""


class AddDequantised(passes.FunctionalPass):
    """Add a DequantizeLinear to every integer activation whose scale the graph states.

    Values that the graph dequantises itself are left alone. Nothing reads the results, so outputs stay what
    they are. The result is named after the integers, with `DEQUANTISED` behind; the node has their very name,
    so that it can be asked for by that, unless another node has it already.
    """

    def requires(self, model: ir.Model) -> None:
        """Check that some scale is stated, and that there is a DequantizeLinear."""
        if not has_scales(model):
            raise passes.PreconditionError("no operator states the scale of integers that it gives")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Add the values to a clone."""
        clone = model.clone()
        added = _add_twins(clone.graph)
        return passes.PassResult(clone, modified=added > 0)

    def ensures(self, model: ir.Model) -> None:
        """Check that nothing reads what was added."""
        read = [
            value.name
            for node in model.graph
            for value in node.outputs
            if name_of(value).endswith(DEQUANTISED) and _dequantises(node) and value.uses()
        ]
        if read:
            raise passes.PostconditionError(f"something reads {read}")


def has_scales(model: ir.Model) -> bool:
    """Whether a graph states the scale of some integer activation, and can dequantise.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.

    Returns
    -------
    bool
    """
    graph = model.graph
    stated = any(operator_of(node).result_scale is not None for node in graph)
    return graph.opset_imports.get("", 0) >= 10 and stated


def _add_twins(graph: ir.Graph) -> int:
    """Add the nodes, and say how many."""
    meanings: dict[str, _Meaning] = {}
    taken = {name_of(value) for node in graph for value in node.outputs}
    nodes = {node.name for node in graph}
    added = 0
    for node in list(graph):
        meaning = _meaning(node, meanings)
        if meaning is None or stored_size(meaning[0]) != 1:
            continue
        operator = operator_of(node)
        # further results of a pool are indices
        for value in node.outputs if operator.axes is Axes.SPLIT else node.outputs[:1]:
            name = name_of(value)
            if not name:
                continue
            meanings[name] = meaning
            twin = name + DEQUANTISED
            if operator.numbers is Numbers.COPIED or twin in taken or _is_dequantised(value):
                continue
            # onnxruntime insists that nodes have different names
            dequantise = ir.node("DequantizeLinear", [value, *meaning], name=twin if name in nodes else name)
            dequantise.outputs[0].name = twin
            graph.insert_after(node, dequantise)
            added += 1
    return added


def is_rectified(node: ir.Node) -> bool:
    """Whether an operator bends its result itself, as fusing a nonlinearity into it leaves behind.

    Parameters
    ----------
    node : onnx_ir.Node
        A convolution, a product or a sum.

    Returns
    -------
    bool
        True where it says so, or where its result is stored in integers that stand for no negative number.
    """
    operator = operator_of(node)
    if operator.fused:
        return bool(attribute(node, "activation", ""))
    computed = operator.rounds and operator.numbers is not Numbers.QUANTISED
    if operator.result_scale is None or not computed:
        return False
    index = operator.result_scale + 1
    zero = constant(node.inputs[index]) if index < len(node.inputs) else None
    return zero is not None and zero.size == 1 and int(zero.ravel()[0]) == np.iinfo(zero.dtype).min


def _meaning(node: ir.Node, meanings: dict[str, _Meaning]) -> _Meaning | None:
    operator = operator_of(node)
    index = operator.result_scale
    if index is not None and index < len(node.inputs):
        scale = node.inputs[index]
        zero = node.inputs[index + 1] if index + 1 < len(node.inputs) else None
        return None if scale is None else (scale, zero)
    if operator.numbers in (Numbers.COPIED, Numbers.CARRIED, Numbers.MOVED):
        return _known(node.inputs[:1], meanings)
    if operator.axes is Axes.CONCATENATED:
        return _known(node.inputs, meanings)
    return None


def _known(values: Iterable[ir.Value | None], meanings: dict[str, _Meaning]) -> _Meaning | None:
    """Scale and zero point that all values share."""
    found = {meanings.get(name_of(value)) if value is not None else None for value in values}
    return found.pop() if len(found) == 1 else None


def _is_dequantised(value: ir.Value) -> bool:
    return any(_dequantises(user) for user, _ in value.uses())


def _dequantises(node: ir.Node) -> bool:
    return operator_of(node).numbers is Numbers.DEQUANTISED
