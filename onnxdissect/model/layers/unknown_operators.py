"""Operators that no table knows, and the values that they leave open."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxdissect.model.graph import name_of
from onnxdissect.model.operators.lookup import is_followed, operator_of
from onnxdissect.model.operators.rules import Axes
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["unknown_operators"]

_FLOATS = ("float32", "float16", "float64")


def unknown_operators(graph: ir.Graph, axes: Mapping[str, str], probe: Probe) -> tuple[tuple[str, str], ...]:
    """List operators from outside ONNX that are not followed.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    axes : mapping of str to str
        What the axes of its values mean.
    probe : Probe
        Shapes and types of its values.

    Returns
    -------
    tuple of (str, str)
        Each operator, with its domain, and the first map or row of tokens that it leaves open. Operators of
        ONNX itself that are in no table choose, sort or loop: what they give has no place in the image.
    """
    found: dict[str, str] = {}
    for node in graph:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if not domain or (is_followed(node) and operator_of(node).axes is not Axes.OPEN):
            continue
        # operators of one's own take part from the image on; what they get may be open itself
        for value in node.outputs:
            name = name_of(value)
            wide = len(probe.shapes.get(name, ())) in (3, 4) and probe.dtypes.get(name) in _FLOATS
            if wide and name not in axes:
                found.setdefault(f"{domain}::{node.op_type}", name)
    return tuple(found.items())
