"""Functions are put in the place of their calls: a value inside one has no name that could be asked for."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir
from onnx_ir.passes import common as passes

__all__ = ["inline_functions"]

_NESTED = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
_Names = list[tuple[ir.Node, str, list[str]]]


def inline_functions(model: ir.Model) -> ir.Model:
    """Inline all functions.

    The graph library finds a free name for each node and value by trying 2, 3 and so on behind the one that
    it has in the function, which takes the square of the number of calls. So before each call is inlined, its
    function is given the names that would be found. Graphs inside nodes add to the names that are taken only
    once the library comes to them, and where there are any it is left alone.

    Parameters
    ----------
    model : onnx_ir.Model
        Changed in place; its functions call each other in no circle.

    Returns
    -------
    onnx_ir.Model
        The same model, with the names that the library alone would have given.
    """
    nodes = [*model.graph, *(node for function in model.functions.values() for node in function)]
    if any(attribute.type in _NESTED for node in nodes for attribute in node.attributes.values()):
        return passes.InlinePass()(model).model
    graph = model.graph
    made = [value.name for node in graph for value in node.outputs]
    node_names = _FreeNames(node.name for node in graph)
    value_names = _FreeNames([*(value.name for value in graph.inputs), *graph.initializers, *made])
    written: dict[ir.OperatorIdentifier, _Names] = {}

    def rename(function: ir.Function) -> bool:
        key = function.identifier()
        if key not in written:
            written[key] = [
                (node, node.name or "node", [value.name or "val" for value in node.outputs])
                for node in function
            ]
        for node, name, outputs in written[key]:
            node.name = node_names.take(name)
            for value, output in zip(node.outputs, outputs, strict=True):
                value.name = value_names.take(output)
        return True

    # asked before each call whether it is to be inlined
    return passes.InlinePass(criteria=rename)(model).model


class _FreeNames:
    """Names that are taken, and for each the number that was last put behind it."""

    def __init__(self, taken: Iterable[str | None]) -> None:
        self._taken = {name for name in taken if name is not None}
        self._last: dict[str, int] = {}

    def take(self, name: str) -> str:
        number = self._last.get(name, 1)
        found = name if number == 1 else f"{name}_{number}"
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._last[name] = number
        self._taken.add(found)
        return found
