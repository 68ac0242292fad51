"""Which images something has been gathered from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onnxdissect.errors import ImagesMissingError, ImagesOverlapError

__all__ = ["ImageRanges"]

# Ranges that a message names before it only counts them.
_NAMED = 8


@dataclass(frozen=True, slots=True)
class ImageRanges:
    """Images by number, as half-open ranges.

    Two of them are equal if they hold the same images. Use `of` to make one.

    Attributes
    ----------
    ranges : tuple of (int, int)
        Ascending; none is empty, and none begins where another ends.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, *ranges: tuple[int, int]) -> ImageRanges:
        """Gather ranges, in any order.

        Parameters
        ----------
        *ranges : (int, int)
            First image, and the one after the last; empty ones are left out.

        Returns
        -------
        ImageRanges

        Raises
        ------
        ImagesOverlapError
            If an image is in two of them.
        """
        joined, twice = _joined((start, stop) for start, stop in ranges if start < stop)
        if twice:
            images = cls(tuple(_joined(twice)[0]))
            raise ImagesOverlapError(
                f"images {images} were taken in twice; counts of the same images cannot be added",
                hint="give each image to one part of the pass only",
            )
        return cls(tuple(joined))

    def __str__(self) -> str:
        """Numbers for a message: the first ranges, and how many images are in the others."""
        return ", ".join(_named(*self.ranges))

    def __len__(self) -> int:
        """How many images."""
        return sum(stop - start for start, stop in self.ranges)

    def __iter__(self) -> Iterator[int]:
        """Image numbers, ascending."""
        for start, stop in self.ranges:
            yield from range(start, stop)

    def __or__(self, other: ImageRanges) -> ImageRanges:
        """Images of both.

        Raises
        ------
        ImagesOverlapError
            If both hold an image, naming such images.
        """
        return ImageRanges.of(*self.ranges, *other.ranges)

    def expect_counted(self, images: int) -> None:
        """Refuse counts that are not of all images; that none is counted twice is seen to as they are merged.

        Parameters
        ----------
        images : int
            How many there are.

        Raises
        ------
        ImagesMissingError
            If some are missing, naming them.
        """
        missing = self.missing(images)
        if missing or len(self) != images:
            raise ImagesMissingError(
                f"of {images} images {len(missing)} have not been counted: numbers {missing}",
                hint="start the run again",
            )

    def missing(self, images: int) -> ImageRanges:
        """Give what is missing of all images.

        Parameters
        ----------
        images : int
            How many there are, numbered from 0.

        Returns
        -------
        ImageRanges
        """
        edges = [0, *(edge for pair in self.ranges for edge in pair), images]
        return ImageRanges.of(*zip(edges[::2], edges[1::2], strict=True))


def _joined(ranges: Iterable[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Join ranges that touch or overlap; give also what lies in two of them."""
    joined: list[tuple[int, int]] = []
    twice: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if not joined or start > joined[-1][1]:
            joined.append((start, stop))
            continue
        before, end = joined[-1]
        if start < end:
            twice.append((start, min(stop, end)))
        joined[-1] = (before, max(stop, end))
    return joined, twice


def _named(*ranges: tuple[int, int]) -> Iterator[str]:
    for start, stop in ranges[:_NAMED]:
        yield str(start) if stop == start + 1 else f"{start} to {stop - 1}"
    if len(ranges) > _NAMED:
        yield f"and {sum(stop - start for start, stop in ranges[_NAMED:])} others"
