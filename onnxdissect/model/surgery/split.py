"""A network as head and tail: the graph up to some layers, and from them to the outputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx_ir as ir

from onnxdissect.errors import LayerCutError, LayerNotFoundError, ParameterError, nearest
from onnxdissect.model.graph import computed_values, name_of, values_read
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.network import Network
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.surgery.requantise import Requantise, is_twin

__all__ = ["split_network"]

_SHOWN = 3
"""Values that are told of either end of a way."""


def split_network(network: Network, layers: Sequence[Layer | str]) -> tuple[ir.Model, ir.Model]:
    """Split a network at layers, through which all that its outputs get from the image has to pass.

    ``tail(head(x))`` is what the network gives for x. What does not depend on the image, such as weights, is
    in whichever part needs it, or in both.

    Parameters
    ----------
    network : Network
        The network; it is not changed.
    layers : sequence of Layer or str
        Layers, or other values by name, such as a shape that the tail needs as well.

    Returns
    -------
    head : onnx_ir.Model
        From the image to the layers, in the order given and in the file's own layouts.
    tail : onnx_ir.Model
        From the layers to the network's outputs. A layer that it reads only by way of another one stays an
        input that nothing reads. A layer of integers is given in floating point, which is quantised again.

    Raises
    ------
    ParameterError
        If no layer is given.
    LayerNotFoundError
        If the network has no such value.
    LayerCutError
        If a way from the image to an output goes around the layers; its candidates are the values that cut
        the graph together with them.
    """
    names = list(dict.fromkeys(layer if isinstance(layer, str) else layer.name for layer in layers))
    if not names:
        raise ParameterError("a network is split at one layer at least")
    values = computed_values(network.model.graph)
    known = {network.input.name, *values}
    for name in names:
        if name not in known:
            raise LayerNotFoundError(
                f"{network.path} has no value {name!r} to split at", candidates=nearest(name, known)
            )
    twins = [name for name in names if name in values and is_twin(values[name])]
    model = Requantise(twins)(network.model).model if twins else network.model
    _check_cut(network, model.graph, names)
    head = _part(model, [network.input.name], names)
    tail = _part(model, names, network.outputs)
    pictured = _pictured(network)
    for value in tail.graph.inputs:
        _declare(value, network, value.name in pictured)
    return head, tail


def _part(model: ir.Model, inputs: Sequence[str], outputs: Sequence[str]) -> ir.Model:
    graph = ir.convenience.extract(model.graph, inputs, outputs)
    graph.meta.update(model.graph.meta)
    return ir.Model(
        graph,
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
        metadata_props=dict(model.metadata_props),
    )


def _pictured(network: Network) -> set[str]:
    """Names of the values that depend on what is in the image, not on its shape alone."""
    found = {network.input.name}
    for node in network.model.graph:
        if not operator_of(node).sizes_only and any(name_of(value) in found for value in values_read(node)):
            found.update(name_of(value) for value in node.outputs)
    return found


def _declare(value: ir.Value, network: Network, pictured: bool) -> None:
    """State the type and shape of an input of the tail: of an inner value few files do."""
    name = name_of(value)
    if name == network.input.name:
        return
    dtype = network.listing.dtypes.get(name)
    if dtype is not None:
        # a new type: that of the clone is shared with the network's own value
        value.type = ir.TensorType(ir.DataType.from_numpy(np.dtype(dtype)))
    shape = network.listing.shapes.get(name)
    if shape is None:
        value.shape = None
        return
    axes = network.listing.axes.get(name, "")
    if "N" not in axes or len(axes) != len(shape):
        # operators insist on the length of a shape; other lengths may be those of one image only
        value.shape = ir.Shape(shape if len(shape) == 1 and not pictured else [None] * len(shape))
        return
    given = {"N": network.input.batch}
    if network.input.size is None:
        given |= dict.fromkeys("HWT")
    value.shape = ir.Shape([given.get(axis, length) for axis, length in zip(axes, shape, strict=True)])


def _check_cut(network: Network, graph: ir.Graph, names: Sequence[str]) -> None:
    """Refuse values that something of the image gets around."""
    image = next(value for value in graph.inputs if value.name == network.input.name)
    cut = {value for value in [image, *computed_values(graph).values()] if value.name in names}
    around = _around(graph, image, cut)
    passed = [value for value in graph.outputs if value in around]
    if not passed:
        return
    completing = _completing(graph, image, cut, around)
    others = f" and {len(passed) - 1} more outputs" if len(passed) > 1 else ""
    which = f"the layer {names[0]!r} does" if len(names) == 1 else f"the {len(names)} layers do"
    raise LayerCutError(
        f"{which} not cut {network.path.name}: {_way(around, passed[0])} goes around to {passed[0].name!r}"
        f"{others}",
        candidates=[name_of(value) for value in completing],
        hint=f"split at {'this value' if len(completing) == 1 else 'these values'} as well",
    )


def _around(graph: ir.Graph, image: ir.Value, cut: Collection[ir.Value]) -> dict[ir.Value, ir.Value | None]:
    """Values that depend on the image otherwise than through the cut, each with one that it is got from."""
    around: dict[ir.Value, ir.Value | None] = {} if image in cut else {image: None}
    for node in graph:
        before = next((value for value in values_read(node) if value in around), None)
        if before is not None:
            around.update((value, before) for value in node.outputs if value not in cut)
    return around


def _completing(
    graph: ir.Graph, image: ir.Value, cut: Collection[ir.Value], around: Collection[ir.Value]
) -> list[ir.Value]:
    """Values that cut the graph beside those given, none to spare.

    They are to be had without the cut, and are read, in what leads to the outputs, beside what comes from it.
    """
    behind = set(cut)
    for node in graph:
        if any(value in behind for value in values_read(node)):
            behind.update(node.outputs)
    found = {value for value in graph.outputs if value in around and value not in behind}
    needed = set(graph.outputs) - set(cut)
    for node in reversed(graph):
        if not any(value in needed for value in node.outputs):
            continue
        read = values_read(node)
        needed.update(value for value in read if value not in cut)
        if any(value in behind for value in read):
            found.update(value for value in read if value in around and value not in behind)
    kept = [value for value in [image, *computed_values(graph).values()] if value in found]
    # the deepest are kept, so that the tail computes little again
    for value in list(kept):
        others = [other for other in kept if other is not value]
        if not any(output in _around(graph, image, {*cut, *others}) for output in graph.outputs):
            kept = others
    return kept


def _way(around: dict[ir.Value, ir.Value | None], end: ir.Value) -> str:
    way = [end]
    while (before := around[way[-1]]) is not None:
        way.append(before)
    names = [repr(name_of(value)) for value in reversed(way)]
    if len(names) > 2 * _SHOWN:
        names = [*names[:_SHOWN], "...", *names[-_SHOWN:]]
    return " -> ".join(names)
