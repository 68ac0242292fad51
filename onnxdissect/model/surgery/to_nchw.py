"""Values of other layouts as (n, units, h, w), beside the values themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import computed_values, name_of
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.stored import store

__all__ = ["AddNCHW", "ToNCHW", "nchw_name", "output_name"]


class AddNCHW(passes.FunctionalPass):
    """Add to a graph what values are as (n, units, h, w), under the names that `nchw_name` gives.

    onnxruntime turns them quicker than NumPy, and often the graph does so anyway for its next operator.

    Parameters
    ----------
    turns : mapping of str to ToNCHW
        What to do to each value.
    """

    def __init__(self, turns: Mapping[str, ToNCHW]) -> None:
        super().__init__()
        self.turns = dict(turns)

    def requires(self, model: ir.Model) -> None:
        """Check that a node of the main graph computes every value."""
        missing = set(self.turns) - computed_values(model.graph).keys()
        if missing:
            raise passes.PreconditionError(f"no node computes {sorted(missing)}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Add the values on a clone."""
        clone = model.clone()
        values = computed_values(clone.graph)
        for name, turn in self.turns.items():
            turn(clone.graph, values[name])
        return passes.PassResult(clone, modified=bool(self.turns))

    def ensures(self, model: ir.Model) -> None:
        """Check that the values are there."""
        missing = set(map(nchw_name, self.turns)) - computed_values(model.graph).keys()
        if missing:
            raise passes.PostconditionError(f"not added: {sorted(missing)}")


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
            kept = store(graph, f"{name}/kept", np.arange(*self.cells, dtype=np.int64))
            value = self._append(
                graph, ir.node("Gather", [value, kept], attributes={"axis": axis}), "grid", name
            )
        if self.order != tuple(range(len(self.order))):
            turn = ir.node("Transpose", [value], attributes={"perm": self.order})
            value = self._append(graph, turn, "order", name)
        if self.shape:
            shape = store(graph, f"{name}/shape", np.array(self.shape, np.int64))
            value = self._append(graph, ir.node("Reshape", [value, shape]), "map", name)
        value.name = name
        return value

    @staticmethod
    def _append(graph: ir.Graph, node: ir.Node, step: str, name: str) -> ir.Value:
        graph.append(node)
        node.outputs[0].name = f"{name}/{step}"
        return node.outputs[0]


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


def output_name(layer: Layer) -> str:
    """Name of the output that a layer becomes as (n, units, h, w).

    Parameters
    ----------
    layer : Layer
        The layer.

    Returns
    -------
    str
    """
    return layer.name if layer.layout == "NCHW" else nchw_name(layer.name)
