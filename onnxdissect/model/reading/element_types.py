"""Element types that follow from the operators' own definitions, without running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
import onnx_ir as ir

from onnxdissect.model.graph import attribute, is_stored, name_of, stored_tensor
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.reading.attribute_types import operator_schema
from onnxdissect.model.runtime.inference import DTYPES

__all__ = ["follow_types"]


def follow_types(graph: ir.Graph, opsets: Mapping[str, int]) -> dict[str, str]:
    """Give the element type of every value for which ONNX's schemas leave only one.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    opsets : mapping of str to int
        Version of each operator domain.

    Returns
    -------
    dict of str to str
        NumPy's name of the type. Values missing from it come from operators without a schema, or have a type
        that an attribute decides.
    """
    known = {name_of(value): _declared(value) for value in graph.inputs}
    types = {name: dtype for name, dtype in known.items() if dtype is not None}
    schemas: dict[tuple[str, str], onnx.defs.OpSchema | None] = {}
    for node in graph:
        key = (node.domain, node.op_type)
        if key not in schemas:
            schemas[key] = operator_schema(*key, opsets)
        schema = schemas[key]
        if schema is None:
            continue
        for index, value in enumerate(node.outputs):
            dtype = _declared(value) if is_stored(value) else _result(node, index, schema, types)
            if dtype is not None and value.name:
                types[value.name] = dtype
    return types


def _result(node: ir.Node, index: int, schema: onnx.defs.OpSchema, types: dict[str, str]) -> str | None:
    formal = _formal(schema.outputs, index)
    if formal is None:
        return None
    if operator_of(node).converts:
        try:
            return _named(ir.DataType(attribute(node, "to", 0)))
        except ValueError:  # no type has this number, and onnxruntime says so
            return None
    if len(formal.types) == 1:
        return DTYPES.get(next(iter(formal.types)))
    for place, value in enumerate(node.inputs):
        source = _formal(schema.inputs, place)
        # a variadic parameter may hold a different type in each place
        if value is None or source is None or source.type_str != formal.type_str or not source.is_homogeneous:
            continue
        return types.get(name_of(value)) or (_declared(value) if is_stored(value) else None)
    return None


def _formal(
    formals: Sequence[onnx.defs.OpSchema.FormalParameter], index: int
) -> onnx.defs.OpSchema.FormalParameter | None:
    if index < len(formals):
        return formals[index]
    last = formals[-1] if formals else None
    return (
        last
        if last is not None and last.option == onnx.defs.OpSchema.FormalParameterOption.Variadic
        else None
    )


def _declared(value: ir.Value) -> str | None:
    tensor = stored_tensor(value)
    dtype = value.dtype if tensor is None else tensor.dtype
    return None if dtype is None else _named(dtype)


def _named(dtype: ir.DataType) -> str | None:
    try:
        name: str = dtype.numpy().name
    except TypeError:  # strings, and no type at all
        return None
    return name if name in DTYPES.values() else None
