"""What is done to a graph before it is run, told in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxdissect.model.graph import DEQUANTISED, name_of
from onnxdissect.model.layers.basis import BasisLayer
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.network import Network
from onnxdissect.model.reading.bfloat16 import WIDENED
from onnxdissect.model.runtime.session import open_session
from onnxdissect.model.surgery.free_batch import FreeBatch
from onnxdissect.model.surgery.layer_outputs import expose_layers

__all__ = ["surgery_steps"]

_AXES = {"NTC": "(n, tokens, units)", "TNC": "(tokens, n, units)", "NC": "(n, units)"}


def surgery_steps(network: Network, layers: Sequence[Layer]) -> tuple[str, ...]:
    """Make the graph that a run would make of a network, and say what was done.

    Parameters
    ----------
    network : Network
        The network.
    layers : sequence of Layer
        Some of its layers.

    Returns
    -------
    tuple of str
        One sentence per step, in order.

    Raises
    ------
    ModelRuntimeError
        If onnxruntime refuses the graph.
    """
    graph = network.model.graph
    steps = [
        f"read {network.path.name}: {len(graph)} nodes, input {network.input.name}, "
        f"outputs {', '.join(network.outputs)}"
    ]
    steps += [
        f"store the input {name}: {array.dtype.name}{list(array.shape)}"
        for name, array in network.bindings.items()
    ]
    twins = sum(name_of(value).endswith(DEQUANTISED) for node in graph for value in node.outputs)
    if twins:
        steps.append(f"dequantise {twins} integer activations; nothing else reads the results")
    if WIDENED in graph.meta:
        steps.append("widen bfloat16 to float32")
    steps += [_exposed(layer) for layer in layers]
    cut = expose_layers(network.model, layers, prune=True)
    kept = {name_of(value) for node in cut.graph for value in node.outputs}
    gone = sum(not any(value.name in kept for value in node.outputs) for node in graph)
    steps.append(f"remove what no layer needs: {gone} of {len(graph)} nodes, {_weights(cut)} weights stay")
    session = open_session(network, layers, provider="cpu")
    steps += _freed(network, cut, "free" if session.fixed_batch is None else "try to free")
    steps.append(
        "check the batch: two images together give what each gives alone"
        if session.fixed_batch is None
        else f"keep batches of {session.fixed_batch}: a larger one fails or changes the values"
    )
    steps.append(f"run with {session.optimise!r} of onnxruntime's graph optimisations")
    steps += [f"warning: {warning}" for warning in session.warnings if session.fixed_batch is None]
    return tuple(steps)


def _exposed(layer: Layer) -> str:
    h, w = layer.grid
    made = f"(n, {layer.units}, {h}, {w})"
    if isinstance(layer, BasisLayer):
        matrix = f"({layer.units}, {layer.source.units})"
        basis = layer.basis
        parts = [f"add {layer.name}: the matrix {matrix} times the units of {layer.source.name}"]
        parts += ["plus a bias"] if basis.bias is not None else []
        parts += [f"through {basis.activation}"] if basis.activation else []
        return f"{', '.join(parts)} is {made}"
    if layer.layout == "NCHW":
        return f"expose {layer.name}: it is {made}"
    parts = [f"expose {layer.name}, which is {_AXES.get(layer.layout, '(n, h, w, units)')}"]
    if any(layer.skipped):
        first = layer.skipped[0]
        parts.append(
            f"Gather tokens {first} to {first + h * w - 1} of {layer.shape[layer.layout.index('T')]}"
        )
    if layer.layout != "NC":
        parts.append("Transpose")
    if layer.layout != "NHWC":
        parts.append("Reshape")
    return f"{', '.join(parts)} to {made}"


def _weights(model: ir.Model) -> int:
    return sum(
        int(value.const_value.size) for value in model.graph.initializers.values() if value.const_value
    )


def _freed(network: Network, cut: ir.Model, what: str) -> list[str]:
    before = {node.name or name_of(node.outputs[0]): _inputs(node) for node in cut.graph}
    free = FreeBatch(
        network.input.name, network.input.batch or 1, network.listing.axes, network.listing.shapes
    )(cut).model
    changed = sum(
        before.get(node.name or name_of(node.outputs[0]), []) != _inputs(node)
        for node in free.graph
        if node.op_type in ("Reshape", "Concat") and not name_of(node.outputs[0]).startswith("onnxdissect/")
    )
    if network.input.batch is None and not changed:
        return []
    frozen = f"from {network.input.batch} " if network.input.batch is not None else ""
    behind = f", and in {changed} Reshape and Concat nodes behind it" if changed else ""
    return [f"{what} the batch of {network.input.name} {frozen}to any size{behind}"]


def _inputs(node: ir.Node) -> list[str]:
    return [name_of(value) if value is not None else "" for value in node.inputs]
