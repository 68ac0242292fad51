"""How the kernels are compiled on this machine: what `onnxdissect doctor` prints of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from onnxdissect.compiling.files import compiled_here
from onnxdissect.core.kernels.activations.encode import SparseEncoder

__all__ = ["CompilerFacts", "compiler_facts"]


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
    before = compiled_here()
    began = time.perf_counter()
    SparseEncoder(1, 1, (1, 1)).add(np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.float32))
    seconds = time.perf_counter() - began
    return CompilerFacts(seconds, compiled_here() > before)
