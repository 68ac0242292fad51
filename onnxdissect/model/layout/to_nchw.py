"""Activation maps as the method wants them: (n, units, h, w), float32, whatever the file does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ModelRuntimeError
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.runtime.inference import Runtime
from onnxdissect.model.surgery.to_nchw import output_name

__all__ = ["run_layers"]


def run_layers(
    runtime: Runtime,
    input_name: str,
    layers: Sequence[Layer],
    fixed_batch: int | None,
    images: NDArray[Any],
) -> list[NDArray[np.float32]]:
    """Run a graph that `onnxdissect.model.surgery.layer_outputs.expose_layers` made.

    Parameters
    ----------
    runtime : Runtime
        The loaded graph.
    input_name : str
        Name of its image input.
    layers : sequence of Layer
        What to return.
    fixed_batch : int or None
        Batch size to run with; the last batch is filled up with its last image. None: all at once.
    images : ndarray
        n prepared images.

    Returns
    -------
    list of ndarray
        Per layer (n, units, h, w), float32, C-contiguous.

    Raises
    ------
    ModelRuntimeError
        If onnxruntime fails, or a layer has another shape than announced.
    """
    names = [output_name(layer) for layer in layers]
    if fixed_batch is None:
        found = runtime({input_name: images}, names)
        return [_to_maps(array, layer, len(images)) for array, layer in zip(found, layers, strict=True)]
    result = [np.empty((len(images), layer.units, *layer.grid), np.float32) for layer in layers]
    for start in range(0, len(images), fixed_batch):
        part = images[start : start + fixed_batch]
        filling = np.repeat(part[-1:], fixed_batch - len(part), axis=0)
        found = runtime({input_name: np.concatenate([part, filling])}, names)
        for array, layer, maps in zip(found, layers, result, strict=True):
            maps[start : start + len(part)] = _to_maps(array, layer, fixed_batch)[: len(part)]
    return result


def _to_maps(array: NDArray[Any], layer: Layer, images: int) -> NDArray[np.float32]:
    if array.shape != (images, layer.units, *layer.grid):
        raise ModelRuntimeError(
            f"{layer.name!r} has the shape {list(array.shape)}, "
            f"where {[images, layer.units, *layer.grid]} was expected"
        )
    return np.ascontiguousarray(array, dtype=np.float32)
