"""Power means: values that are bent only to be averaged and bent back, as in generalised-mean pooling (GeM).

The mean of x^p, to the power of 1/p, lies between the mean and the maximum of a map. Its powers are a way of
pooling, not features: what the network hands on is the map before them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import onnx_ir as ir

from onnxdissect.model.graph import constant, name_of, stored_size
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Arithmetic, Numbers, Places

__all__ = ["averaged_powers"]

_POWERS = (Arithmetic.EXPONENTIAL, Arithmetic.POWER)
_ROOTS = (Arithmetic.LOGARITHM, Arithmetic.POWER, Arithmetic.RECIPROCAL, Arithmetic.ROOT)


def averaged_powers(graph: ir.Graph, spatial: Collection[str]) -> set[str]:
    """Values of a graph that only serve a power mean.

    Parameters
    ----------
    graph : onnx_ir.Graph
        In topological order.
    spatial : collection of str
        Names of the values that depend on the image.

    Returns
    -------
    set of str
        Powers, with copies of them, and the lower bounds above zero that keep the numbers in front of a power
        positive. The square in a variance that is spelled out is one too.
    """
    found: set[str] = set()
    nodes = [node for node in graph if node.outputs and node.outputs[0].name in spatial]
    for node in reversed(nodes):
        value = node.outputs[0]
        # copies are followed only from here, or a long row of them would be walked from each of its values
        guard, power = _is_guard(node), _is_power(node)
        readers = list(_readers(value)) if guard or power else []
        if value.is_graph_output() or not readers:
            continue
        guards = guard and all(name_of(r.outputs[0]) in found for r in readers)
        if guards or (power and all(_averages(r, _is_square(node)) for r in readers)):
            found.add(name_of(value))
    for node in nodes:
        source = node.inputs[0] if node.inputs else None
        if operator_of(node).repeats and source is not None and source.name in found:
            found.add(name_of(node.outputs[0]))
    return found


def _readers(value: ir.Value) -> Iterator[ir.Node]:
    """Nodes that read a value, or a copy of it."""
    waiting = [iter(value.uses())]
    while waiting:
        use = next(waiting[-1], None)
        if use is None:
            waiting.pop()
        elif operator_of(use[0]).repeats:
            waiting.append(iter(use[0].outputs[0].uses()))
        else:
            yield use[0]


def _is_square(node: ir.Node) -> bool:
    arithmetic = operator_of(node).arithmetic
    times = arithmetic is Arithmetic.PRODUCT
    return arithmetic is Arithmetic.POWER or (times and node.inputs[0] is node.inputs[1])


def _is_power(node: ir.Node) -> bool:
    return operator_of(node).arithmetic in _POWERS or _is_square(node)


def _is_guard(node: ir.Node) -> bool:
    """Whether a node keeps numbers positive without cutting them at zero, as a rectifier would."""
    operator = operator_of(node)
    clips = operator.arithmetic is Arithmetic.BOUNDS
    adds = operator.arithmetic is Arithmetic.SUM and operator.numbers is Numbers.LINEAR
    if operator.arithmetic is Arithmetic.ABSOLUTE:
        return True
    if not (adds or clips or operator.arithmetic is Arithmetic.MAXIMUM):
        return False
    bounds = [constant(value) for value in list(node.inputs)[1 : 2 if clips else None]]
    bounds += [] if clips else [constant(node.inputs[0])]
    stored = [bound for bound in bounds if bound is not None]
    return len(stored) == 1 and stored[0].size == 1 and float(stored[0].reshape(())) > 0


def _averages(node: ir.Node, squared: bool) -> bool:
    """Whether a node takes the mean of powers: of squares any, of others one that is bent back behind."""
    operator = operator_of(node)
    reduces = operator.places is Places.REDUCED
    if not reduces and operator.places is not Places.WHOLE and operator.arithmetic is not Arithmetic.MEAN:
        return False
    return (squared and reduces) or _is_bent_back(node.outputs[0])


def _is_bent_back(value: ir.Value) -> bool:
    while True:
        readers = list(_readers(value))
        if len(readers) != 1:
            return False
        node = readers[0]
        operator = operator_of(node)
        if operator.arithmetic in _ROOTS:
            return True
        linear = operator.numbers is Numbers.LINEAR
        scaled = linear and any(stored_size(operand) == 1 for operand in node.inputs)
        if not (scaled or operator.reshapes):
            return False
        value = node.outputs[0]
