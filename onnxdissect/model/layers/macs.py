"""Multiply-accumulates of single operators."""

from __future__ import annotations

from math import prod

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of, stored_shape
from onnxdissect.model.layout.products.einsum import parse_equation
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Compute, Places
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.window_shape import channels_last, kernel_shape, weight_shape

__all__ = ["multiply_accumulates"]


def multiply_accumulates(node: ir.Node, probe: Probe) -> int:
    """Count the products that an operator adds up.

    Parameters
    ----------
    node : onnx_ir.Node
        The operator.
    probe : Probe
        Shapes of its values.

    Returns
    -------
    int
        For the whole batch of the probe. In attention the products of queries and keys and of weights and
        values, all of them, whether a mask hides some or not. 0 for operators that weigh nothing.
    """
    out = probe.shapes.get(name_of(node.outputs[0]))
    if out is None:
        return 0
    operator = operator_of(node)
    if operator.compute is Compute.EINSUM:
        return _einsum(node, probe)
    source = _shape(node, 0, probe)
    if operator.compute is Compute.ATTENTION:
        return _attention(node, operator, probe, out)
    if source is None:
        return 0
    if operator.compute is Compute.CONVOLUTION:
        spread = operator.places is Places.SPREAD
        return prod(source if spread else out) * _taps(node, out if spread else source)
    if operator.compute is Compute.PRODUCT:
        transposed = node.attributes.get("transA")
        return prod(out) * source[-2 if transposed is not None and transposed.value else -1]
    return 0


def _shape(node: ir.Node, index: int, probe: Probe) -> tuple[int, ...] | None:
    """Shape of an operand, whether it depends on the image or not; None where it is left out or not known."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return None
    return probe.shapes.get(name_of(value)) or stored_shape(value)


def _einsum(node: ir.Node, probe: Probe) -> int:
    shapes = [_shape(node, index, probe) for index in range(len(node.inputs))]
    known = [shape for shape in shapes if shape is not None]
    equation = parse_equation(node, [len(shape) for shape in known]) if len(known) == len(shapes) else None
    return 0 if equation is None else equation.multiply_accumulates(known)


def _attention(node: ir.Node, operator: Operator, probe: Probe, out: tuple[int, ...]) -> int:
    """Count queries by keys and weights by values, each summed over a width."""
    query = _shape(node, 0, probe)
    if query is None or len(out) < 3:
        return 0
    rows = prod(out[:-2]) * out[-2]
    if operator.projects:
        batch, length, units = query
        projected = (_shape(node, 1, probe) or (units, 3 * units))[-1]
        return batch * length * units * projected + rows * length * ((projected - out[-1]) // 2 + out[-1])
    # one operand that holds queries, keys and values side by side has nothing in the other places
    key = _shape(node, 1, probe)
    seen = out[-2] if key is None else key[1] if len(key) in (3, 5) else key[-2]
    past = None if operator.past_keys is None else _shape(node, operator.past_keys, probe)
    seen += past[-2] if past is not None and len(past) == 4 else 0
    return rows * seen * (_width(node, query, key, out) + out[-1])


def _width(node: ir.Node, query: tuple[int, ...], key: tuple[int, ...] | None, out: tuple[int, ...]) -> int:
    """Length of the vectors of queries, all heads together where they are side by side."""
    if key is None or len(query) == 5:
        return out[-1]
    return query[-1]


def _taps(node: ir.Node, channels: tuple[int, ...]) -> int:
    """Products that one number of the result takes, or that one of the operand goes into when transposed."""
    shape = weight_shape(node)
    if shape is not None:
        return prod(shape[1:])
    # weights that the graph computes from the image
    units = channels[-1] if channels_last(node) else channels[1]
    return units // int(attribute(node, "group", 1)) * prod(kernel_shape(node) or (1,))
