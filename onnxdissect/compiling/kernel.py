"""How kernels are compiled: three decorators, and the options that all kernels share.

Compiling is what the first run on a machine waits for, so kernels are written to compile quickly. They
allocate nothing, and call nothing of NumPy's: their wrappers do, which need not be compiled. Without
allocations no references have to be counted, and that is most of what numba would otherwise generate for an
array that is cut or handed on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from onnxdissect.compiling.files import KernelCache

__all__ = ["inlined", "kernel", "part"]

# The same for all: a function is compiled again for a caller with other options. `error_model` leaves out a
# check at each division; every kernel that divides looks at the divisor itself.
_OPTIONS = {"_nrt": False, "no_cfunc_wrapper": True, "error_model": "numpy"}


def kernel(body: Callable[..., Any]) -> Any:
    """Compile a function that is called from Python; it is kept from one process to the next.

    Parameters
    ----------
    body : function

    Returns
    -------
    numba.core.dispatcher.Dispatcher
    """
    compiled = njit(nogil=True, **_OPTIONS)(body)
    # As numba's `cache=True` does, with files of our own. Without the compiler this is the function itself.
    if compiled is not body:
        compiled._cache = KernelCache(body)
    return compiled


def part(body: Callable[..., Any]) -> Any:
    """Compile a function that several kernels call, and nobody else: Python cannot.

    Parameters
    ----------
    body : function

    Returns
    -------
    numba.core.dispatcher.Dispatcher
    """
    return njit(no_cpython_wrapper=True, **_OPTIONS)(body)


def inlined(body: Callable[..., Any]) -> Any:
    """Put a function into its caller before that is compiled, which is quicker where there is one call of it.

    Parameters
    ----------
    body : function

    Returns
    -------
    numba.core.dispatcher.Dispatcher
    """
    return njit(inline="always", **_OPTIONS)(body)
