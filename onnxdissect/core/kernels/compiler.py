"""How the kernels are compiled here, for whoever has to find out why they are slow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from onnxdissect.core.kernels.survey import cache_path, survey

__all__ = ["CompilerFacts", "compiler_facts"]


@dataclass(frozen=True, slots=True)
class CompilerFacts:
    """What numba does here.

    Attributes
    ----------
    threads : int
        Threads of a parallel kernel.
    layer : str
        Threading layer: ``tbb``, ``omp`` or ``workqueue``.
    cache : Path
        Where compiled kernels are kept: beside the package, or in the user's cache where that cannot be
        written.
    """

    threads: int
    layer: str
    cache: Path


def compiler_facts() -> CompilerFacts:
    """Run a kernel and look at what happened.

    Returns
    -------
    CompilerFacts
    """
    # The threading layer is chosen when the first parallel kernel runs.
    survey(np.zeros((1, 1, 1, 1), np.float32), 1)
    return CompilerFacts(numba.get_num_threads(), numba.threading_layer(), cache_path())
