"""Weights in files beside the model: where they may lie, and whether they are all there.

A file may name any place of the disk as the home of its weights, so a downloaded model could pull private
files into memory. They have to lie in the model's folder, links included. A download cache that keeps files
elsewhere and links both the model and its weights there is taken as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx_ir as ir

from onnxdissect.errors import ModelFormatError

__all__ = ["DATA_FOLDER", "check_external", "external_tensors", "settle_external_data"]

DATA_FOLDER = "onnxdissect/data folder"
"""Key in the graph's `meta`: where its external data lie, if not in the folder it was read from."""

_LONGEST_SHOWN = 200


def settle_external_data(path: Path, model: ir.Model) -> None:
    """Check external data, and find out where they really lie.

    Where model and weights are links into one folder, the weights are told their names there, and the
    model's `meta` has the folder under `DATA_FOLDER`: onnxruntime follows no link out of a folder.

    Parameters
    ----------
    path : Path
        The model's file.
    model : onnx_ir.Model
        What was read from it; changed in place in that case.

    Raises
    ------
    ModelFormatError
        If weights are missing, cut short, or outside the model's folder.
    """
    given, linked = path.parent.resolve(), path.resolve().parent
    inside = True
    for tensor in external_tensors(model):
        target = check_external(path, tensor)
        if target.is_relative_to(given):
            continue
        inside = False
        if not target.is_relative_to(linked):
            raise _outside(path, tensor, f"{tensor.location}, which is a link to {target}")
    if inside:
        return
    for graph in _graphs(model):
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                value.const_value = _moved(path, value.const_value, linked)
    model.graph.meta[DATA_FOLDER] = linked


def check_external(path: Path, tensor: ir.ExternalTensor) -> Path:
    """Find the file that a tensor lies in, and see whether all of it is there.

    Parameters
    ----------
    path : Path
        The model's file.
    tensor : onnx_ir.ExternalTensor
        One of its weights.

    Returns
    -------
    Path
        Links followed.

    Raises
    ------
    ModelFormatError
        If the file is missing, cut short, or named by a path that leaves the model's folder.
    """
    location = str(tensor.location)
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    if posix.is_absolute() or windows.is_absolute() or windows.drive or ".." in windows.parts:
        raise _outside(path, tensor, repr(location))
    data = path.parent / location
    if not _is_file(data):
        if len(location) > _LONGEST_SHOWN:
            said = f"the weights {tensor.name!r} are in a file whose name has {len(location):,} characters"
            raise ModelFormatError(f"{path}: {said}: there is none such", hint="export the model again")
        said = f"the weights {tensor.name!r} are in {location!r}, which is not beside the model"
        hint = f"put {location} into {path.parent}" if posix.name else "export the model again"
        if posix.name and data.exists():
            said = f"the weights {tensor.name!r} are in {location!r}, which is there but is no regular file"
            hint = "replace it by a file that holds them, or export the model again"
        if path.is_symlink() and (path.resolve().parent / location).is_file():
            hint = f"name the file that it links to, {path.resolve()}"
        raise ModelFormatError(f"{path}: {said}", hint=hint)
    size = data.stat().st_size
    needed = _bytes_of(tensor)
    if tensor.length and tensor.length < needed:
        raise ModelFormatError(
            f"{path}: the weights {tensor.name!r} have the shape {_dims(tensor)}, which takes {needed:,} "
            f"bytes, and {tensor.length:,} of {location} are stated for them",
            hint="export the model again",
        )
    end = (tensor.offset or 0) + (tensor.length or needed)
    if size < end:
        raise ModelFormatError(
            f"{data} is cut short: {size} bytes, but the weights {tensor.name!r} end at byte {end}",
            hint="fetch it again",
        )
    return data.resolve()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for the file system
        return False


def _dims(tensor: ir.ExternalTensor) -> list[int]:
    return [int(dim) for dim in tensor.shape.numpy()]


def _bytes_of(tensor: ir.ExternalTensor) -> int:
    """Bytes that numbers of a tensor's shape take; those of texts are not known."""
    if tensor.dtype in (ir.DataType.STRING, ir.DataType.UNDEFINED):
        return 0
    # without NumPy, whose products of large lengths overflow
    return -(-math.prod(_dims(tensor)) * tensor.dtype.bitwidth // 8)


def _outside(path: Path, tensor: ir.ExternalTensor, where: str) -> ModelFormatError:
    return ModelFormatError(
        f"{path}: the weights {tensor.name!r} point to {where}, outside the model's folder",
        hint="external data must lie beside the model; do not trust this file",
    )


def _moved(path: Path, tensor: ir.ExternalTensor, folder: Path) -> ir.ExternalTensor:
    target = (path.parent / str(tensor.location)).resolve()
    if not target.is_relative_to(folder):
        raise ModelFormatError(
            f"{path}: the weights {tensor.name!r} lie in {target.parent}, others in {folder}",
            hint="put the model and all its weights into one folder",
        )
    return ir.ExternalTensor(
        target.relative_to(folder).as_posix(),
        tensor.offset,
        tensor.length,
        tensor.dtype,
        shape=tensor.shape,
        name=tensor.name or "",
        base_dir=folder,
    )


def _graphs(model: ir.Model) -> list[ir.Graph]:
    return [model.graph, *model.graph.subgraphs(), *(f.graph for f in model.functions.values())]


def external_tensors(model: ir.Model) -> Iterator[ir.ExternalTensor]:
    """Walk over the weights that lie outside the file, subgraphs and functions included.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.

    Yields
    ------
    onnx_ir.ExternalTensor
    """
    for graph in _graphs(model):
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                yield value.const_value
        for node in graph:
            for attribute in node.attributes.values():
                if isinstance(attribute.value, ir.ExternalTensor):
                    yield attribute.value
