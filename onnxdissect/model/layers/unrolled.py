"""Steps of a recurrent network that was written out: units of single columns, dozens of times the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx_ir as ir

from onnxdissect.model.graph import name_of
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Places

__all__ = ["unrolled_steps"]

_FEWEST = 3
"""Picks from one sequence; a class token and one for distillation are two."""

_PICKING = (Places.GATHER, Places.SLICE, Places.SPLIT)


def unrolled_steps(graph: ir.Graph, axes: Mapping[str, str], layers: Mapping[str, Layer]) -> set[str]:
    """Find the values that belong to single time steps.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    axes : mapping of str to str
        What the axes of its values mean.
    layers : mapping of str to Layer
        Values that can be dissected.

    Returns
    -------
    set of str
        Units without a map that are computed from a single place of a sequence, where there are as many of
        their kind as places were picked. What comes once, behind the last step, is none.
    """
    picked: dict[str, list[str]] = {}
    for node in graph:
        if operator_of(node).places in _PICKING and node.inputs and node.inputs[0] is not None:
            source = name_of(node.inputs[0])
            if source in axes:
                picked.setdefault(source, []).extend(_picks(node, axes[source], axes))
    roots = {name for names in picked.values() if len(names) >= _FEWEST for name in names}
    if not roots:
        return set()
    fewest = min(len(names) for names in picked.values() if len(names) >= _FEWEST)
    stepped = set(roots)
    kinds: dict[str, tuple[str, int]] = {}
    for node in graph:
        if any(value is not None and value.name in stepped for value in node.inputs):
            stepped.update(name_of(value) for value in node.outputs)
        for value in node.outputs:
            layer = layers.get(name_of(value))
            if value.name in stepped and layer is not None and layer.layout == "NC":
                kinds[layer.name] = (layer.op, layer.units)
    counts = Counter(kinds.values())
    # the first and the last step may lack what the others have
    return {name for name, kind in kinds.items() if counts[kind] >= max(fewest - 2, _FEWEST)}


def _picks(node: ir.Node, source: str, axes: Mapping[str, str]) -> list[str]:
    """Results that hold one place of a sequence, right away or once its axis is taken off."""
    if len(source) < 3:
        return []
    found = []
    for value in node.outputs:
        name = name_of(value)
        users = [user for user, _ in value.uses()]
        if len(users) == 1 and operator_of(users[0]).axes in (Axes.RESHAPED, Axes.SQUEEZED):
            name = name_of(users[0].outputs[0])
        if len(axes.get(name, "")) == 2 and axes[name][0] == "N":
            found.append(name)
    return found
