"""Values behind a nonlinearity, however it is written.

A nonlinearity is written as one operator (Relu) or as several (x * sigmoid(x), x * clip(x + 3, 0, 6) / 6,
x * (1 + erf(x / sqrt 2)) / 2). So the graph is read as regions: a region is everything computed cell by cell
from one root value and scalar constants. Where a region that contains something nonlinear is left, there is a
post-nonlinearity value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx_ir as ir

from onnxdissect.model.graph import live_values, name_of, stored_size
from onnxdissect.model.layout.quantised import is_rectified
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Arithmetic, Axes, Numbers
from onnxdissect.model.stages.blocks.power_mean import averaged_powers

__all__ = ["Activated", "activated_values"]


@dataclass(frozen=True, slots=True)
class _Region:
    root: str
    nonlinear: bool


@dataclass(frozen=True, slots=True)
class Activated:
    """Values that leave a nonlinearity.

    Attributes
    ----------
    values : dict of str to None
        Their names, in topological order.
    roots : dict of str to str
        For each value computed cell by cell, what it is computed from.
    averaged : set of str
        Values that are bent only to be averaged, see `onnxdissect.model.stages.blocks.power_mean`.
    """

    values: dict[str, None]
    roots: dict[str, str]
    averaged: set[str]


def activated_values(graph: ir.Graph, spatial: Iterable[str]) -> Activated:
    """Values that leave a nonlinearity, in topological order.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    spatial : iterable of str
        Values that depend on the image.

    Returns
    -------
    Activated
        With concatenations of such values, which are one layer to what follows; without gates, that is
        sigmoids that only weigh other values, and without what no output is computed from.
    """
    live = live_values(graph)
    known = live.intersection(spatial)
    regions = {name: _Region(name, False) for name in known}
    handed_on: set[str] = set()
    found: list[str] = []
    outputs = {name_of(value) for value in graph.outputs}
    averaged = averaged_powers(graph, known)
    for node in graph:
        for value in node.outputs:
            if value.name in known and value.name not in averaged:
                regions[value.name] = _region(node, value.name, regions, known)
    leaving = _leaving(graph, regions, outputs, live)
    for node in graph:
        operands = [name_of(v) for v in node.inputs if v is not None and v.name in known]
        for value in node.outputs:
            name = name_of(value)
            if name not in known or not operands:
                continue
            if regions[name].nonlinear:
                handed_on.add(name)
                if name in leaving and not _is_gate(node, value):
                    found.append(name)
            elif (_carries(node) or _joins(node)) and handed_on.issuperset(operands):
                handed_on.add(name)
                if _joins(node) and len(operands) > 1:
                    found.append(name)
    roots = {name: region.root for name, region in regions.items()}
    return Activated(dict.fromkeys(found), roots, averaged)


def _region(node: ir.Node, name: str, regions: dict[str, _Region], known: set[str]) -> _Region:
    operator = operator_of(node)
    operands = [value for value in node.inputs if value is not None]
    moving = [regions[name_of(v)] for v in operands if v.name in known]
    roots = {region.root for region in moving}
    nonlinear = any(region.nonlinear for region in moving)
    own = _Region(name, is_rectified(node))
    if len(roots) != 1:
        return own
    root = roots.pop()
    if operator.repeats:
        return _Region(root, nonlinear)
    if operator.numbers is Numbers.NONLINEAR:
        return _Region(root, True)
    by_constant = operator.numbers is Numbers.NONLINEAR_BY_CONSTANT
    if operator.numbers is Numbers.LINEAR or by_constant:
        # a weight per channel (a folded normalisation) starts anew: it is the next layer's business
        if any(stored_size(v) != 1 for v in operands if v.name not in known):
            return own
        multiplied = operator.arithmetic in (Arithmetic.PRODUCT, Arithmetic.QUOTIENT) and len(moving) > 1
        return _Region(root, nonlinear or multiplied or by_constant)
    return own


def _carries(node: ir.Node) -> bool:
    operator = operator_of(node)
    return operator.repeats or operator.numbers is Numbers.CARRIED


def _joins(node: ir.Node) -> bool:
    """Whether an operator concatenates; one of integers has a twin that says what they stand for."""
    operator = operator_of(node)
    return operator.axes is Axes.CONCATENATED and operator.result_scale is None


def _leaving(graph: ir.Graph, regions: dict[str, _Region], outputs: set[str], live: set[str]) -> set[str]:
    """Values that `_leaves` says yes of; from the end, so that copies are known before what they repeat."""
    leaving: set[str] = set()
    for node in reversed(graph):
        for value in node.outputs:
            if value.name in regions and _leaves(value, regions, outputs, live, leaving):
                leaving.add(name_of(value))
    return leaving


def _leaves(
    value: ir.Value, regions: dict[str, _Region], outputs: set[str], live: set[str], leaving: set[str]
) -> bool:
    """Whether something other than the rest of the nonlinearity reads a value, or a copy of it."""
    root = regions[name_of(value)].root
    if name_of(value) in outputs:
        return True
    inside: list[bool] = []
    for node, _ in value.uses():
        for out in node.outputs[:1]:
            if not any(result.name in live for result in node.outputs):
                continue
            kept = out.name in regions and regions[name_of(out)].root == root
            # a copy may be no layer, such as tokens that are turned before they are averaged
            inside.append(kept and not (operator_of(node).repeats and name_of(out) in leaving))
    return not inside or not all(inside)


def _is_gate(node: ir.Node, value: ir.Value) -> bool:
    uses = value.uses()
    return operator_of(node).gate and bool(uses) and all(_weighs(user, number) for user, number in uses)


def _weighs(node: ir.Node, number: int) -> bool:
    """Tell whether an operator does no more with an input than weigh another by it."""
    operator = operator_of(node)
    if operator.weighs_by is not None:
        return number == operator.weighs_by
    return operator.arithmetic is Arithmetic.PRODUCT and operator.numbers is Numbers.LINEAR
