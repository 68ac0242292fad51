"""Changes to a graph: passes that require, change a clone and ensure; never the model they were given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir import passes
from onnx_ir.passes import common

from onnxdissect.model.graph import attribute, constant, name_of
from onnxdissect.model.layers import Layer

__all__ = ["ExposeValues", "FreeBatch", "expose_layers", "turned"]

_BATCH = "onnxdissect_batch"


def expose_layers(model: ir.Model, layers: Sequence[Layer], *, prune: bool) -> ir.Model:
    """Make layers outputs of a clone, each as (n, units, h, w).

    Parameters
    ----------
    model : onnx_ir.Model
        The model; it is not changed.
    layers : sequence of Layer
        Some of its layers.
    prune : bool
        Whether everything else is removed.

    Returns
    -------
    onnx_ir.Model
    """
    last = [layer.name for layer in layers if layer.layout == "NHWC"]
    names = [layer.name for layer in layers]
    return ExposeValues(names, prune=prune, channels_last=last)(model).model


class ExposeValues(passes.FunctionalPass):
    """Make values outputs of the graph.

    Parameters
    ----------
    names : sequence of str
        Values to expose, in the order in which they become outputs.
    prune : bool
        Whether they replace the outputs, and everything they do not need is removed. Otherwise they follow
        the outputs there are.
    channels_last : collection of str
        Those that are NHWC. They come out as NCHW, under the name that `turned` gives: onnxruntime turns
        them quicker than NumPy, and often the graph does so anyway for its next convolution.
    """

    def __init__(self, names: Sequence[str], *, prune: bool, channels_last: Collection[str] = ()) -> None:
        super().__init__()
        self.names = tuple(names)
        self.prune = prune
        self.channels_last = frozenset(channels_last)

    @property
    def exposed(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(turned(name) if name in self.channels_last else name for name in self.names)

    def requires(self, model: ir.Model) -> None:
        """Check that a node of the main graph computes every value."""
        missing = set(self.names) - {value.name for node in model.graph for value in node.outputs}
        if missing:
            raise passes.PreconditionError(f"no node computes {sorted(missing)}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Expose on a clone."""
        clone = model.clone()
        graph = clone.graph
        values = {name_of(value): value for node in graph for value in node.outputs}
        for name in self.channels_last:
            node = ir.node("Transpose", [values[name]], attributes={"perm": (0, 3, 1, 2)})
            node.outputs[0].name = turned(name)
            values[turned(name)] = node.outputs[0]
            graph.append(node)
        kept = [] if self.prune else list(graph.outputs)
        there = {name_of(value) for value in kept}
        graph.outputs.clear()
        graph.outputs.extend([*kept, *(values[name] for name in self.exposed if name not in there)])
        if self.prune:
            # overridable initialisers keep onnxruntime from folding them into the kernels
            graph.inputs[:] = [value for value in graph.inputs if not value.is_initializer()]
            common.RemoveUnusedNodesPass()(clone)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that the values are outputs."""
        missing = set(self.exposed) - {value.name for value in model.graph.outputs}
        if missing:
            raise passes.PostconditionError(f"not exposed: {sorted(missing)}")


def turned(name: str) -> str:
    """Name an NHWC value after it was turned to NCHW.

    Parameters
    ----------
    name : str
        Name of the value.

    Returns
    -------
    str
        Name of the output.
    """
    return f"onnxdissect/nchw/{name}"


class FreeBatch(passes.FunctionalPass):
    """Let the batch have any size.

    Frees the first dimension of the image input, drops the recorded shapes that repeat it, and frees it in
    the targets of reshapes that keep the batch axis. Whether that was all there was to free only a run can
    show.

    Parameters
    ----------
    image : str
        Name of the image input.
    batch : int
        Size it is frozen at.
    axes : mapping of str to str
        Axes of the values, see `onnxdissect.model.axes`.
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
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that the first dimension of the image input has no number."""
        image = next(value for value in model.graph.inputs if value.name == self.image)
        if image.shape is None or isinstance(image.shape[0], int):
            raise passes.PostconditionError("the batch is still frozen")

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
        name = f"onnxdissect/free/{name_of(node.outputs[0])}"
        value = ir.Value(name=name, const_value=ir.tensor(freed, name=name))
        graph.register_initializer(value)
        node.replace_input_with(1, value)
