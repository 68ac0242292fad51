"""Attributes of a type that their operator does not have: a text for pads, a list for a number of groups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
import onnx_ir as ir

from onnxdissect.errors import ModelFormatError

__all__ = ["check_attribute_types", "operator_schema"]

# named alike in the library of definitions and in the format
_KINDS = onnx.defs.OpSchema.AttrType
_TYPES = {getattr(_KINDS, kind.name): int(kind) for kind in ir.AttributeType if hasattr(_KINDS, kind.name)}


def check_attribute_types(path: Path, model: ir.Model) -> None:
    """Refuse attributes whose type is not the one that ONNX gives them.

    onnxruntime refuses them too, but what the graph says of axes and cells is read off it before.

    Parameters
    ----------
    path : Path
        The model's file.
    model : onnx_ir.Model
        What was read from it, functions inlined.

    Raises
    ------
    ModelFormatError
        If there is one; the node and both types are named.
    """
    expected: dict[tuple[str, str], dict[str, int]] = {}
    for node in model.graph.all_nodes():
        key = (node.domain, node.op_type)
        if key not in expected:
            schema = operator_schema(*key, model.opset_imports)
            attributes = {} if schema is None else schema.attributes
            expected[key] = {name: _TYPES[found.type] for name, found in attributes.items()}
        types = expected[key]
        _check_order(path, node)
        _check_scanned(path, node)
        for name, attribute in node.attributes.items():
            if name in types and types[name] != int(attribute.type):
                wanted = ir.AttributeType(types[name]).name
                called = f"the node {node.name[:100]!r}" if node.name else "a node"
                raise ModelFormatError(
                    f"{path}: {called} ({node.op_type}) has an attribute {name!r} of type "
                    f"{attribute.type.name}, and ONNX has {wanted} there",
                    hint="export the model again",
                )


def _check_order(path: Path, node: ir.Node) -> None:
    """Refuse an order of axes that leaves some out, or counts from the end."""
    found = node.attributes.get("perm")
    if node.op_type != "Transpose" or found is None or found.type != ir.AttributeType.INTS:
        return
    order = [int(axis) for axis in found.value]
    if sorted(order) != list(range(len(order))):
        raise ModelFormatError(
            f"{path}: the node {(node.name or '')[:100]!r} (Transpose) has the order of axes "
            f"{order[:10]}, which is not one of all of them",
            hint="export the model again",
        )


def _check_scanned(path: Path, node: ir.Node) -> None:
    """Refuse a Scan over more inputs than it has: onnxruntime takes memory for so many before it looks."""
    found = node.attributes.get("num_scan_inputs")
    if node.op_type != "Scan" or found is None or found.type != ir.AttributeType.INT:
        return
    number = int(found.value)
    if not 0 <= number <= len(node.inputs):
        raise ModelFormatError(
            f"{path}: the node {(node.name or '')[:100]!r} (Scan) goes over {number:,} inputs, and it has "
            f"{len(node.inputs)}",
            hint="export the model again",
        )


def operator_schema(domain: str, op: str, opsets: Mapping[str, int]) -> onnx.defs.OpSchema | None:
    """Look up how ONNX defines an operator.

    Parameters
    ----------
    domain : str
        Its domain.
    op : str
        Its name.
    opsets : mapping of str to int
        Version of each domain that the graph imports.

    Returns
    -------
    onnx.defs.OpSchema or None
        None for operators from outside ONNX, and of domains that the graph does not import.
    """
    domain = "" if domain == "ai.onnx" else domain
    version = opsets.get(domain, opsets.get("ai.onnx", 0) if domain == "" else 0)
    try:
        return onnx.defs.get_schema(op, version, domain) if version else None
    except onnx.defs.SchemaError:
        return None
