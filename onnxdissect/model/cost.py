"""What a value costs: weights it depends on, and multiply-accumulates up to it."""

from __future__ import annotations

from math import prod

import onnx_ir as ir

from onnxdissect.model.graph import is_stored, name_of, stored_size
from onnxdissect.model.kernels import weight_shape
from onnxdissect.model.operators import CONVOLUTIONS, MATRIX_PRODUCTS
from onnxdissect.model.probe import Probe

__all__ = ["Cost", "follow_costs"]

# Scales and zero points describe how numbers are stored; axes, shapes and bounds are no weights either.
_NO_WEIGHTS = {
    "Clip": (1, 2),
    "DequantizeLinear": (1, 2),
    "Expand": (1,),
    "Gather": (1,),
    "Pad": (1, 2, 3),
    "QuantizeLinear": (1, 2),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceSum": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}


class Cost:
    """Parameters and multiply-accumulates upstream of values.

    Parameters
    ----------
    weights : list of int
        Elements of each stored tensor.
    products : list of int
        Multiply-accumulates of each node that has any.
    upstream : dict of str to (int, int)
        Bit sets over both, per value.
    """

    __slots__ = ("_products", "_upstream", "_weights")

    def __init__(self, weights: list[int], products: list[int], upstream: dict[str, tuple[int, int]]) -> None:
        self._weights = weights
        self._products = products
        self._upstream = upstream

    def parameters(self, name: str) -> int:
        """Elements of all stored weights that a value depends on, each counted once."""
        return _total(self._upstream[name][0], self._weights)

    def macs(self, name: str) -> int:
        """Multiply-accumulates up to and including a value, for one image."""
        return _total(self._upstream[name][1], self._products)


def _total(bits: int, amounts: list[int]) -> int:
    return sum(amount for i, amount in enumerate(amounts) if bits >> i & 1)


def follow_costs(graph: ir.Graph, probe: Probe) -> Cost:
    """Add up what every value depends on.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    probe : Probe
        Shapes of its values.

    Returns
    -------
    Cost
    """
    weights: list[int] = []
    products: list[int] = []
    numbers: dict[str, int] = {}
    upstream: dict[str, tuple[int, int]] = {name_of(value): (0, 0) for value in graph.inputs}
    for node in graph:
        needed, worked = 0, 0
        for index, value in enumerate(node.inputs):
            if value is None:
                continue
            name = name_of(value)
            if is_stored(value):
                if index not in _NO_WEIGHTS.get(node.op_type, ()):
                    if name not in numbers:
                        numbers[name] = len(weights)
                        weights.append(stored_size(value) or 0)
                    needed |= 1 << numbers[name]
            elif name in upstream:
                needed |= upstream[name][0]
                worked |= upstream[name][1]
        amount = _macs(node, probe) // probe.batch
        if amount:
            worked |= 1 << len(products)
            products.append(amount)
        for value in node.outputs:
            upstream[name_of(value)] = (needed, worked)
    return Cost(weights, products, upstream)


def _macs(node: ir.Node, probe: Probe) -> int:
    out = probe.shapes.get(name_of(node.outputs[0]))
    first = node.inputs[0] if node.inputs else None
    source = probe.shapes.get(name_of(first)) if first is not None else None
    if out is None or source is None:
        return 0
    if node.op_type in CONVOLUTIONS:
        shape = weight_shape(node)
        if shape is None:
            return 0
        return prod(source if node.op_type == "ConvTranspose" else out) * prod(shape[1:])
    if node.op_type in MATRIX_PRODUCTS:
        transposed = node.attributes.get("transA")
        return prod(out) * source[-2 if transposed is not None and transposed.value else -1]
    return 0
