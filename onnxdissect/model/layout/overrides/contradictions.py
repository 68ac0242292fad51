"""Stated layouts that the graph contradicts: what an operator settles, nobody can state otherwise."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model.graph import attribute, computed_values, name_of
from onnxdissect.model.layers.listing import Listing
from onnxdissect.model.layers.records import LAYOUTS
from onnxdissect.model.layout.axes import LayoutOverrides
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Units
from onnxdissect.model.receptive_field.window_shape import channels_last

__all__ = ["refuse_contradictions"]


def refuse_contradictions(
    graph: ir.Graph, given: Mapping[str, LayoutOverrides], alone: Listing, followed: Listing
) -> None:
    """Hold stated layouts against what the graph settles.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    given : mapping of str to LayoutOverrides
        Stated layouts, by value.
    alone : Listing
        What the graph tells by itself.
    followed : Listing
        What it tells when the stated layouts are believed.

    Raises
    ------
    LayerLayoutError
        If the graph settles an axis otherwise: by what computes the value, or by what reads it or something
        that has its axes.
    """
    values = computed_values(graph)
    for name, stated in given.items():
        settled = alone.axes.get(name, "")
        if any(had in "NCHWT" and had != said for had, said in zip(settled, stated.layout, strict=False)):
            layer = next((one for one in (*alone.layers, *alone.copies) if one.name == name), None)
            raise _contradicts(name, stated.layout, settled, "" if layer is None else layer.reason)
        producer = values[name].producer() if name in values else None
        found = None if producer is None else _units_axis(producer, len(stated.layout))
        if producer is not None and found is not None and stated.layout.index("C") != found:
            raise _contradicts(
                name, stated.layout, "", f"{producer.op_type} computes it with units along axis {found}"
            )
    for node in graph:
        read = node.inputs[0] if node.inputs else None
        letters = followed.axes.get(name_of(read), "") if read is not None else ""
        axis = _units_axis(node, len(letters)) if "C" in letters else None
        if read is None or axis is None or letters.index("C") == axis:
            continue
        if letters == alone.axes.get(name_of(read)):
            continue
        origin = _origin(read, given)
        if origin is not None:
            raise _contradicts(
                origin,
                given[origin].layout,
                "",
                f"{node.op_type} ({node.name or name_of(node.outputs[0])}) reads {_what(read, origin)} with "
                f"units along axis {axis}, and so it would have them along axis {letters.index('C')}",
            )


def _what(read: ir.Value, origin: str) -> str:
    return "it" if name_of(read) == origin else repr(name_of(read))


def _units_axis(node: ir.Node, rank: int) -> int | None:
    """Axis along which an operator has its units; None where it does not tell."""
    units = operator_of(node).units
    if units is Units.SECOND and rank in (3, 4):
        return rank - 1 if channels_last(node) else 1
    if units is Units.LAST and int(attribute(node, "axis", -1)) in (-1, rank - 1):
        return rank - 1
    return None


def _origin(value: ir.Value, given: Mapping[str, LayoutOverrides]) -> str | None:
    """Find the stated value that another one has its axes from."""
    seen: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if name_of(one) in given:
            return name_of(one)
        producer = one.producer()
        if producer is None or name_of(one) in seen:
            continue
        seen.add(name_of(one))
        waiting.extend(operand for operand in reversed(producer.inputs) if operand is not None)
    return None


def _contradicts(name: str, layout: str, settled: str, reason: str) -> LayerLayoutError:
    has = f"has the axes {settled}" if settled else "has its units elsewhere"
    open_ = " (? is open)" if "?" in settled else ""
    because = f": {reason}" if reason else ""
    return LayerLayoutError(
        f"the layout {layout} is stated for {name!r}, which by the graph {has}{open_}{because}",
        candidates=(settled,) if settled in LAYOUTS else (),
        hint=f"leave --layout {name}={layout} out",
    )
