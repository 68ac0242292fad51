"""A spool that lies in parts in other places: whatever walks over it is done where each part lies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from onnxdissect.core.spool.chunk import Chunk

__all__ = ["SpoolParts"]

_Found = TypeVar("_Found")


class SpoolParts(ABC):
    """Takes the place of a `Spool` whose chunks stay with those who gathered them.

    Attributes
    ----------
    here : iterable of Chunk
        The part that lies in this process; may be empty.
    """

    here: Iterable[Chunk] = ()

    @abstractmethod
    def each(self, stage: str, work: Callable[..., _Found], *arguments: Any) -> Iterator[_Found]:
        """Do something with each of the other parts, where it lies.

        Parameters
        ----------
        stage : str
            What is done, for those who watch.
        work : callable
            Given the chunks of a part and the arguments; pickles. One that is given several times is sent
            to where the parts lie only once.
        *arguments
            Small values.

        Yields
        ------
        object
            What came of each part, in any order; the caller's own.

        Raises
        ------
        OnnxDissectError
            If a part is lost and cannot be made again.
        """

    @abstractmethod
    def in_order(self) -> Iterator[Chunk]:
        """All chunks, by their images, brought here part by part."""

    @abstractmethod
    def complete(self) -> None:
        """Be told that all images have been taken in."""

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks; `each` is what does not bring them here."""
        return self.in_order()

    @abstractmethod
    def forget(self) -> None:
        """Let go of all parts: everything has been counted."""
