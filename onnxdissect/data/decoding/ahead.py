"""Work done ahead of its consumer, in threads, delivered in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Barrier
from typing import TypeVar

from onnxdissect.interrupts import uninterrupted

__all__ = ["ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, depth: int
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for all items, in their order, computed in threads up to `depth` items ahead.

    Parameters
    ----------
    function : callable
        Called from several threads at once.
    items : iterable
        Taken one by one, as room becomes free, by the consumer's thread.
    workers : int
        Threads.
    depth : int
        Items begun and not yet delivered, at most.

    Yields
    ------
    object
        Results. The first exception in the order of the items is raised as it is, after the results before
        it. Then, or when the iterator is closed, items not yet begun are dropped, and the threads end as soon
        as those begun are done.
    """
    remaining = iter(items)
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="onnxdissect-data")
    try:
        _start_threads(pool, workers)
        pending.extend(pool.submit(function, item) for item in islice(remaining, depth))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _start_threads(pool: ThreadPoolExecutor, workers: int) -> None:
    """Start all threads of a pool, which by itself starts them one by one as they are needed.

    An interrupt just then would lose one: nobody would wait for it at the end, and it would go on writing.
    """
    ready = Barrier(workers)
    with uninterrupted():
        try:
            for waiting in [pool.submit(ready.wait) for _ in range(workers)]:
                waiting.result()
        except BaseException:
            ready.abort()
            raise
