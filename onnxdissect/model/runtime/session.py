"""Run a network cut off after the asked-for layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.errors import (
    LayerNotFoundError,
    ModelRuntimeError,
    ModelTimeoutError,
    ParameterError,
    ProviderError,
)
from onnxdissect.model.layers.basis import file_value
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.layout.to_nchw import run_layers
from onnxdissect.model.network import Network
from onnxdissect.model.reading.bfloat16 import WIDENED
from onnxdissect.model.runtime.choosing import check_provider, load_graph, open_by_provider
from onnxdissect.model.runtime.inference import OPTIMISATIONS, Runtime, random_images
from onnxdissect.model.runtime.providers import left_to_cpu
from onnxdissect.model.runtime.verification import (
    Deviation,
    batch_tolerance,
    reference_activations,
    refuse_batch_statistics,
    tolerance,
    worst_deviation,
)
from onnxdissect.model.surgery.free_batch import FreeBatch
from onnxdissect.model.surgery.layer_outputs import expose_layers

__all__ = ["Session", "open_session"]


@dataclass(frozen=True, slots=True)
class Session:
    """A network that computes the activations of some layers, and nothing else.

    Attributes
    ----------
    layers : tuple of Layer
        What a call returns, in this order.
    provider : str
        "cpu", "cuda" or "tensorrt".
    provider_note : str
        Why this provider.
    warnings : tuple of str
        What a person should know about how the network is run.
    fixed_batch : int or None
        Batch size that the graph insists on.
    optimise : str
        How far onnxruntime rewrites the graph: "all", "basic" or "none".
    runtime : Runtime
        The loaded graph.
    input_name : str
        Name of the image input.
    """

    layers: tuple[Layer, ...]
    provider: str
    provider_note: str
    warnings: tuple[str, ...]
    fixed_batch: int | None
    optimise: str
    runtime: Runtime
    input_name: str

    def unlimited(self) -> Session:
        """Give the same session without a limit of time for a call: for the pass over the images."""
        return replace(self, runtime=self.runtime.unlimited())

    def closed(self) -> Session:
        """Give what can still be told of the session once nothing is to be computed any more.

        Returns
        -------
        Session
            Without layers and the loaded graph: where nobody else holds them, their memory is free.
        """
        return replace(self, layers=(), runtime=Runtime(None))

    def stop(self) -> None:
        """End the calls of an unlimited session that are under way; see `Runtime.stop`."""
        self.runtime.stop()

    def __call__(self, images: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Compute activations.

        Parameters
        ----------
        images : ndarray
            A batch of n prepared images, in the layout and type of the image input.

        Returns
        -------
        list of ndarray
            Per layer A, shape (n, units, h, w), float32, C-contiguous.

        Raises
        ------
        ModelRuntimeError
            If onnxruntime fails, or a layer has another shape than announced.
        ModelTimeoutError
            If it takes longer than the network's limit, and the session is not `unlimited`.
        """
        return run_layers(self.runtime, self.input_name, self.layers, self.fixed_batch, images)


def open_session(
    network: Network,
    layers: Sequence[Layer],
    *,
    provider: str = "auto",
    threads: int | None = None,
    verify: NDArray[Any] | None = None,
    spin: bool = True,
) -> Session:
    """Load a network for computing activations.

    Parameters
    ----------
    network : Network
        The network.
    layers : sequence of Layer
        Some of its layers, also under bases: several of one layer, beside or without the plain one.
    provider : str
        "cpu", "cuda", "tensorrt", or "auto": CUDA if a trial run works, else the CPU.
    threads : int, optional
        Threads within an operator; onnxruntime's own choice by default.
    verify : ndarray, optional
        A small prepared batch. Its activations are compared with those of the whole graph, run by the CPU
        without optimisation, and that graph's outputs with the file's own. Where optimisation changes a
        layer beyond rounding, the graph is run less optimised, and `Session.warnings` says so.
    spin : bool
        Whether idle threads wait actively: quicker alone, slower beside other work.

    Returns
    -------
    Session

    Raises
    ------
    ParameterError
        If the provider is unknown, or no layer is asked for.
    LayerNotFoundError
        If a layer is not one of the network's values.
    ProviderError
        If the provider asked for is not to be had, or computes other values than the CPU.
    ModelRuntimeError
        If onnxruntime refuses the graph, or fails, or a normalisation before a layer is in training mode.
    """
    check_provider(provider)
    if not layers:
        raise ParameterError("no layer was asked for")
    values = {name for node in network.model.graph for name in (value.name for value in node.outputs)}
    for layer in layers:
        name = file_value(layer)
        if name not in values:
            raise LayerNotFoundError(f"{network.path} has no value {name!r}")
    refuse_batch_statistics(network, layers)
    opener = _Opener(network, tuple(layers), threads, spin, verify)
    return open_by_provider(provider, opener.open)


