"""Products of matrices: what the axes of the result mean, and which operand's tokens it has."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of, stored_shape
from onnxdissect.model.layout.products.contracted import product_from_left
from onnxdissect.model.layout.products.einsum import Equation, parse_equation
from onnxdissect.model.layout.products.picked import product_places
from onnxdissect.model.layout.tokens import Tokens
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Places
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["agree", "einsum_axes", "einsum_operands", "product_axes", "product_tokens", "table_rows"]


def agree(letters: list[str]) -> str:
    """Give the one meaning that several axes have.

    Parameters
    ----------
    letters : list of str
        Meaning of each; see `onnxdissect.model.layout.axes`.

    Returns
    -------
    str
        "?" where they differ, or none is known.
    """
    known = {letter for letter in letters if letter not in "?x"} or {
        letter for letter in letters if letter == "x"
    }
    return known.pop() if len(known) == 1 else "?"


def product_axes(
    node: ir.Node, axes: Mapping[str, str], tokens: Mapping[str, Tokens], probe: Probe
) -> str | None:
    """Name the axes of a matrix product.

    Parameters
    ----------
    node : onnx_ir.Node
        A product over the last axis of its first operand.
    axes : mapping of str to str
        What the axes of values mean.
    tokens : mapping of str to Tokens
        What lies along their token axes.
    probe : Probe
        Numbers of weights that move cells.

    Returns
    -------
    str or None
        None where an operand is not followed, or turned round.
    """
    first = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
    operator = operator_of(node)
    if first not in axes and operator.places is Places.MATRIX:
        return product_from_left(node, axes, probe)
    if first not in axes or any(
        attribute(node, name, 0) for name in ("transA", "transBatchA", "transBatchB")
    ):
        return None
    source = axes[first]
    right = _right(node)
    if right in axes:
        other = axes[right]
        # queries by keys, or weights by values: rows of the one, columns of the other
        if operator.two_axes or len(other) != len(source) or len(source) < 2:
            return None
        ends = source[-2] + other[-2 if attribute(node, "transB", 0) else -1]
        if ends == "TT" and tokens.get(first) != tokens.get(right):
            ends = "T?"
        return "".join(agree([a, b]) for a, b in zip(source[:-2], other[:-2], strict=True)) + ends
    if source[-1] in "HW" and product_places(node, 1, probe) is not None:
        return source
    # features that are no units yet (cells and units in a row, the pixels of a patch) become units
    units = source[-1] in "Cc" or (source[-1] in "?tx" and not set("Cc") & set(source))
    return source[:-1] + ("C" if units else "?")


def product_tokens(node: ir.Node, letters: str, tokens: Mapping[str, Tokens]) -> Tokens | None:
    """Tell what lies along the token axis of a matrix product.

    Parameters
    ----------
    node : onnx_ir.Node
        The product.
    letters : str
        Axes of its result, one of them "T".
    tokens : mapping of str to Tokens
        What lies along the token axes of its operands.

    Returns
    -------
    Tokens or None
    """
    first = name_of(node.inputs[0]) if node.inputs[0] is not None else ""
    if letters.index("T") < len(letters) - 2:
        found = {tokens[name] for name in (first, _right(node)) if name in tokens}
        return found.pop() if len(found) == 1 else None
    # queries have a grid of their own: coarser than that of the keys where attention shrinks the map
    rows = letters.index("T") == len(letters) - 2
    return tokens.get(first if rows else _right(node))


def _right(node: ir.Node) -> str:
    index = operator_of(node).weights
    value = node.inputs[index] if index < len(node.inputs) else None
    return "" if value is None else name_of(value)


def table_rows(node: ir.Node) -> str:
    """Name the numbers by which each cell takes a row of a stored table: a product with one of its rows.

    Parameters
    ----------
    node : onnx_ir.Node
        Any node.

    Returns
    -------
    str
        Empty where the node is no such lookup.
    """
    table_axis = operator_of(node).table_axis
    if not table_axis or len(node.inputs) < 2 or node.inputs[1] is None:
        return ""
    shape = stored_shape(node.inputs[0])
    axis = attribute(node, table_axis, 0)
    return name_of(node.inputs[1]) if shape is not None and len(shape) == 2 and int(axis) in (0, -2) else ""


def einsum_operands(
    node: ir.Node, axes: Mapping[str, str], probe: Probe
) -> tuple[Equation, dict[int, str], list[str]] | None:
    """Read an Einsum node.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    axes : mapping of str to str
        What the axes of values mean.
    probe : Probe
        Shapes of values.

    Returns
    -------
    equation : Equation
        Its equation.
    known : dict of int to str
        Axes of the operands that depend on the image.
    names : list of str
        Names of all operands.

        All of it None where the equation cannot be read, or an operand that depends on the image is open.
    """
    names = [name_of(value) if value is not None else "" for value in node.inputs]
    shapes = [
        probe.shapes.get(name) or stored_shape(value) for name, value in zip(names, node.inputs, strict=True)
    ]
    if any(name in probe.shapes and name not in axes for name in names):
        return None
    written = str(attribute(node, "equation", "")).replace(" ", "").partition("->")[0].split(",")
    if len(written) != len(names):
        return None
    # weights that the graph computes have no shape that could be looked up; the equation has it
    ranks = [
        len(letters) if shape is None else len(shape) for letters, shape in zip(written, shapes, strict=True)
    ]
    equation = parse_equation(node, ranks)
    if equation is None:
        return None
    return equation, {i: axes[name] for i, name in enumerate(names) if name in axes}, names


def einsum_axes(
    node: ir.Node, axes: Mapping[str, str], tokens: Mapping[str, Tokens], probe: Probe
) -> tuple[str, Tokens | None] | None:
    """Name the axes of an Einsum node's result.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    axes : mapping of str to str
        What the axes of values mean.
    tokens : mapping of str to Tokens
        What lies along their token axes.
    probe : Probe
        Shapes of values.

    Returns
    -------
    letters : str
        The axes.
    along : Tokens or None
        What lies along the token axis, where there is one.

        Both None where the equation does not tell.
    """
    read = einsum_operands(node, axes, probe)
    letters = read[0].axes(read[1]) if read is not None else None
    if read is None or letters is None:
        return None
    equation, known, names = read
    found: list[Tokens | None] = []
    for place in (i for i, letter in enumerate(letters) if letter == "T"):
        grids = {tokens.get(names[i]) for i in equation.holding(place) if i in known}
        found.append(grids.pop() if len(grids) == 1 else None)
    first = letters.find("T")
    if len(set(found)) > 1:
        letters = letters[: first + 1] + letters[first + 1 :].replace("T", "?")
    return letters, found[0] if found else None
