"""How the kernels are compiled here, for whoever has to find out why they are slow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnxdissect.core.kernels.sift import Sieve, cache_path

__all__ = ["CompilerFacts", "compiler_facts"]


@dataclass(frozen=True, slots=True)
class CompilerFacts:
    """What numba does here.

    Attributes
    ----------
    seconds : float
        How long the first call of a kernel took: milliseconds when it was compiled before.
    cache : Path
        Where compiled kernels are kept: beside the package, or in the user's cache where that cannot be
        written.
    """

    seconds: float
    cache: Path


def compiler_facts() -> CompilerFacts:
    """Run a kernel and look at what happened.

    Returns
    -------
    CompilerFacts
    """
    began = time.perf_counter()
    Sieve(1, 1, (1, 1)).add(np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.float32))
    return CompilerFacts(time.perf_counter() - began, cache_path())
