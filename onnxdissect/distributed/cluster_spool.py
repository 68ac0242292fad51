"""The spool of a run on a cluster: its parts stay with the workers, which count them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from itertools import count
from typing import Any, TypeVar

from onnxdissect.core.spool.chunk import Chunk
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.spool.spool import Spool
from onnxdissect.distributed.failures import explained_failures
from onnxdissect.distributed.parts import chunks_of, walk_part
from onnxdissect.distributed.waiting import results

__all__ = ["ClusterSpool"]

_Found = TypeVar("_Found")


class ClusterSpool(SpoolParts):
    """Parts on the workers of a cluster. One that is lost with its worker is made again by another.

    Parameters
    ----------
    client : distributed.Client
    token : str
        Tells the tasks of this run from others.
    parts : mapping of int to distributed.Future
        Futures of `onnxdissect.distributed.parts.Part`, by the number of their first images.
    here : Spool
        What this process has.
    """

    here: Spool

    def __init__(self, client: Any, token: str, parts: Mapping[int, Any], here: Spool) -> None:
        self._client = client
        self._token = token
        self._parts = dict(parts)
        self.here = here
        self._numbers = count()
        # The last one sent, and what stands for it on the cluster.
        self._sent: tuple[Any, Any] | None = None

    def each(self, stage: str, work: Callable[..., _Found], *arguments: Any) -> Iterator[_Found]:
        """Do something with each part, on the worker that holds it; see `SpoolParts.each`."""
        with explained_failures(self._client.scheduler.address):
            sent = self._payload(stage, work)
            futures = list(self._on_parts(stage, walk_part, sent, *arguments).values())
            yield from results(self._client, futures)

    def complete(self) -> None:
        """Be told that all images have been taken in."""
        self.here.complete()

    def in_order(self) -> Iterator[Chunk]:
        """All chunks, by their images, brought here part by part."""
        with explained_failures(self._client.scheduler.address):
            yield from merge(self.here.in_order(), self._brought(), key=lambda chunk: chunk.start)

    def _brought(self) -> Iterator[Chunk]:
        for start in sorted(self._parts):
            for chunks in results(
                self._client, list(self._on_parts("masks", chunks_of, only=start).values())
            ):
                yield from chunks

    def forget(self) -> None:
        """Let go of all parts, whose files go with them."""
        self._parts = {}
        self._sent = None
        self.here.forget()

    def _payload(self, stage: str, work: Callable[..., Any]) -> Any:
        """Bring to the cluster what is done with every part, unless it is there.

        As the result of a task it is made again where it is lost; with every task, it would be sent again.
        """
        if self._sent is None or self._sent[0] is not work:
            key = (f"onnxdissect-{stage}-send-{self._token}", next(self._numbers))
            self._sent = work, self._client.submit(pickle.loads, pickle.dumps(work), key=key)
        return self._sent[1]

    def _on_parts(
        self, stage: str, function: Callable[..., Any], *arguments: Any, only: int | None = None
    ) -> dict[int, Any]:
        """Have something done where the parts lie."""
        parts = {start: part for start, part in self._parts.items() if only in (None, start)}
        held = self._client.who_has(list(parts.values()))
        number = next(self._numbers)
        return {
            start: self._client.submit(
                function,
                part,
                *arguments,
                key=(f"onnxdissect-{stage}-{self._token}", number, start),
                workers=list(held.get(part.key, ())) or None,
                # its worker may die meanwhile
                allow_other_workers=bool(held.get(part.key)),
            )
            for start, part in parts.items()
        }
