"""Networks that take one picture without a batch axis: in memory they are given one.

torchvision's detectors take a list of pictures (3, H, W). A batch of one is put in front of such an input
and taken off again by the graph's new first operator, so that everything else need not know of it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import name_of
from onnxdissect.model.stored import store

__all__ = ["PICTURE", "AddBatchAxis", "find_picture"]

PICTURE = "onnxdissect.picture"
"""Key in the metadata of a graph whose input has no batch axis in the file; holds the input's name."""


class AddBatchAxis(passes.FunctionalPass):
    """Give an image input of three axes a fourth, a batch of one."""

    def requires(self, model: ir.Model) -> None:
        """Check that there is one such input."""
        if find_picture(model) is None:
            raise passes.PreconditionError("no single input takes one picture")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Add the axis on a clone."""
        clone = model.clone()
        graph = clone.graph
        picture = find_picture(clone)
        assert picture is not None and picture.shape is not None
        name = name_of(picture)
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
        if find_picture(model) is not None:
            raise passes.PostconditionError("the picture still has no batch axis")


def find_picture(model: ir.Model) -> ir.Value | None:
    """Find the input of three axes that takes one picture.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.

    Returns
    -------
    onnx_ir.Value or None
        None where an input has four axes, or not exactly one fits.
    """
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    if any(value.shape is not None and value.shape.rank() == 4 for value in inputs):
        return None
    pictures = [value for value in inputs if value.shape is not None and _is_picture(value.shape)]
    return pictures[0] if len(pictures) == 1 else None


def _is_picture(shape: ir.Shape) -> bool:
    """Whether three axes hold a picture of one or three channels."""
    if shape.rank() != 3:
        return False
    dims = [dim if isinstance(dim, int) and dim > 0 else None for dim in shape]
    others = {0: dims[1:], 2: dims[:2]}
    return any(dims[axis] in (1, 3) and 1 not in others[axis] for axis in (0, 2))
