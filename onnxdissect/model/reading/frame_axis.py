"""Networks for videos of a single frame: in memory they take images.

The axis that counts frames is left out of the input, and put in again by the graph's new first operator, so
that everything else need not know of it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import name_of

__all__ = ["FRAME", "DropFrameAxis", "find_video"]

FRAME = "onnxdissect.frame"
"""Key in the metadata of a graph whose input has an axis for frames in the file; holds that axis."""

_CHANNELS = (1, 3)


class DropFrameAxis(passes.FunctionalPass):
    """Take the axis of a single frame away from an input of five axes."""

    def requires(self, model: ir.Model) -> None:
        """Check that there is one such input."""
        if find_video(model) is None:
            raise passes.PreconditionError("no single input takes videos of one frame")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Take it away on a clone."""
        clone = model.clone()
        graph = clone.graph
        found = find_video(clone)
        assert found is not None and found[0].shape is not None
        video, axis = found
        name = name_of(video)
        dims = [dim for i, dim in enumerate(found[0].shape) if i != axis]
        image = ir.Value(name=name, shape=ir.Shape(dims), type=video.type)
        if graph.opset_imports.get("", 0) < 13:
            added = ir.node("Unsqueeze", [image], attributes={"axes": [axis]}, name=f"{name}/frames")
        else:
            axes = ir.Value(name=f"{name}/axes", const_value=ir.tensor(np.array([axis]), name=f"{name}/axes"))
            graph.register_initializer(axes)
            added = ir.node("Unsqueeze", [image, axes], name=f"{name}/frames")
        frames = added.outputs[0]
        frames.name, frames.shape, frames.type = f"{name}/frames", video.shape, video.type
        graph.inputs[list(graph.inputs).index(video)] = image
        video.replace_all_uses_with(frames)
        graph.insert_before(graph[0], added)
        graph.meta[FRAME] = axis
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that no input is left that takes videos of one frame."""
        if find_video(model) is not None:
            raise passes.PostconditionError("the input still has an axis for frames")


def find_video(model: ir.Model) -> tuple[ir.Value, int] | None:
    """Find the input that takes videos of a single frame.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.

    Returns
    -------
    (onnx_ir.Value, int) or None
        The input, and the axis that counts frames: 1 in (N, T, C, H, W), 2 in (N, C, T, H, W). None where an
        input has four axes, or not exactly one fits.
    """
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    ranks = [0 if value.shape is None else value.shape.rank() for value in inputs]
    if 4 in ranks or ranks.count(5) != 1:
        return None
    video = inputs[ranks.index(5)]
    assert video.shape is not None
    dims = list(video.shape)
    for frames, channels in ((1, 2), (2, 1)):
        if dims[frames] == 1 and dims[channels] in _CHANNELS:
            return video, frames
    return None
