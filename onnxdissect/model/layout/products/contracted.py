"""Axes after operators that pick, turn or contract them by stored numbers or by an equation."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.layout.products.picked import product_places
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["einsum", "gather_elements", "product_from_left"]


def gather_elements(node: ir.Node, source: str, probe: Probe) -> str | None:
    """Follow a GatherElements with stored indices.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    source : str
        Axes of the operand.
    probe : Probe
        Shapes and numbers.

    Returns
    -------
    str or None
        Axes of the result; None where they cannot be told.
    """
    same = len(probe.shapes.get(name_of(node.outputs[0]), ())) == len(source)
    return source if same and probe.number(node, 1) is not None else None


def einsum(node: ir.Node, source: str, probe: Probe) -> str | None:
    """Follow one operand whose axes are put into another order, and none summed over.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    source : str
        Axes of the operand.
    probe : Probe
        Shapes and numbers.

    Returns
    -------
    str or None
        Axes of the result; None where they cannot be told.
    """
    before, arrow, after = str(attribute(node, "equation", "")).replace(" ", "").partition("->")
    if not arrow or len(node.inputs) > 1 or len(before) != len(source) or sorted(before) != sorted(after):
        return None
    return (
        "".join(source[before.index(letter)] for letter in after) if len(set(after)) == len(after) else None
    )


def product_from_left(node: ir.Node, axes: Mapping[str, str], probe: Probe) -> str | None:
    """Follow stored weights before the activations, a product over their last axis but one.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    axes : mapping of str to str
        Axes of values.
    probe : Probe
        Shapes and numbers.

    Returns
    -------
    str or None
        Axes of the result; None where they cannot be told.
    """
    source = axes[name_of(node.inputs[1])] if node.inputs[1] is not None else ""
    weights = probe.number(node, 0)
    if len(source) < 2 or weights is None or weights.ndim != 2:
        return None
    if source[-2] in "HW" and product_places(node, 0, probe) is not None:
        return source
    return source[:-2] + ("C" if source[-2] in "Cc" else "?") + source[-1]
