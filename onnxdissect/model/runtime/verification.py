"""Compare what a session computes with the untouched graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.errors import ModelRuntimeError
from onnxdissect.model.graph import name_of
from onnxdissect.model.layers.basis import BasisLayer, file_value
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.layout.to_nchw import run_layers
from onnxdissect.model.network import Network
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.reading.batch_axis import PICTURE
from onnxdissect.model.reading.bfloat16 import WIDENED
from onnxdissect.model.reading.frame_axis import FRAME
from onnxdissect.model.reading.randomness import (
    batch_statistics,
    describe_draws,
    describe_statistics,
    random_nodes,
)
from onnxdissect.model.runtime.difference import ROUNDING, relative_error, same_output
from onnxdissect.model.runtime.inference import open_runtime
from onnxdissect.model.runtime.time_limit import PROBE_LIMIT, PROBE_SECONDS
from onnxdissect.model.surgery.free_size import FREED_SIZE
from onnxdissect.model.surgery.layer_outputs import expose_layers

__all__ = [
    "Deviation",
    "batch_tolerance",
    "reference_activations",
    "refuse_batch_statistics",
    "tolerance",
    "worst_deviation",
]

_FLOAT16 = 3e-2
_QUANTISED = 0.2


@dataclass(frozen=True, slots=True)
class Deviation:
    """A layer that differs from what it should be by more than rounding.

    Attributes
    ----------
    layer : str
        Name of the value.
    error : float
        Root mean square of the difference over that of the expected values.
    allowed : float
        What rounding explains.
    """

    layer: str
    error: float
    allowed: float

    def __str__(self) -> str:
        return f"layer {self.layer!r} differs by {self.error:.2%}, where rounding explains {self.allowed:.2%}"


def reference_activations(
    network: Network, layers: Sequence[Layer], images: NDArray[Any]
) -> list[NDArray[np.float32]]:
    """Activations of the whole graph, run by the CPU as it is written.

    Outputs that the file itself gives otherwise each time are not held against it.

    Parameters
    ----------
    network : Network
        The network.
    layers : sequence of Layer
        Some of its layers.
    images : ndarray
        A small prepared batch.

    Returns
    -------
    list of ndarray
        Per layer (n, units, h, w), float32.

    Raises
    ------
    ModelRuntimeError
        If the layers are other ones each time the network is run, or exposing them changes its outputs.
    """
    batch = network.input.batch or 1
    name = network.input.name
    exposed = expose_layers(network.model, layers, prune=False)
    reference = open_runtime(exposed, folder=network.path.parent, optimise="none")
    activations = run_layers(reference, name, layers, batch, images)
    drawing = random_nodes(network.model.graph, [file_value(layer) for layer in layers])
    if drawing:
        again = run_layers(reference, name, layers, batch, images)
        if worst_deviation(network, layers, again, activations) is not None:
            raise _random(network, drawing)
    # the file itself takes no other size than it declares, and onnxruntime cannot compute in bfloat16
    other = {WIDENED, FREED_SIZE} & network.model.graph.meta.keys()
    untouched: ir.Model | Path = network.model if other else network.path
    try:
        original = open_runtime(
            untouched,
            folder=network.path.parent,
            optimise="none",
            libraries=network.custom_ops,
            seconds=network.model.graph.meta.get(PROBE_LIMIT, PROBE_SECONDS),
        )
    except ModelRuntimeError:
        # what was put right in memory, such as names given twice, onnxruntime refuses in the file
        untouched = network.model
        original = open_runtime(untouched, folder=network.path.parent, optimise="none")
    first = np.repeat(images[:1], batch, axis=0)
    feed = {name: first} if untouched is network.model else {name: first, **network.bindings}
    if PICTURE in network.model.graph.meta and untouched is not network.model:
        feed[name] = first[0]
    if FRAME in network.model.graph.meta and untouched is not network.model:
        feed[name] = np.expand_dims(first, network.model.graph.meta[FRAME])
    outputs = [output for output in network.outputs if output in reference.dtypes]
    allowed = tolerance(network)
    expected = original(feed, outputs)
    for at, got in enumerate(reference({name: first}, outputs)):
        if not same_output(got, expected[at], allowed) and same_output(
            original(feed, [outputs[at]])[0], expected[at], allowed
        ):
            raise ModelRuntimeError(f"exposing layers changes the output {outputs[at]!r}")
    return activations


def refuse_batch_statistics(network: Network, layers: Sequence[Layer]) -> None:
    """Refuse layers that are others in every batch.

    Parameters
    ----------
    network : Network
        The network.
    layers : sequence of Layer
        Some of its layers.

    Raises
    ------
    ModelRuntimeError
        If a normalisation before one of them is in training mode. onnxruntime's optimisations take it for
        one that is not, so that it would not even be the same in all sessions.
    """
    training = batch_statistics(network.model.graph, [file_value(layer) for layer in layers])
    if training:
        said, hint = describe_statistics(training)
        raise ModelRuntimeError(
            f"what {network.path.name} computes of an image depends on the other images in its batch: {said}",
            hint=hint,
        )


def _random(network: Network, drawing: Sequence[ir.Node]) -> ModelRuntimeError:
    said, hint = describe_draws(drawing)
    return ModelRuntimeError(
        f"{network.path.name} gives something else each time it is run: {said}", hint=hint or None
    )


def worst_deviation(
    network: Network,
    layers: Sequence[Layer],
    got: Sequence[NDArray[np.float32]],
    expected: Sequence[NDArray[np.float32]],
    *,
    allowed: float | None = None,
) -> Deviation | None:
    """Find the layer that differs most beyond rounding.

    Parameters
    ----------
    network : Network
        The network.
    layers : sequence of Layer
        Some of its layers.
    got, expected : sequence of ndarray
        Their activations.
    allowed : float, optional
        What rounding explains, by default `tolerance`.

    Returns
    -------
    Deviation or None
        None where rounding explains every difference. Values that are not finite on either side are left
        out; the pass reports them by name. Of a basis that keeps the largest units, those are compared that
        both sides keep.
    """
    worst: Deviation | None = None
    limit = tolerance(network) if allowed is None else allowed
    for layer, one, other in zip(layers, got, expected, strict=True):
        error = relative_error(*_comparable(layer, one, other))
        if error > limit and (worst is None or error / limit > worst.error / worst.allowed):
            worst = Deviation(layer.name, error, limit)
    return worst


def _comparable(
    layer: Layer, one: NDArray[np.float32], other: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Leave out what rounding alone may set to 0.

    Under a basis that keeps the k largest units of a place, two units that are nearly equal there may change
    places. What both sides keep has to be the same.
    """
    if isinstance(layer, BasisLayer) and layer.basis.activation.startswith("topk:"):
        kept = (one != 0) & (other != 0)
        if kept.any():
            return one[kept], other[kept]
    return one, other


def tolerance(network: Network) -> float:
    """Difference that rounding explains, relative to the values' root mean square.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    float
        Tight for float32. Where the graph rounds to integers or to float16 a sum taken in another order may
        land on the neighbouring step, and the difference grows from layer to layer.
    """
    if any(operator_of(node).rounds for node in network.model.graph):
        return _QUANTISED
    halves = any(
        network.listing.dtypes.get(name_of(value)) == "float16"
        for node in network.model.graph
        for value in node.outputs
    )
    return _FLOAT16 if halves else ROUNDING


def batch_tolerance(network: Network) -> float:
    """Difference that rounding explains between an image run alone and run among others.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    float
        As `tolerance`, but tight where integers are scaled by the largest value of the whole batch: there
        any difference comes from the other images.
    """
    if any(operator_of(node).scaled_by_batch for node in network.model.graph):
        return ROUNDING
    return tolerance(network)
