"""Linear algebra in one thread, where more threads would only wait for one another."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["one_blas_thread"]


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let the linear algebra of NumPy and SciPy use one thread, in the whole process.

    Decompositions are many thousand small products. Threads of OpenBLAS wait for one another after each, and
    do so actively: beside other work a rotation of 512 units took nine times the processor time.
    """
    # loaded where it is needed, as it looks through all libraries of the process
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
