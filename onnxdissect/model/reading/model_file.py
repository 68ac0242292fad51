"""Model files: find, read and check them before onnxruntime sees them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from onnxdissect.errors import ModelFormatError
from onnxdissect.model.layout.quantised import AddDequantised, has_scales
from onnxdissect.model.operators.installed import installed_operators
from onnxdissect.model.operators.lookup import attach_operators
from onnxdissect.model.operators.table import BUILT_IN, OperatorTable
from onnxdissect.model.reading.attribute_types import check_attribute_types
from onnxdissect.model.reading.bfloat16 import WidenBfloat16, has_bfloat16
from onnxdissect.model.reading.external_data import settle_external_data
from onnxdissect.model.reading.file_bytes import model_bytes
from onnxdissect.model.reading.inlining import inline_functions
from onnxdissect.model.reading.repair import load_repaired
from onnxdissect.storage.memory import raise_memory_error

__all__ = ["ModelFile", "read_model"]

# every ONNX file written so far begins with field 1 (ir_version) as a varint
_FIRST_BYTE = b"\x08"
_LAST_OPSET = 2**31 - 1
"""A version is a number of 32 bits."""
# a flatbuffer's identifier, behind the offset of its root
_ORT_MAGIC = b"ORTM"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model read from disk; weights stay where they are until something needs them.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        Of the file's bytes, external data not included.
    model : onnx_ir.Model
        Its graph, functions inlined, bfloat16 widened to float32, and with dequantised twins of its
        integer activations.
    """

    path: Path
    sha256: str
    model: ir.Model


def read_model(path: str | Path, operators: OperatorTable | None = None) -> ModelFile:
    """Read an ONNX file.

    Parameters
    ----------
    path : str or Path
        The file.
    operators : OperatorTable, optional
        What operators mean; by default what is built in and what installed packages register.

    Returns
    -------
    ModelFile

    Raises
    ------
    ModelNotFoundError
        If there is no file at the path, or it cannot be opened.
    ModelFormatError
        If the file is not a complete ONNX model, or its external data are missing, short or outside
        its folder.
    """
    path = Path(path)
    content = model_bytes(path)
    size, head, digest = len(content), content[:64], hashlib.sha256(content).hexdigest()
    if not head:
        raise ModelFormatError(f"{path} is empty")
    if head[4:8] == _ORT_MAGIC:
        raise ModelFormatError(
            f"{path} is in onnxruntime's own format (.ort), a graph rewritten for running, not for reading",
            hint="give the ONNX file that it was made from",
        )
    try:
        model = load_repaired(path, content)
    except ModelFormatError:
        raise
    except RecursionError as error:
        raise _too_deep(path) from error
    except Exception as error:
        raise_memory_error(error)
        if "MaxDepth" in str(error):  # protobuf's own limit, about thirty graphs inside one another
            raise _too_deep(path) from error
        # damage surfaces in protobuf or anywhere in the deserialiser
        raise ModelFormatError(
            f"{path} is not a readable ONNX model: {_first_line(_innermost(error))}",
            hint=_guess(head, size),
        ) from error
    finally:
        del content
    if not len(model.graph) or not model.graph.outputs or not model.opset_imports:
        lacking = "nodes" if not len(model.graph) else "outputs" if not model.graph.outputs else "opset"
        raise ModelFormatError(f"{path} holds no complete ONNX graph: no {lacking}", hint=_guess(head, size))
    _check_opsets(path, model)
    _check_graph(path, model)
    settle_external_data(path, model)
    model = _inlined(path, model)
    check_attribute_types(path, model)
    domains = {node.domain for node in model.graph.all_nodes()}
    table = installed_operators(domains) if operators is None else operators
    for name, domain in sorted({(node.op_type, node.domain) for node in model.graph.all_nodes()}):
        table.expect_loaded(name, domain)
    if table is not BUILT_IN:
        attach_operators(model.graph, table)
    if has_bfloat16(model):
        model = WidenBfloat16()(model).model
    if has_scales(model):
        model = AddDequantised()(model).model
    return ModelFile(path, digest, model)


def _too_deep(path: Path) -> ModelFormatError:
    return ModelFormatError(
        f"{path} nests graphs inside nodes, or types inside types, deeper than protobuf reads (100 messages "
        "inside one another)",
        hint="export the network without nested If, Loop and Scan",
    )


def _inlined(path: Path, model: ir.Model) -> ir.Model:
    """Put functions in the place of their calls, where there are any and that can be done."""
    if not model.functions:
        return model
    try:
        return inline_functions(model)
    except Exception as error:  # what the pass finds wrong with a function it raises as this or that
        raise_memory_error(error)
        raise ModelFormatError(
            f"{path} holds functions that cannot be inlined: {_first_line(_innermost(error))}",
            hint="export the network without functions",
        ) from error


def _guess(head: bytes, size: int) -> str:
    if head.startswith(b"version https://git-lfs"):
        return "the file is a Git LFS pointer; fetch the real one with `git lfs pull`"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "the file is a web page; download the model itself"
    if head.startswith(b"PK"):
        return "the file is a zip archive, such as a PyTorch checkpoint; export the network to ONNX first"
    if head.startswith(b"\x89HDF"):
        return "the file is HDF5, such as a Keras model; export the network to ONNX first"
    if head.startswith(_FIRST_BYTE):
        return f"it begins like ONNX, so it may be cut short ({size} bytes): fetch it again"
    if head[4:8] == b"TFL3":
        return "the file is TensorFlow Lite; convert it to ONNX first, with tf2onnx for one"
    return "export the network to ONNX first"


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check_opsets(path: Path, model: ir.Model) -> None:
    for domain, version in model.opset_imports.items():
        if not 0 <= version <= _LAST_OPSET:
            raise ModelFormatError(
                f"{path} is written in the opset {version} of {domain or 'ONNX'}, which no version can be",
                hint="export the model again",
            )


def _check_graph(path: Path, model: ir.Model) -> None:
    """Refuse a graph that can be read but not written again: damage that the deserialiser lets through."""
    try:
        clone = model.clone()
        clone.graph.initializers.clear()
        ir.to_proto(clone)
    except Exception as error:
        raise_memory_error(error)
        raise ModelFormatError(
            f"{path} holds an inconsistent graph: {_first_line(_innermost(error))}",
            hint="export the model again",
        ) from error
