"""How the kernels are compiled on this machine: what `onnxdissect doctor` prints of them."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
from numba.core.dispatcher import Dispatcher

from onnxdissect.core.kernels.activations.encode import SparseEncoder, compilations
from onnxdissect.core.kernels.cache import kernel_folder
from onnxdissect.core.kernels.kernel_cache import KernelCache

__all__ = ["CompilerFacts", "compiler_facts", "not_kept"]


@dataclass(frozen=True, slots=True)
class CompilerFacts:
    """What numba does here.

    Attributes
    ----------
    seconds : float
        How long the first call of a kernel took: milliseconds when it was compiled before.
    compiled : bool
        Whether it was compiled for that call; a busy machine may also be slow to load it.
    """

    seconds: float
    compiled: bool


def compiler_facts() -> CompilerFacts:
    """Run a kernel and look at what happened.

    Returns
    -------
    CompilerFacts
    """
    before = compilations()
    began = time.perf_counter()
    SparseEncoder(1, 1, (1, 1)).add(np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.float32))
    seconds = time.perf_counter() - began
    return CompilerFacts(seconds, compilations() > before)


def not_kept() -> str:
    """Say why kernels that this process has compiled are not kept for the next.

    Returns
    -------
    str
        Empty if they are.
    """
    if kernel_folder().path is None:
        return kernel_folder().passed_over
    room = __name__.rpartition(".")[0]
    for name, module in sorted(sys.modules.items()):
        if name.startswith(f"{room}."):
            for value in vars(module).values():
                cache = getattr(value, "_cache", None) if isinstance(value, Dispatcher) else None
                if isinstance(cache, KernelCache) and cache.problem:
                    return cache.problem
    return ""
