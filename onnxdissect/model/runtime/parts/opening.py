"""Split a network at a layer, load both parts, and prove that together they are the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.errors import (
    LayerCutError,
    LayerNotFoundError,
    ModelRuntimeError,
    ModelTimeoutError,
    ProviderError,
)
from onnxdissect.model.graph import computed_values
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.network import Network
from onnxdissect.model.reading.bfloat16 import WidenFloat16, has_float16
from onnxdissect.model.reading.randomness import (
    batch_statistics,
    describe_draws,
    describe_statistics,
    random_nodes,
)
from onnxdissect.model.runtime.choosing import check_provider, load_graph, open_by_provider
from onnxdissect.model.runtime.difference import relative_error, same_output
from onnxdissect.model.runtime.inference import OPTIMISATIONS, Runtime, open_runtime, random_images
from onnxdissect.model.runtime.parts.network_parts import NetworkParts, run_batches
from onnxdissect.model.runtime.providers import left_to_cpu
from onnxdissect.model.runtime.verification import batch_tolerance, tolerance
from onnxdissect.model.surgery.choose_outputs import ChooseOutputs
from onnxdissect.model.surgery.expose import ExposeValues
from onnxdissect.model.surgery.free_batch import FreeBatch
from onnxdissect.model.surgery.split import split_network

__all__ = ["open_parts", "tail_of"]


def open_parts(
    network: Network,
    layer: Layer,
    *,
    outputs: Sequence[str] | None = None,
    provider: str = "auto",
    threads: int | None = None,
    verify: NDArray[Any] | None = None,
) -> NetworkParts:
    """Split a network at a layer, and load both parts.

    What is float16 in the tail is computed in float32, so that small changes of units are not rounded away.

    Parameters
    ----------
    network : Network
        The network.
    layer : Layer
        One of its layers.
    outputs : sequence of str, optional
        Values that the tail gives, by default the network's outputs. Nothing else has to pass the layer.
    provider : str
        As `onnxdissect.model.open_session` takes it.
    threads : int, optional
        Threads within an operator; onnxruntime's own choice by default.
    verify : ndarray, optional
        A small prepared batch, by default noise. Of each image the tail of the head has to give what the
        whole network gives, run by the CPU without optimisation.

    Returns
    -------
    NetworkParts

    Raises
    ------
    ParameterError
        If the provider is unknown.
    LayerNotFoundError
        If the network has no such layer or output.
    LayerCutError
        If something of the image gets around the layer to an output.
    ProviderError
        If the provider asked for is not to be had, or computes other values than the CPU.
    ModelRuntimeError
        If onnxruntime fails, or the parts do not compute what the network does.
    """
    check_provider(provider)
    wanted = tuple(network.outputs if outputs is None else outputs)
    known = computed_values(network.model.graph)
    for name in (layer.name, *wanted):
        if name not in known:
            raise LayerNotFoundError(f"{network.path} has no value {name!r}")
    training = batch_statistics(network.model.graph, wanted)
    if training:
        said, hint = describe_statistics(training)
        raise ModelRuntimeError(
            f"what {network.path.name} computes of an image depends on the other images in its batch: {said}",
            hint=hint,
        )
    if verify is None:
        shape = network.input.shape(network.input.batch or 2, network.size)
        verify = random_images(shape, network.input.dtype)
    opener = _Opener(_with_outputs(network, wanted), layer, wanted, threads, verify)
    return open_by_provider(provider, opener.open)


def tail_of(network: Network, layer: Layer, output: str) -> ir.Model:
    """Cut out the graph from a layer to one value.

    Parameters
    ----------
    network : Network
        The network.
    layer : Layer
        One of its layers.
    output : str
        The value.

    Returns
    -------
    onnx_ir.Model

    Raises
    ------
    LayerCutError
        If something of the image gets around the layer to the value.
    """
    return split_network(_with_outputs(network, [output]), [layer])[1]


def _with_outputs(network: Network, outputs: Sequence[str]) -> Network:
    model = ChooseOutputs(outputs)(network.model).model
    return replace(network, model=model, outputs=tuple(outputs))


@dataclass(frozen=True, slots=True)
class _Opener:
    network: Network
    layer: Layer
    outputs: tuple[str, ...]
    threads: int | None
    verify: NDArray[Any]

    def open(self, provider: str, note: str) -> NetworkParts:
        frozen = self._split(self.network)
        free = self._freed()
        expected = self._whole()
        warnings: list[str] = []
        error: str | None = None
        for optimise in OPTIMISATIONS:
            try:
                parts = self._opened(free, frozen, provider, note, optimise)
                error = self._deviation(parts, expected)
            except ModelTimeoutError:
                raise
            except ModelRuntimeError as failure:
                # optimisation also turns graphs that run into graphs that do not
                if optimise == OPTIMISATIONS[-1]:
                    raise
                error = failure.message
            else:
                if error is None:
                    return replace(parts, warnings=(*warnings, *parts.warnings))
            warnings.append(f"{optimise!r} graph optimisation is not used: {error}")
        if provider != "cpu":
            raise ProviderError(f"{provider} computes other values than the CPU: {error}")
        raise ModelRuntimeError(f"splitting the network at {self.layer.name!r} changes it: {error}")

    def _split(self, network: Network) -> tuple[ir.Model, ir.Model]:
        head, tail = split_network(network, [self.layer])
        return head, WidenFloat16()(tail).model if has_float16(tail) else tail

    def _freed(self) -> tuple[ir.Model, ir.Model] | None:
        """Split the network with its batch freed; None where the size of the batch gets around the layer."""
        network = self.network
        # freeing removes what no output needs, such as the twin of integers
        exposed = ExposeValues([self.layer.name])(network.model).model
        batch = network.input.batch or 1
        free = FreeBatch(network.input.name, batch, network.listing.axes, network.listing.shapes)
        model = ChooseOutputs(self.outputs)(free(exposed).model).model
        try:
            return self._split(replace(network, model=model, input=replace(network.input, batch=None)))
        except LayerCutError:
            return None

    def _whole(self) -> list[NDArray[Any]]:
        """Compute the outputs of the images to verify by, of the whole network as it is written."""
        network = self.network
        reference = open_runtime(network.model, folder=network.path.parent, optimise="none")

        def run() -> list[NDArray[Any]]:
            batch = network.input.batch or 1
            return run_batches(reference, (network.input.name, 0), (self.outputs, 0), self.verify, batch)

        found = run()
        drawing = random_nodes(network.model.graph, self.outputs)
        if drawing and not all(map(np.array_equal, found, run())):
            said, hint = describe_draws(drawing)
            raise ModelRuntimeError(
                f"{network.path.name} gives something else each time it is run: {said}", hint=hint or None
            )
        return found

    def _opened(
        self,
        free: tuple[ir.Model, ir.Model] | None,
        frozen: tuple[ir.Model, ir.Model],
        provider: str,
        note: str,
        optimise: str,
    ) -> NetworkParts:
        network, layer = self.network, self.layer
        dtype = "float32" if layer.dtype == "float16" else layer.dtype
        axis = layer.layout.index("N")
        load = partial(
            load_graph, provider=provider, folder=network.path.parent, optimise=optimise, threads=self.threads
        )
        two = random_images(network.input.shape(2, network.size), network.input.dtype)
        into, out = (network.input.name, 0), ([layer.name], axis)
        head, head_batch = self._loaded(load, free and free[0], frozen[0], into, out, two)
        (between,) = run_batches(head, into, out, two, head_batch)
        into, out = (layer.name, axis), (list(self.outputs), 0)
        tail, tail_batch = self._loaded(load, free and free[1], frozen[1], into, out, between.astype(dtype))
        warnings = []
        if head_batch is not None or tail_batch is not None:
            which = "network" if head_batch == tail_batch else "head" if tail_batch is None else "tail"
            warnings.append(
                f"split at {layer.name!r}, the {which} insists on batches of {head_batch or tail_batch}: "
                "larger ones fail or change its values"
            )
        left = left_to_cpu(tail.placement) if provider != "cpu" else None
        if left is not None:
            warnings.append(left)
        return NetworkParts(
            layer=layer,
            outputs=self.outputs,
            provider=provider,
            provider_note=note,
            warnings=tuple(warnings),
            head_batch=head_batch,
            tail_batch=tail_batch,
            dtype=dtype,
            head=head.unlimited(),
            tail=tail.unlimited(),
            input_name=network.input.name,
            tail_graph=frozen[1],
            tail_bytes=self._largest(frozen[1]),
        )

    def _largest(self, tail: ir.Model) -> int:
        """Measure the largest value in the tail: bytes of one image, in float32."""
        shapes = self.network.listing.shapes
        computed = [shapes[name] for name in computed_values(tail.graph) if name in shapes]
        images = self.network.input.batch or 1
        return max((4 * math.prod(shape) // images for shape in computed), default=0)

    def _loaded(
        self,
        load: Callable[[ir.Model], Runtime],
        free: ir.Model | None,
        frozen: ir.Model,
        into: tuple[str, int],
        out: tuple[Sequence[str], int],
        two: NDArray[Any],
    ) -> tuple[Runtime, int | None]:
        """Load a part with a free batch if two of a batch give what each gives alone, else as it is."""
        batch = self.network.input.batch or 1
        if free is not None:
            try:
                runtime = load(free)
                together = run_batches(runtime, into, out, two, None)
                alone = run_batches(runtime, into, out, two, 1)
            except ModelTimeoutError:
                raise
            except ModelRuntimeError:
                return load(frozen), batch
            allowed = batch_tolerance(self.network)
            if all(same_output(one, other, allowed) for one, other in zip(together, alone, strict=True)):
                return runtime, None
        return load(frozen), batch

    def _deviation(self, parts: NetworkParts, expected: Sequence[NDArray[Any]]) -> str | None:
        allowed = tolerance(self.network)
        got = parts.run_tail(parts.activations(self.verify))
        for name, one, other in zip(self.outputs, got, expected, strict=True):
            if not same_output(one, other, allowed):
                said = f" by {relative_error(one, other):.2%}" if one.shape == other.shape else " in shape"
                return f"output {name!r} differs{said}, where rounding explains {allowed:.2%}"
        return None