@dataclass(frozen=True, slots=True)
class _Opener:
    network: Network
    layers: tuple[Layer, ...]
    threads: int | None
    spin: bool
    verify: NDArray[Any] | None

    def open(self, provider: str, note: str) -> Session:
        network = self.network
        cut = expose_layers(network.model, self.layers, prune=True)
        free = FreeBatch(
            network.input.name, network.input.batch or 1, network.listing.axes, network.listing.shapes
        )(cut).model
        expected = None
        if self.verify is not None:
            expected = reference_activations(network, self.layers, self.verify)
        warnings: list[str] = []
        if WIDENED in network.model.graph.meta:
            warnings.append("the file has bfloat16, which onnxruntime cannot run; it is computed in float32")
        for optimise in OPTIMISATIONS:
            try:
                runtime = self._load(free, provider, optimise)
                fixed, deviation = None, None
                if not self._agrees_at_once(runtime, expected):
                    fixed = self._fixed_batch(runtime)
                    runtime = runtime if fixed is None else self._load(cut, provider, optimise)
                    deviation = self._deviation(runtime, fixed, expected)
            except ModelTimeoutError:
                raise
            except ModelRuntimeError as error:
                # optimisation also turns graphs that run into graphs that do not
                if optimise == OPTIMISATIONS[-1]:
                    raise
                warnings.append(f"{optimise!r} graph optimisation is not used: {error.message}")
                continue
            if deviation is None:
                break
            warnings.append(f"{optimise!r} graph optimisation is not used: {deviation}")
        else:
            if provider != "cpu":
                raise ProviderError(f"{provider} computes other values than the CPU: {deviation}")
            raise ModelRuntimeError(f"cutting the network changes it: {deviation}")
        if fixed is not None:
            warnings.append(
                f"the network insists on batches of {fixed}: a larger one fails or changes its values, "
                f"so images are run {'one' if fixed == 1 else fixed} at a time"
            )
        left = left_to_cpu(runtime.placement) if provider != "cpu" else None
        if left is not None:
            warnings.append(left)
        return Session(
            self.layers, provider, note, tuple(warnings), fixed, optimise, runtime, network.input.name
        )

    def _load(self, model: ir.Model, provider: str, optimise: str) -> Runtime:
        return load_graph(
            model,
            provider,
            folder=self.network.path.parent,
            optimise=optimise,
            threads=self.threads,
            spin=self.spin,
        )

    def _agrees_at_once(self, runtime: Runtime, expected: list[NDArray[np.float32]] | None) -> bool:
        """Whether several images together give what the reference gave for each alone."""
        if self.verify is None or expected is None or len(self.verify) < 2:
            return False
        if batch_tolerance(self.network) != tolerance(self.network):
            return False
        try:
            got = self._run(runtime, None, self.verify)
        except ModelTimeoutError:
            raise
        except ModelRuntimeError:
            return False
        return worst_deviation(self.network, self.layers, got, expected) is None

    def _fixed_batch(self, runtime: Runtime) -> int | None:
        """Batch size the graph insists on: None if two images give what each gives alone."""
        network = self.network
        frozen = network.input.batch or 1
        images = random_images(network.input.shape(2, network.size), network.input.dtype)
        try:
            together = self._run(runtime, None, images)
        except ModelTimeoutError:
            raise
        except ModelRuntimeError:
            return frozen
        alone = [
            np.concatenate(parts)
            for parts in zip(*(self._run(runtime, None, images[i : i + 1]) for i in (0, 1)), strict=True)
        ]
        allowed = batch_tolerance(network)
        same = worst_deviation(network, self.layers, together, alone, allowed=allowed) is None
        return None if same else frozen

    def _deviation(
        self, runtime: Runtime, fixed: int | None, expected: list[NDArray[np.float32]] | None
    ) -> Deviation | None:
        if expected is None or self.verify is None:
            if fixed is not None:
                # a frozen graph has not been run yet
                size = self.network.input.shape(fixed, self.network.size)
                self._run(runtime, fixed, random_images(size, self.network.input.dtype))
            return None
        got = self._run(runtime, fixed, self.verify)
        return worst_deviation(self.network, self.layers, got, expected)

    def _run(self, runtime: Runtime, fixed: int | None, images: NDArray[Any]) -> list[NDArray[np.float32]]:
        return run_layers(runtime, self.network.input.name, self.layers, fixed, images)
