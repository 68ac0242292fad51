"""A numeric probe for receptive fields: raise a row or a column of the input, see which cells move."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from onnxdissect.model import Layer, ReceptiveField, load_network
from support.models import save


def impulses(layer: str, model: onnx.ModelProto) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which cells move when a row, or a column, of the input is raised: (H, h) and (W, w)."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.extend([onnx.ValueInfoProto(name=layer)])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # folding a Pad into a pool of a smaller window makes onnxruntime refuse the pool
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        probed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    image = probed.graph.input[0]
    _, channels, height, width = (d.dim_value for d in image.type.tensor_type.shape.dim)
    base = np.zeros((1 + height + width, channels, height, width), np.float32)
    for i in range(height):
        base[1 + i, :, i, :] = 1
    for i in range(width):
        base[1 + height + i, :, :, i] = 1
    (maps,) = session.run([layer], {image.name: base})
    moved = np.abs(maps - maps[:1]).max(axis=1) > 1e-6
    return moved[1 : 1 + height].any(axis=2), moved[1 + height :].any(axis=1)


def inspect(model: onnx.ModelProto, name: str) -> Layer:
    """The layer record of a value."""
    with tempfile.TemporaryDirectory() as folder:
        network = load_network(save(model, Path(folder) / "m.onnx"))
    return next(layer for layer in (*network.layers, *network.listing.copies) if layer.name == name)


def refusal(model: onnx.ModelProto, name: str) -> str:
    """Why a value is no layer."""
    with tempfile.TemporaryDirectory() as folder:
        return load_network(save(model, Path(folder) / "m.onnx")).listing.refusals[name]


def reaches(moved: NDArray[Any], field: ReceptiveField, axis: int) -> list[tuple[Any, ...]]:
    """Per cell that should lie inside the input: (cell, first and last pixel derived, and found)."""
    found = []
    for cell in range(moved.shape[1]):
        centre = field.offset[axis] + cell * field.stride[axis]
        assert field.size is not None
        half = (field.size[axis] - 1) / 2
        if centre - half < 0 or centre + half > len(moved) - 1:
            continue
        rows = np.flatnonzero(moved[:, cell])
        seen = (int(rows[0]), int(rows[-1])) if len(rows) else None
        found.append((cell, centre - half, centre + half, seen))
    return found


def assert_exact(model: onnx.ModelProto, name: str, *, some: bool = True) -> ReceptiveField:
    """Every cell inside the input sees exactly the pixels that were derived."""
    layer = inspect(model, name)
    field = layer.receptive_field
    assert field is not None
    inside = 0
    for axis, moved in enumerate(impulses(name, model)):
        assert moved.shape[1] == layer.grid[axis]
        if layer.grid[axis] == 1 or (not some and not moved.any()):
            # onnxruntime lets a dilated window stick out where not even one fits; what is left is padding
            continue
        for cell, low, high, seen in reaches(moved, field, axis):
            assert seen == (low, high), f"cell {cell} of axis {axis}"
            inside += 1
    assert inside or not some
    return field


def effective_centres(layer: str, model: onnx.ModelProto) -> NDArray[Any]:
    """Centre of mass of the response of every row of cells to single input rows, in pixels: (h,)."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.extend([onnx.ValueInfoProto(name=layer)])
    session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    image = probed.graph.input[0]
    _, channels, height, width = (d.dim_value for d in image.type.tensor_type.shape.dim)
    base = np.zeros((1 + height, channels, height, width), np.float32)
    for i in range(height):
        base[1 + i, :, i, :] = 1
    (maps,) = session.run([layer], {image.name: base})
    response = ((maps[1:] - maps[:1]).astype(float) ** 2).sum(axis=(1, 3))
    centres: NDArray[Any] = (np.arange(height)[:, None] * response).sum(0) / response.sum(0)
    return centres
