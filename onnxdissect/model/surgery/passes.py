"""Changes to a graph: passes that require, change a clone and ensure; never the model they were given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx_ir import passes
from onnx_ir.passes import common

from onnxdissect.model.graph import attribute, constant, name_of
from onnxdissect.model.layers.records import Layer

__all__ = ["ExposeValues", "FreeBatch", "ToNCHW", "expose_layers", "nchw_name"]

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
    turns = {layer.name: ToNCHW.of(layer) for layer in layers if layer.layout != "NCHW"}
    names = [layer.name for layer in layers]
    return ExposeValues(names, prune=prune, turns=turns)(model).model


@dataclass(frozen=True, slots=True)
class ToNCHW:
    """How a value that is not (N, C, H, W) is brought to that order.

    Attributes
    ----------
    order : tuple of int
        Its axes as (N, C, H, W), (N, C, tokens) or (N, C).
    cells : tuple of int
        First token of the grid and the one behind its last; empty where all are taken.
    shape : tuple of int
        What the result is reshaped to, 0 for an axis that stays; empty where it has four axes already.
    """

    order: tuple[int, ...]
    cells: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, layer: Layer) -> ToNCHW:
        """Read off a layer what is to be done.

        Parameters
        ----------
        layer : Layer
            The layer.

        Returns
        -------
        ToNCHW
        """
        order = tuple(layer.layout.index(letter) for letter in "NCHWT" if letter in layer.layout)
        if len(order) == 4:
            return cls(order, (), ())
        cells = (layer.skipped[0], layer.skipped[0] + layer.grid[0] * layer.grid[1])
        return cls(order, cells if any(layer.skipped) else (), (0, layer.units, *layer.grid))

    def __call__(self, graph: ir.Graph, value: ir.Value) -> ir.Value:
        """Append the nodes to a graph.

        Parameters
        ----------
        graph : onnx_ir.Graph
            The graph, changed in place.
        value : onnx_ir.Value
            One of its values.

        Returns
        -------
        onnx_ir.Value
            (N, C, H, W), named by `nchw_name`.
        """
        name = nchw_name(name_of(value))
        if self.cells:
            axis = self.order[2]
            kept = _number(graph, f"{name}/kept", range(*self.cells))
            value = self._append(
                graph, ir.node("Gather", [value, kept], attributes={"axis": axis}), "grid", name
            )
        if self.order != tuple(range(len(self.order))):
            turn = ir.node("Transpose", [value], attributes={"perm": self.order})
            value = self._append(graph, turn, "order", name)
        if self.shape:
            value = self._append(
                graph, ir.node("Reshape", [value, _number(graph, f"{name}/shape", self.shape)]), "map", name
            )
        value.name = name
        return value

    @staticmethod
    def _append(graph: ir.Graph, node: ir.Node, step: str, name: str) -> ir.Value:
        graph.append(node)
        node.outputs[0].name = f"{name}/{step}"
        return node.outputs[0]


def _number(graph: ir.Graph, name: str, numbers: Iterable[int]) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(np.array(list(numbers), np.int64), name=name))
    graph.register_initializer(value)
    return value


class ExposeValues(passes.FunctionalPass):
    """Make values outputs of the graph.

    Parameters
    ----------
    names : sequence of str
        Values to expose, in the order in which they become outputs.
    prune : bool
        Whether they replace the outputs, and everything they do not need is removed. Otherwise they follow
        the outputs there are.
    turns : mapping of str to ToNCHW
        What to do to those that are not NCHW. They come out as that, under the name that `nchw_name` gives:
        onnxruntime turns them quicker than NumPy, and often the graph does so anyway for its next operator.
    """

    def __init__(
        self, names: Sequence[str], *, prune: bool, turns: Mapping[str, ToNCHW] | None = None
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.prune = prune
        self.turns = dict(turns or {})

    @property
    def exposed(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(nchw_name(name) if name in self.turns else name for name in self.names)

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
        for name, turn in self.turns.items():
            values[nchw_name(name)] = turn(graph, values[name])
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


def nchw_name(name: str) -> str:
    """Name a value of another layout after it was turned to NCHW.

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
    the targets of reshapes that keep the batch axis, and repeats what is stored once and concatenated to each
    image's own. Whether that was all there was to free only a run can
    show.

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
        for value in list(graph.initializers.values()):
            # in files of the oldest formats onnxruntime trips over weights that nothing uses
            if not value.uses() and not value.is_graph_input() and not value.is_graph_output():
                graph.initializers.pop(name_of(value))
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
            images = ir.node("Gather", [size.outputs[0], _number(graph, f"{stem}/first", [0])])
            ones = _number(graph, f"{stem}/ones", [1] * (len(names) - 1))
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
        name = f"onnxdissect/free/{name_of(node.outputs[0])}"
        value = ir.Value(name=name, const_value=ir.tensor(freed, name=name))
        graph.register_initializer(value)
        node.replace_input_with(1, value)

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
        name = f"onnxdissect/free/{name_of(node.outputs[0])}"
        value = ir.Value(name=name, const_value=ir.tensor(scales, name=name))
        graph.register_initializer(value)
        node.replace_input_with(2, value)
        node.replace_input_with(3, None)
