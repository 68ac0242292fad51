"""What a value costs: weights it depends on, and multiply-accumulates up to it."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute, constant, is_stored, name_of, stored_size, stored_tensor
from onnxdissect.model.layers.macs import multiply_accumulates
from onnxdissect.model.operators import REDUCTIONS
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["Cost", "follow_costs"]

_ONE_SCALED = (1, 2, 3, 4)
_TWO_SCALED = (1, 2, 4, 5, 6, 7)

# Scales and zero points describe how numbers are stored; axes, shapes and bounds are no weights either.
_NO_WEIGHTS = {
    "CenterCropPad": (1,),
    "Clip": (1, 2),
    "ConvInteger": (2, 3),
    "ConvTransposeWithDynamicPads": (2,),
    "DequantizeLinear": (1, 2),
    "DynamicQuantizeMatMul": (2, 3),
    "Expand": (1,),
    "Gather": (1,),
    "GatherBlockQuantized": (1, 2, 3),
    "GroupQueryAttention": (5, 6, 7, 8, 9),
    "MatMulBnb4": (2,),
    "MatMulFpQ4": (2,),
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "MatMulNBits": (2, 3, 4),
    "Pad": (1, 2, 3),
    "QAttention": (3, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearAdd": _TWO_SCALED,
    "QLinearAveragePool": _ONE_SCALED,
    "QLinearConv": _TWO_SCALED,
    "QLinearGlobalAveragePool": _ONE_SCALED,
    "QLinearLeakyRelu": _ONE_SCALED,
    "QLinearMatMul": _TWO_SCALED,
    "QLinearMul": _TWO_SCALED,
    "QLinearSigmoid": _ONE_SCALED,
    "QLinearSoftmax": _ONE_SCALED,
    "QuantizeLinear": (1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "RotaryEmbedding": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
    **dict.fromkeys(REDUCTIONS, (1,)),
}


_REGIONS = frozenset({"MaxRoiPool", "NonMaxSuppression", "RoiAlign"})
"""Choose regions of a picture, which what is behind works on: no map of the picture."""

_PACKED = ("MatMulBnb4", "MatMulNBits")


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
        for index, value in enumerate(node.inputs):
            if value is None:
                continue
            name = name_of(value)
            if is_stored(value):
                if index not in _NO_WEIGHTS.get(node.op_type, ()) and not _is_scale(node, value):
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
        if node.op_type in _REGIONS or any(v is not None and v.name in regions for v in node.inputs):
            regions.update(name_of(value) for value in node.outputs)
            regional += amount
        for value in node.outputs:
            upstream[name_of(value)] = (needed, worked)
    return Cost(weights, products, upstream, regional)


def _elements(node: ir.Node, index: int, value: ir.Value) -> int:
    """Weights that a stored tensor holds; several of them may share a byte."""
    if index == 1 and node.op_type in _PACKED:
        return int(attribute(node, "K", 0)) * int(attribute(node, "N", 0))
    if index == 0 and node.op_type == "GatherBlockQuantized":
        packed = stored_tensor(value)
        whole = packed is None or packed.dtype != ir.DataType.UINT8
        return (stored_size(value) or 0) * (1 if whole else 8 // int(attribute(node, "bits", 4)))
    if index == 1 and node.op_type == "MatMulFpQ4":
        shape = constant(node.inputs[2])
        return 0 if shape is None else int(prod(shape.tolist()))
    return stored_size(value) or 0


def _is_scale(node: ir.Node, value: ir.Value) -> bool:
    return node.op_type == "QLinearConcat" and stored_size(value) == 1
