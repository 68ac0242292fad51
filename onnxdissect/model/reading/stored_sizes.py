"""Whether a file holds the numbers that its tensors claim: compared before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto

from onnxdissect.errors import ModelFormatError
from onnxdissect.model.reading.function_calls import inner_graphs

__all__ = ["MOST_AXES", "check_stored_sizes"]

MOST_AXES = 64
"""NumPy's."""

_MOST_DIGITS = 20
"""Those of the largest number of 64 bits."""

_BITS = {
    **dict.fromkeys(("UINT2", "INT2"), 2),
    **dict.fromkeys(("UINT4", "INT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("UINT8", "INT8", "BOOL"), 8),
    **dict.fromkeys(("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0"), 8),
    **dict.fromkeys(("UINT16", "INT16", "FLOAT16", "BFLOAT16"), 16),
    **dict.fromkeys(("FLOAT", "INT32", "UINT32"), 32),
    **dict.fromkeys(("DOUBLE", "INT64", "UINT64", "COMPLEX64"), 64),
    "COMPLEX128": 128,
}
# Types whose numbers have a field of their own; those of all others are in `int32_data`.
_FIELDS = {
    "FLOAT": "float_data",
    "COMPLEX64": "float_data",
    "DOUBLE": "double_data",
    "COMPLEX128": "double_data",
    "INT64": "int64_data",
    "UINT32": "uint64_data",
    "UINT64": "uint64_data",
    "STRING": "string_data",
}


def check_stored_sizes(path: Path, proto: onnx.ModelProto) -> None:
    """Refuse tensors that have other numbers than their shape says, or lie nowhere in another file.

    Parameters
    ----------
    path : Path
        The file.
    proto : onnx.ModelProto
        What was read from it. Whether files beside it are there and long enough is not looked at.

    Raises
    ------
    ModelFormatError
        If a tensor has fewer numbers than its shape says, or more bytes; a length below 0, or more than 64
        axes; or if its place in another file is no number.
    """
    for tensor in _tensors(proto):
        dims = list(tensor.dims)
        if len(dims) > MOST_AXES:
            raise ModelFormatError(
                f"{path}: the stored tensor {tensor.name[:100]!r} has {len(dims):,} axes; at most "
                f"{MOST_AXES} are read"
            )
        if any(dim < 0 for dim in dims):
            raise ModelFormatError(f"{path}: the stored tensor {tensor.name[:100]!r} has the shape {dims}")
        if tensor.data_location == TensorProto.EXTERNAL:
            _check_place(path, tensor)
        if tensor.data_location == TensorProto.EXTERNAL or tensor.data_type not in _NAMES:
            continue
        claimed, held = math.prod(dims), _held(tensor, _NAMES[tensor.data_type])
        # of numbers narrower than a byte, the last byte may hold more than there are
        spare = 8 // min(8, _BITS.get(_NAMES[tensor.data_type], 8)) - 1
        most = claimed + spare if tensor.HasField("raw_data") else math.inf
        if held is not None and not claimed <= held <= most:
            raise ModelFormatError(
                f"{path}: the stored tensor {tensor.name[:100]!r} has the shape {dims}, that is {claimed:,} "
                f"numbers, and the file holds {held:,}",
                hint="fetch the file again, or export the model again",
            )


def _check_place(path: Path, tensor: onnx.TensorProto) -> None:
    """Refuse a place in another file that is no number of bytes, or has more digits than any file bytes."""
    for entry in tensor.external_data:
        digits = entry.value.strip()
        if entry.key not in ("offset", "length") or (
            len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdecimal()
        ):
            continue
        said = repr(digits) if len(digits) <= _MOST_DIGITS else f"a text of {len(digits):,} characters"
        raise ModelFormatError(
            f"{path}: the {entry.key} of the weights {tensor.name[:100]!r} in another file is {said}, and "
            "not a number of bytes",
            hint="export the model again",
        )


_NAMES = {number: name for name, number in TensorProto.DataType.items() if name in _BITS or name == "STRING"}


def _held(tensor: onnx.TensorProto, name: str) -> int | None:
    """Count the numbers that a tensor has in the file."""
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) * 8 // _BITS[name] if name in _BITS else None
    entries = len(getattr(tensor, _FIELDS.get(name, "int32_data")))
    if name.startswith("COMPLEX"):
        return entries // 2
    # a field of 32 bits for each byte: of narrower numbers it holds several
    return entries * (8 // _BITS[name] if _BITS.get(name, 8) < 8 else 1)


def _tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    waiting: list[onnx.GraphProto | onnx.FunctionProto] = [proto.graph, *proto.functions]
    while waiting:
        graph = waiting.pop()
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in graph.node:
            waiting.extend(inner_graphs(node))
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                if attribute.HasField("sparse_tensor"):
                    yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
