"""Single units of a layer scaled, or ablated: all that comes behind it gets other activations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.errors import LayerNotFoundError, ParameterError
from onnxdissect.model.graph import computed_values
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.stored import store
from onnxdissect.model.surgery.requantise import Requantise, is_twin

__all__ = ["ScaleUnits", "scale_units"]


def scale_units(model: ir.Model, layer: Layer, factors: Mapping[int, float]) -> ir.Model:
    """Multiply units of a layer, for everything that reads it.

    Parameters
    ----------
    model : onnx_ir.Model
        A network, or the tail from this layer on; it is not changed.
    layer : Layer
        The layer, in any layout. Of tokens all are scaled, class and register tokens as well; a layer of
        integers is scaled in floating point and quantised again.
    factors : mapping of int to float
        Factor per unit, 0-based: 0 ablates it. Other units stay as they are, bit for bit.

    Returns
    -------
    onnx_ir.Model
        A clone. In a network the value of the layer's name is the scaled one.

    Raises
    ------
    ParameterError
        If no unit is given, the layer lacks one, a factor is not finite, or the layer is an input and an
        output of the graph at once, so that nothing in it computes the layer.
    LayerNotFoundError
        If the graph neither computes the layer nor takes it as input.
    """
    lacking = [unit for unit in factors if not 0 <= unit < layer.units]
    if not factors or lacking:
        asked = f"lacks unit {lacking[0]}" if lacking else "is to be scaled in no unit"
        raise ParameterError(
            f"layer {layer.name!r} {asked}",
            hint=f"its units are 0 to {layer.units - 1}, and at least one is given",
        )
    for unit, factor in factors.items():
        if not math.isfinite(factor):
            raise ParameterError(
                f"unit {unit} of layer {layer.name!r} is scaled by {factor}, no finite number"
            )
    values = computed_values(model.graph)
    inputs = {value.name for value in model.graph.inputs}
    if layer.name in inputs & {value.name for value in model.graph.outputs}:
        raise ParameterError(
            f"layer {layer.name!r} is an input and an output of this graph at once: nothing here computes "
            "it, so its units cannot be scaled",
            hint="scale them in the whole network, or in a tail from an earlier layer on",
        )
    if layer.name not in {*values, *inputs}:
        raise LayerNotFoundError(f"the graph has no value {layer.name!r} to scale")
    if layer.name in values and is_twin(values[layer.name]):
        model = Requantise([layer.name])(model).model
    lengths = [layer.units if axis == "C" else 1 for axis in layer.layout]
    scales = np.ones(layer.units, layer.dtype)
    scales[list(factors)] = list(factors.values())
    return ScaleUnits(layer.name, scales.reshape(lengths))(model).model


class ScaleUnits(passes.FunctionalPass):
    """Multiply a value by an array, for everything that reads it.

    Parameters
    ----------
    name : str
        A value that is computed, which then is the product; or an input, which stays what it is.
    scales : ndarray
        Of the value's type, broadcast against it.
    """

    def __init__(self, name: str, scales: np.ndarray) -> None:
        super().__init__()
        self.name = name
        self.scales = scales

    def requires(self, model: ir.Model) -> None:
        """Check that there is such a value, and that it is not both input and output."""
        inputs = {value.name for value in model.graph.inputs}
        if self.name not in {*inputs, *computed_values(model.graph)}:
            raise passes.PreconditionError(f"no value {self.name!r}")
        if self.name in inputs & {value.name for value in model.graph.outputs}:
            raise passes.PreconditionError(f"{self.name!r} is an output without being computed")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Put the product in between, on a clone."""
        clone = model.clone()
        graph = clone.graph
        values = {value.name: value for value in graph.inputs} | computed_values(graph)
        value = values[self.name]
        product = ir.node("Mul", [value, store(graph, f"onnxdissect/scales/{self.name}", self.scales)])
        scaled = product.outputs[0]
        scaled.type, scaled.shape = value.type, value.shape
        for user, index in list(value.uses()):
            if user is not product:
                user.replace_input_with(index, scaled)
        node = value.producer()
        if node is None:
            scaled.name = f"onnxdissect/scaled/{self.name}"
            graph.insert_before(graph[0], product)
        else:
            graph.outputs[:] = [scaled if output is value else output for output in graph.outputs]
            value.name, scaled.name = f"onnxdissect/unscaled/{self.name}", self.name
            graph.insert_after(node, product)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that the scales are read."""
        stored = model.graph.initializers.get(f"onnxdissect/scales/{self.name}")
        if stored is None or not stored.uses():
            raise passes.PostconditionError(f"{self.name!r} is not scaled")
