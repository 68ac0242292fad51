"""A frozen batch freed: images are run together that the file takes one by one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx_ir import passes
from onnx_ir.passes import common

from onnxdissect.model.graph import attribute, constant, name_of
from onnxdissect.model.stored import store

__all__ = ["FreeBatch"]

_BATCH = "onnxdissect_batch"


class FreeBatch(passes.FunctionalPass):
    """Let the batch have any size.

    Frees the first dimension of the image input and in the targets of reshapes that keep the batch axis, and
    drops the recorded shapes that repeat it. What is stored once and concatenated to the values of each
    image, as a class token is, is repeated for every image. Other places may still hold the number; only a
    run of the freed graph shows whether they do.

    Parameters
    ----------
    image : str
        Name of the image input.
    batch : int
        Size it is frozen at.
    axes : mapping of str to str
        Axes of the values, see `onnxdissect.model.layout.axes`.
    shapes : mapping of str to tuple of int
        Shapes of the values at that batch size.
    """

    def __init__(
        self, image: str, batch: int, axes: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        super().__init__()
        self.image = image
        self.batch = batch
        self.axes = axes
        self.shapes = shapes

    def requires(self, model: ir.Model) -> None:
        """Check that the image input is one of the graph's inputs."""
        if self.image not in {value.name for value in model.graph.inputs}:
            raise passes.PreconditionError(f"no input {self.image!r}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Free the batch on a clone."""
        clone = model.clone()
        graph = clone.graph
        image = next(value for value in graph.inputs if value.name == self.image)
        assert image.shape is not None
        image.shape = ir.Shape([_BATCH, *list(image.shape)[1:]])
        for node in list(graph):
            for value in node.outputs:
                value.shape = None
            if node.op_type == "Reshape":
                self._free_reshape(graph, node)
            if node.op_type == "Concat" and self.batch == 1:
                self._free_concat(graph, image, node)
            elif node.op_type == "Resize":
                self._free_resize(graph, node)
        # in files of the oldest formats onnxruntime trips over weights that nothing uses
        common.RemoveUnusedNodesPass()(clone)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that the first dimension of the image input has no number."""
        image = next(value for value in model.graph.inputs if value.name == self.image)
        if image.shape is None or isinstance(image.shape[0], int):
            raise passes.PostconditionError("the batch is still frozen")

    def _free_concat(self, graph: ir.Graph, image: ir.Value, node: ir.Node) -> None:
        """Repeat what is stored once, such as a class token, for every image."""
        names = self.axes.get(name_of(node.outputs[0]), "")
        if not names.startswith("N") or int(attribute(node, "axis", 0)) % len(names) == 0:
            return
        for index, value in enumerate(node.inputs):
            if value is None or value.name in self.axes:
                continue
            stem = f"onnxdissect/free/{name_of(node.outputs[0])}/{index}"
            size = ir.node("Shape", [image])
            first = store(graph, f"{stem}/first", np.zeros(1, np.int64))
            images = ir.node("Gather", [size.outputs[0], first])
            ones = store(graph, f"{stem}/ones", np.ones(len(names) - 1, np.int64))
            target = ir.node("Concat", [images.outputs[0], ones], attributes={"axis": 0})
            repeated = ir.node("Expand", [value, target.outputs[0]])
            for added, what in (
                (size, "size"),
                (images, "images"),
                (target, "target"),
                (repeated, "repeated"),
            ):
                added.outputs[0].name = f"{stem}/{what}"
            graph.insert_before(node, [size, images, target, repeated])
            node.replace_input_with(index, repeated.outputs[0])

    def _free_reshape(self, graph: ir.Graph, node: ir.Node) -> None:
        source, wanted = node.inputs[0], node.inputs[1]
        target = constant(wanted)
        out = self.shapes.get(name_of(node.outputs[0]))
        if source is None or target is None or out is None or not target.size or len(out) != target.size:
            return
        if not self.axes.get(name_of(source), "").startswith("N") or int(target[0]) != self.batch:
            return
        freed = target.astype(np.int64)
        if not attribute(node, "allowzero", 0):
            freed[0] = 0  # the operand's own first dimension
        else:
            freed[0], freed[1:] = -1, out[1:]
        # other reshapes may share the constant
        node.replace_input_with(1, store(graph, f"onnxdissect/free/{name_of(node.outputs[0])}", freed))

    def _free_resize(self, graph: ir.Graph, node: ir.Node) -> None:
        """Say by which scales a resize to stored sizes changes the axes; sizes would name the batch's."""
        source, sizes = node.inputs[0], node.inputs[3] if len(node.inputs) > 3 else None
        target = constant(sizes)
        before = self.shapes.get(name_of(source)) if source is not None else None
        if source is None or target is None or before is None or len(before) != target.size:
            return
        if not self.axes.get(name_of(source), "").startswith("N") or int(target[0]) != self.batch:
            return
        if "axes" in node.attributes or attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
            return
        lengths = np.asarray(before, np.float32)
        scales = np.asarray(target, np.float32) / lengths
        if not np.array_equal(np.floor(lengths * scales), target):
            return  # rounding would make it another size
        node.replace_input_with(2, store(graph, f"onnxdissect/free/{name_of(node.outputs[0])}", scales))
        node.replace_input_with(3, None)
