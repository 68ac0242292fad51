"""Where a network runs: the execution provider that was asked for, or the best one that works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import onnx_ir as ir

from onnxdissect.errors import ModelRuntimeError, ModelTimeoutError, ParameterError, ProviderError
from onnxdissect.model.runtime.inference import Runtime, open_runtime
from onnxdissect.model.runtime.providers import PROVIDERS, advice, execution_providers, provider_states

__all__ = ["check_provider", "load_graph", "open_by_provider"]

_Opened = TypeVar("_Opened")


def check_provider(provider: str) -> None:
    """Refuse a provider that there is not.

    Parameters
    ----------
    provider : str
        "cpu", "cuda", "tensorrt" or "auto".

    Raises
    ------
    ParameterError
        If it is none of them.
    """
    if provider not in PROVIDERS:
        raise ParameterError(f"unknown provider {provider!r}", candidates=PROVIDERS)


def open_by_provider(provider: str, opened: Callable[[str, str], _Opened]) -> _Opened:
    """Open something with the provider asked for; "auto" takes CUDA if a trial works, else the CPU.

    Parameters
    ----------
    provider : str
        One that `check_provider` lets pass.
    opened : callable
        Opens it, given a provider and why it is that one.

    Returns
    -------
    object
        What `opened` gave.

    Raises
    ------
    ProviderError
        If the provider asked for is not to be had, or computes other values than the CPU.
    ModelRuntimeError
        If onnxruntime refuses the graph, or fails.
    """
    if provider == "cpu":
        return opened("cpu", "asked for")
    states = {state.name: state for state in provider_states()}
    wanted = "cuda" if provider == "auto" else provider
    reason = states[wanted].reason
    if states[wanted].available:
        try:
            return opened(wanted, "a trial run works" if provider == "auto" else "asked for")
        except ModelTimeoutError:
            raise
        except (ModelRuntimeError, ProviderError) as error:
            reason = error.message
    if provider != "auto":
        raise ProviderError(f"the {provider} provider is not to be had: {reason}", hint=advice())
    return opened("cpu", f"no CUDA: {reason}")


def load_graph(
    model: ir.Model,
    provider: str,
    *,
    folder: Path,
    optimise: str,
    threads: int | None = None,
    spin: bool = True,
) -> Runtime:
    """Load a graph with a provider, and make sure that it is that one which runs it.

    Parameters
    ----------
    model : onnx_ir.Model
        The graph.
    provider : str
        "cpu", "cuda" or "tensorrt".
    folder : Path
        Where its external data lie.
    optimise : str
        How far onnxruntime may rewrite it.
    threads : int, optional
        Threads within an operator; onnxruntime's own choice by default.
    spin : bool
        Whether idle threads wait actively.

    Returns
    -------
    Runtime

    Raises
    ------
    ModelRuntimeError
        If onnxruntime refuses the graph.
    ProviderError
        If another provider would run it.
    """
    chain = execution_providers(provider)
    runtime = open_runtime(
        model, folder=folder, optimise=optimise, threads=threads, spin=spin, providers=chain
    )
    # onnxruntime replaces what it cannot load by the CPU without raising
    if runtime.providers[0] != chain[0][0]:
        raise ProviderError(f"onnxruntime put {runtime.providers[0]} in place of {chain[0][0]}")
    placed = runtime.placement
    if provider != "cpu" and placed and set(placed) == {"CPUExecutionProvider"}:
        raise ProviderError(f"{chain[0][0]} takes none of the operators, so the CPU would run them all")
    return runtime
