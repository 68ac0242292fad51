"""What a value costs: weights it depends on, and multiply-accumulates up to it."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute, constant, is_stored, name_of, stored_size, stored_tensor
from onnxdissect.model.layers.macs import multiply_accumulates
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Packing, Regions
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["Cost", "follow_costs"]


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
    regional : int
        Multiply-accumulates behind operators that choose regions.

    Attributes
    ----------
    all_macs : int
        Multiply-accumulates of the whole graph, for one image, but for those on chosen regions.
    """

    __slots__ = ("_products", "_upstream", "_weights", "all_macs")

    def __init__(
        self,
        weights: list[int],
        products: list[int],
        upstream: dict[str, tuple[int, int]],
        regional: int = 0,
    ) -> None:
        self._weights = np.array(weights, np.int64)
        self._products = np.array(products, np.int64)
        self._upstream = upstream
        self.all_macs = sum(products) - regional

    def parameters(self, name: str) -> int:
        """Elements of all stored weights that a value depends on, each counted once."""
        return _total(self._upstream[name][0], self._weights)

    def macs(self, name: str) -> int:
        """Multiply-accumulates up to and including a value, for one image."""
        return _total(self._upstream[name][1], self._products)


def _total(bits: int, amounts: NDArray[np.int64]) -> int:
    packed = np.frombuffer(bits.to_bytes((len(amounts) + 7) // 8, "little"), np.uint8)
    chosen = np.unpackbits(packed, count=len(amounts), bitorder="little").astype(np.bool_)
    return int(amounts[chosen].sum())


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
    regions: set[str] = set()
    regional = 0
    for node in graph:
        needed, worked = 0, 0
        operator = operator_of(node)
        for index, value in enumerate(node.inputs):
            if value is None:
                continue
            name = name_of(value)
            if is_stored(value):
                if index not in operator.no_weights and not _is_scale(node, value):
                    if name not in numbers:
                        numbers[name] = len(weights)
                        weights.append(_elements(node, index, value))
                    needed |= 1 << numbers[name]
            elif name in upstream:
                needed |= upstream[name][0]
                worked |= upstream[name][1]
        amount = multiply_accumulates(node, probe) // probe.batch
        if amount:
            worked |= 1 << len(products)
            products.append(amount)
        chosen = operator.regions in (Regions.CHOSEN, Regions.POOLED)
        if chosen or any(v is not None and v.name in regions for v in node.inputs):
            regions.update(name_of(value) for value in node.outputs)
            regional += amount
        for value in node.outputs:
            upstream[name_of(value)] = (needed, worked)
    return Cost(weights, products, upstream, regional)


def _elements(node: ir.Node, index: int, value: ir.Value) -> int:
    """Weights that a stored tensor holds; several of them may share a byte."""
    packing = operator_of(node).packing
    if index == 1 and packing is Packing.ROWS_AND_COLUMNS:
        return int(attribute(node, "K", 0)) * int(attribute(node, "N", 0))
    if index == 0 and packing is Packing.BITS:
        packed = stored_tensor(value)
        whole = packed is None or packed.dtype != ir.DataType.UINT8
        return (stored_size(value) or 0) * (1 if whole else 8 // int(attribute(node, "bits", 4)))
    if index == 1 and packing is Packing.SHAPE:
        shape = constant(node.inputs[2])
        return 0 if shape is None else int(prod(shape.tolist()))
    return stored_size(value) or 0


def _is_scale(node: ir.Node, value: ir.Value) -> bool:
    """Whether a number stands beside one of several operands: in a concatenation of integers."""
    return operator_of(node).operands[1] > 1 and stored_size(value) == 1
