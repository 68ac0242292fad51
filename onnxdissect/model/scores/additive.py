"""Whether a value is a sum over the units of a layer, each taken by itself: decided on the graph.

Behind the layer, numbers stand *apart* as long as each depends on a single unit: poolings, nonlinearities and
whatever moves numbers leave them so. The first product that mixes units makes *sums* over units, and only
operators that are linear keep them sums: whatever bends a sum makes units depend on each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of, values_read
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.network import Network
from onnxdissect.model.operators.lookup import is_followed, operator_of
from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Arithmetic, Axes, Compute, Numbers, Places

__all__ = ["Obstacle", "find_obstacle"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The first operator behind a layer that makes the units depend on each other.

    Attributes
    ----------
    op : str
        Operator type.
    node : str
        Name of the node, "" where the file names none.
    value : str
        Its first result.
    reason : str
        What it does.
    """

    op: str
    node: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.op} ({self.node or self.value!r}) {self.reason}"


@dataclass(frozen=True, slots=True)
class _Apart:
    """Numbers of which each depends on one unit; along `axis` index k is unit k, None where that is lost."""

    axis: int | None


@dataclass(frozen=True, slots=True)
class _Sums:
    """Numbers that are sums over units."""


_Kind = _Apart | _Sums
_MOVING = frozenset(
    (Axes.FRAMED, Axes.SPLIT, Axes.CONCATENATED, Axes.RESHAPED, Axes.FLATTENED, Axes.SQUEEZED)
) | frozenset((Axes.UNSQUEEZED, Axes.TRANSPOSED, Axes.GATHERED, Axes.PICKED, Axes.SELECTED))
# They keep what lies behind one another along the axis of the units in its order.
_IN_ORDER = _MOVING - {Axes.GATHERED, Axes.PICKED, Axes.SELECTED, Axes.CONCATENATED}
_PRODUCTS = (Compute.CONVOLUTION, Compute.PRODUCT, Compute.EINSUM)
_BENDS = (Numbers.NONLINEAR, Numbers.NONLINEAR_BY_CONSTANT)
_ROUNDS = (Numbers.QUANTISED, Numbers.QUANTISED_BY_RANGE)
_INTEGERS = frozenset(("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (4, 8, 16, 32, 64))))


def find_obstacle(network: Network, tail: ir.Model, layer: Layer, value: str) -> Obstacle | None:
    """Find what keeps a value from being a sum over the units of a layer.

    The value is f(A) = b + sum_k g_k(A_k), A_k being the map of unit k, if nothing does.

    Parameters
    ----------
    network : Network
        The network, for what axes mean.
    tail : onnx_ir.Model
        Its graph from the layer on.
    layer : Layer
        The layer.
    value : str
        One of the tail's outputs.

    Returns
    -------
    Obstacle or None
        In the order of the graph. What is not known counts as an obstacle.
    """
    needed = _needed(tail.graph, value)
    kinds: dict[str, _Kind] = {layer.name: _Apart(layer.layout.index("C"))}
    for node in tail.graph:
        if not any(name_of(out) in needed for out in node.outputs):
            continue
        read = {name_of(one): kinds[name_of(one)] for one in values_read(node) if name_of(one) in kinds}
        if not read or operator_of(node).sizes_only:
            continue
        found = _Step(node, read, network, layer).kind()
        if isinstance(found, str):
            return Obstacle(node.op_type, node.name or "", name_of(node.outputs[0]), found)
        kinds.update((name_of(out), found) for out in node.outputs)
    return None


def _needed(graph: ir.Graph, value: str) -> set[str]:
    needed = {value}
    for node in reversed(graph):
        if any(name_of(out) in needed for out in node.outputs):
            needed.update(name_of(one) for one in values_read(node))
    return needed


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator that reads what depends on units.

    Attributes
    ----------
    node : onnx_ir.Node
    read : mapping of str to (_Apart or _Sums)
        Of what it reads, what depends on units.
    network : Network
    layer : Layer
    """

    node: ir.Node
    read: Mapping[str, _Kind]
    network: Network
    layer: Layer

    @property
    def operator(self) -> Operator:
        return operator_of(self.node)

    @property
    def sums(self) -> bool:
        """Whether something read is a sum already."""
        return any(isinstance(kind, _Sums) for kind in self.read.values())

    @property
    def first_only(self) -> bool:
        """Whether nothing but the first input depends on units."""
        return all(
            name_of(one) not in self.read
            for one in self.node.inputs[1:]
            if one is not None and one is not self.node.inputs[0]
        )

    def kind(self) -> _Kind | str:
        """Say what the result is, or why it is neither apart nor a sum."""
        operator, node = self.operator, self.node
        if operator.subgraphs or not is_followed(node):
            return "is not known to leave units apart"
        if operator.draws or (operator.training_mode and attribute(node, "training_mode", 0)):
            return "gives other numbers each time"
        if operator.fused and "activation" in node.attributes:
            return "mixes the units and bends their sum"
        if operator.compute in _PRODUCTS:
            return self._product()
        if operator.compute is not Compute.NONE:
            return "weighs places by what all units say"
        # outside of training a normalisation of the batch scales by what is stored
        if operator.training_mode or operator.numbers is Numbers.DEQUANTISED:
            return self._kept() if self.first_only else "is scaled by what units say"
        if operator.axes is Axes.SPATIAL:
            return self._window()
        if operator.axes in (Axes.REDUCED, Axes.REDUCED_ALONG):
            return self._reduced()
        repeated = operator.states_shape is not None
        if operator.axes in _MOVING or operator.numbers is Numbers.COPIED or repeated:
            return self._moved()
        if operator.axes in (Axes.POINTWISE, Axes.FIRST):
            return self._by_number()
        return "is not known to leave units apart"

    def _product(self) -> _Kind | str:
        operator = self.operator
        if operator.rounds or operator.scaled_by_batch or operator.result_scale is not None:
            return "rounds the sum over units"
        factors = [self.node.inputs[0], self.node.inputs[self.operator.weights]]
        if self.operator.compute is Compute.EINSUM:
            factors = list(self.node.inputs)
        if sum(one is not None and name_of(one) in self.read for one in factors) > 1:
            return "multiplies units with each other"
        axis = self._axis()
        if self.operator.compute is Compute.CONVOLUTION and axis == 1 and not self.sums and self.first_only:
            group = int(attribute(self.node, "group", 1))
            if group == self.layer.units == self._length(axis):
                return _Apart(axis)
        return _Sums()

    def _window(self) -> _Kind | str:
        """Poolings and what else moves over maps."""
        operator = self.operator
        if not self.first_only:
            return "is not known to leave units apart"
        if operator.places in (Places.DEPTH_TO_SPACE, Places.SPACE_TO_DEPTH):
            return _Sums() if self.sums else _Apart(None)
        if operator.rounds:
            return self._nonlinear("rounds", axis_needed=True)
        if operator.arithmetic is Arithmetic.MEAN:
            return _Sums() if self.sums or self._outside_windows() is None else self._kept()
        if not self.sums and self._outside_windows() is None:
            return "takes the largest or a norm of numbers of several units"
        return self._nonlinear("takes the largest or a norm of")

    def _outside_windows(self) -> int | None:
        """Where the units lie, if windows do not move over them."""
        axis = self._axis()
        last = len(self.network.listing.shapes.get(name_of(self.node.outputs[0]), ())) - 1
        return axis if axis == (last if self.operator.channels_last else 1) else None

    def _reduced(self) -> _Kind | str:
        if not self.first_only:
            return "is not known to leave units apart"
        axis = self._axis()
        if self.operator.arithmetic in (Arithmetic.MEAN, Arithmetic.TOTAL):
            return _Sums() if self.sums or axis is None else _Apart(axis)
        if self.operator.axes is Axes.REDUCED_ALONG:
            return "tells a place, no amount"
        return self._nonlinear("reduces", axis_needed=True)

    def _moved(self) -> _Kind | str:
        if self.operator.rounds:
            return "rounds the sum over units" if self.sums else self._kept()
        if self.operator.converts and self._dtype() in _INTEGERS:
            return self._nonlinear("rounds")
        if self.operator.axes is not Axes.CONCATENATED and not self.first_only:
            return "moves numbers to where units say"
        if self.sums:
            return _Sums()
        if self.operator.places is Places.RESIZE and self._axis() is None:
            return _Sums()
        in_order = self.operator.axes in (*_IN_ORDER, Axes.FIRST, Axes.POINTWISE)
        return _Apart(self._axis() if in_order else None)

    def _by_number(self) -> _Kind | str:
        """Operators that compute each number from those at its place."""
        operator = self.operator
        linear = operator.arithmetic is Arithmetic.SUM or operator.numbers is Numbers.LINEAR
        if operator.sum_result is not None:
            return "divides a sum by what all units say"
        if operator.axes is Axes.POINTWISE and linear:
            if operator.rounds:
                return self._nonlinear("rounds")
            if operator.arithmetic not in (Arithmetic.PRODUCT, Arithmetic.QUOTIENT):
                return self._together() if self._same_units() else _Sums()
            divided = operator.arithmetic is Arithmetic.QUOTIENT and not self.first_only
            if len(self.read) == 1 and not divided and self._read_times() == 1:
                return self._kept()
            return self._nonlinear("multiplies", beside="by another one")
        if operator.numbers is Numbers.LINEAR:
            return self._kept()
        if operator.numbers in (*_BENDS, *_ROUNDS) and not operator.scaled_by_batch:
            return self._nonlinear("rounds" if operator.numbers in _ROUNDS else "bends")
        return "compares numbers of one unit with those of others"

    def _nonlinear(self, does: str, *, axis_needed: bool = False, beside: str = "") -> _Kind | str:
        """Take a nonlinear step: it leaves numbers apart that stand so, but sums no sums."""
        if self.sums:
            return f"{does} a sum over units{' ' + beside if beside else ''}"
        if axis_needed and self._axis() is None:
            return f"{does} numbers of several units"
        return self._together() if self._same_units() else f"{does} numbers of several units"

    def _together(self) -> _Kind:
        return _Sums() if self.sums else _Apart(self._axis())

    def _same_units(self) -> bool:
        """Whether all that is read has its units at the same place, or only one value is read."""
        if self.sums:
            return False
        if len(self.read) == 1:
            return True
        ranks = {len(self.network.listing.shapes.get(name, ())) for name in self.read}
        return len(ranks) == 1 and len(set(self.read.values())) == 1 and self._axis() is not None

    def _kept(self) -> _Kind:
        return _Sums() if self.sums else _Apart(self._axis())

    def _read_times(self) -> int:
        return sum(name_of(one) in self.read for one in self.node.inputs if one is not None)

    def _axis(self) -> int | None:
        """Where the units lie in the first result, if they lay along an axis of what is read."""
        if any(not isinstance(kind, _Apart) or kind.axis is None for kind in self.read.values()):
            return None
        if self.operator.axes is Axes.FIRST and len(self.read) == 1:
            # what surgery adds has no axes listed
            return next(kind.axis for kind in self.read.values() if isinstance(kind, _Apart))
        name = name_of(self.node.outputs[0])
        axes = self.network.listing.axes.get(name, "")
        shape = self.network.listing.shapes.get(name, ())
        if axes.count("C") != 1 or len(axes) != len(shape):
            return None
        at = axes.index("C")
        return at if shape[at] == self.layer.units else None

    def _length(self, axis: int) -> int:
        return self.network.listing.shapes[name_of(self.node.outputs[0])][axis]

    def _dtype(self) -> str:
        return self.network.listing.dtypes.get(name_of(self.node.outputs[0]), "")
