"""Networks that take one picture without a batch axis: in memory they are given one.

torchvision's detectors take a list of pictures (3, H, W). A batch of one is put in front of such an input
and taken off again by the graph's new first operator, so that everything else need not know of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import name_of
from onnxdissect.model.preprocessing.first_convolution import trace_channels
from onnxdissect.model.stored import store

__all__ = ["PICTURE", "PICTURE_LAYOUTS", "AddBatchAxis", "find_picture"]

PICTURE_LAYOUTS = ("CHW", "HWC", "NCHW", "NHWC")
"""Layouts that may be stated for an input of three axes; the batch is the one that it is given."""

PICTURE = "onnxdissect.picture"
"""Key in the metadata of a graph whose input has no batch axis in the file; holds the input's name."""


class AddBatchAxis(passes.FunctionalPass):
    """Give an image input of three axes a fourth, a batch of one.

    Parameters
    ----------
    name : str
        The input.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def requires(self, model: ir.Model) -> None:
        """Check that there is one such input."""
        if self._axes(model) != 3:
            raise passes.PreconditionError(f"no input {self.name!r} of three axes")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Add the axis on a clone."""
        clone = model.clone()
        graph = clone.graph
        name = self.name
        picture = next(value for value in graph.inputs if value.name == name)
        assert picture.shape is not None
        batched = ir.Value(name=name, shape=ir.Shape([1, *picture.shape]), type=picture.type)
        if graph.opset_imports.get("", 0) < 13:
            squeeze = ir.node("Squeeze", [batched], attributes={"axes": [0]}, name=f"{name}/picture")
        else:
            axes = store(graph, f"{name}/axes", np.array([0]))
            squeeze = ir.node("Squeeze", [batched, axes], name=f"{name}/picture")
        alone = squeeze.outputs[0]
        alone.name, alone.shape, alone.type = f"{name}/picture", picture.shape, picture.type
        graph.inputs[list(graph.inputs).index(picture)] = batched
        picture.replace_all_uses_with(alone)
        graph.insert_before(graph[0], squeeze)
        graph.meta[PICTURE] = name
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that the input has four axes."""
        if self._axes(model) != 4:
            raise passes.PostconditionError("the picture still has no batch axis")

    def _axes(self, model: ir.Model) -> int:
        shapes = [value.shape for value in model.graph.inputs if value.name == self.name]
        return 0 if not shapes or shapes[0] is None else shapes[0].rank()


def find_picture(model: ir.Model, layouts: Mapping[str, str] | None = None) -> ir.Value | None:
    """Find the input of three axes that takes one picture.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.
    layouts : mapping of str to str, optional
        Layouts that a person states, by name of the input.

    Returns
    -------
    onnx_ir.Value or None
        None where an input has four axes, or not exactly one fits: is stated to, has one or three channels,
        or is read as channels, rows and columns by the first convolution.
    """
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    if any(value.shape is not None and value.shape.rank() == 4 for value in inputs):
        return None
    flat = [value for value in inputs if value.shape is not None and value.shape.rank() == 3]
    for fits in (
        [value for value in flat if (layouts or {}).get(name_of(value), "").upper() in PICTURE_LAYOUTS],
        [value for value in flat if value.shape is not None and _is_picture(value.shape)],
        [value for value in flat if _read_as_picture(value)],
    ):
        if fits:
            return fits[0] if len(fits) == 1 else None
    return None


def _read_as_picture(value: ir.Value) -> bool:
    """Whether the first convolution reads the first or the last of three axes as one or three channels."""
    traced = trace_channels(value, 3)
    return traced is not None and traced[0] in (0, 2) and traced[1] in (1, 3)


def _is_picture(shape: ir.Shape) -> bool:
    """Whether three axes hold a picture of one or three channels."""
    if shape.rank() != 3:
        return False
    dims = [dim if isinstance(dim, int) and dim > 0 else None for dim in shape]
    others = {0: dims[1:], 2: dims[:2]}
    return any(dims[axis] in (1, 3) and 1 not in others[axis] for axis in (0, 2))
