"""The two parts of a network that was split at a layer, loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.errors import NonFiniteError
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.runtime.inference import Runtime

__all__ = ["NetworkParts", "run_batches"]


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """The two parts of a network that was split at a layer.

    Attributes
    ----------
    layer : Layer
        Where it was split.
    outputs : tuple of str
        What the tail gives.
    provider : str
        "cpu", "cuda" or "tensorrt".
    provider_note : str
        Why this provider.
    warnings : tuple of str
        What a person should know about how the parts are run.
    head_batch, tail_batch : int or None
        Batch size that a part insists on.
    dtype : str
        Element type of activations: that of the layer, and float32 for float16.
    head, tail : Runtime
        The loaded graphs.
    input_name : str
        Name of the image input.
    tail_graph : onnx_ir.Model
        The tail, to be read.
    tail_bytes : int
        What the largest value in the tail takes of one image.
    """

    layer: Layer
    outputs: tuple[str, ...]
    provider: str
    provider_note: str
    warnings: tuple[str, ...]
    head_batch: int | None
    tail_batch: int | None
    dtype: str
    head: Runtime
    tail: Runtime
    input_name: str
    tail_graph: ir.Model = field(repr=False, compare=False)
    tail_bytes: int = 0

    @property
    def unit_axis(self) -> int:
        """Along which axis of the activations the units lie."""
        return self.layer.layout.index("C")

    @property
    def image_axis(self) -> int:
        """Along which axis of the activations the images lie."""
        return self.layer.layout.index("N")

    def activations(self, images: NDArray[Any]) -> NDArray[Any]:
        """Run the head.

        Parameters
        ----------
        images : ndarray
            A batch of n prepared images, in the layout and type of the image input.

        Returns
        -------
        ndarray
            Activations in the file's own layout, of `dtype`.

        Raises
        ------
        ModelRuntimeError
            If onnxruntime fails.
        NonFiniteError
            If some are not finite.
        """
        into, out = (self.input_name, 0), ([self.layer.name], self.image_axis)
        (found,) = run_batches(self.head, into, out, images, self.head_batch)
        array = np.ascontiguousarray(found, dtype=self.dtype)
        if not np.isfinite(array).all():
            units = np.moveaxis(array, self.unit_axis, 0).reshape(self.layer.units, -1)
            unit = int(np.flatnonzero(~np.isfinite(units).all(axis=1))[0])
            raise NonFiniteError(f"layer {self.layer.name!r}: unit {unit} is not finite")
        return array

    def run_tail(self, activations: NDArray[Any]) -> list[NDArray[Any]]:
        """Run the tail.

        Parameters
        ----------
        activations : ndarray
            As `activations` gives them, or changed, of any number of images.

        Returns
        -------
        list of ndarray
            In the order of `outputs`, images along the first axis.

        Raises
        ------
        ModelRuntimeError
            If onnxruntime fails.
        """
        given = np.ascontiguousarray(activations, dtype=self.dtype)
        into, out = (self.layer.name, self.image_axis), (self.outputs, 0)
        return run_batches(self.tail, into, out, given, self.tail_batch)

    def units_first(self, activations: NDArray[Any]) -> NDArray[Any]:
        """Look at activations image by image and unit by unit, whatever their layout.

        Parameters
        ----------
        activations : ndarray
            As `activations` gives them.

        Returns
        -------
        ndarray, shape (n, units, ...)
            A view: what is set in it is set in them. Behind the units are all places, also those of tokens
            that are no patches.
        """
        return np.moveaxis(activations, (self.image_axis, self.unit_axis), (0, 1))

    def maps(self, activations: NDArray[Any]) -> NDArray[np.float32]:
        """Give activations as the method wants them.

        Parameters
        ----------
        activations : ndarray
            As `activations` gives them.

        Returns
        -------
        ndarray of float32, shape (n, units, h, w)
            Class and register tokens left out; C-contiguous.
        """
        layer, array = self.layer, activations
        order = [layer.layout.index(letter) for letter in "NCHWT" if letter in layer.layout]
        array = np.transpose(array, order)
        if "T" in layer.layout:
            first = layer.skipped[0]
            array = array[:, :, first : first + layer.grid[0] * layer.grid[1]]
        shape = (len(array), layer.units, *layer.grid)
        return np.ascontiguousarray(array.reshape(shape), dtype=np.float32)


def run_batches(
    runtime: Runtime,
    into: tuple[str, int],
    out: tuple[Sequence[str], int],
    array: NDArray[Any],
    batch: int | None,
) -> list[NDArray[Any]]:
    """Run a graph, so many images at a time; the last batch is filled up with its last image.

    Parameters
    ----------
    runtime : Runtime
        The loaded graph.
    into : (str, int)
        The input, and along which axis of it the images lie.
    out : (sequence of str, int)
        The outputs, likewise.
    array : ndarray
        What is fed.
    batch : int or None
        How many images at a time; None for all at once.

    Returns
    -------
    list of ndarray
        In the order of the outputs.

    Raises
    ------
    ModelRuntimeError
        If onnxruntime fails.
    """
    (name, axis), (names, along) = into, out
    if batch is None:
        return runtime({name: array}, names)
    count = array.shape[axis]
    found: list[list[NDArray[Any]]] = []
    for start in range(0, count, batch):
        taken = np.minimum(np.arange(start, start + batch), count - 1)
        whole = runtime({name: np.ascontiguousarray(np.take(array, taken, axis))}, names)
        kept = range(min(batch, count - start))
        found.append([np.take(one, kept, along) for one in whole])
    return [np.concatenate(parts, along) for parts in zip(*found, strict=True)]
