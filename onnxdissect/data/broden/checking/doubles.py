"""Images that are there more than once: by their path in the index, or by their pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from onnxdissect.data.broden.checking.problems import Problem
from onnxdissect.data.broden.index import Entry
from onnxdissect.errors import shown, shown_path

__all__ = ["listed_twice", "same_pixels"]


def listed_twice(entries: Sequence[Entry], index: str) -> Iterator[Problem]:
    """Find rows that list an image once more.

    Parameters
    ----------
    entries : sequence of Entry
    index : str
        The table that they stand in.

    Yields
    ------
    Problem
    """
    times = Counter(entry.image for entry in entries)
    seen: set[str] = set()
    for entry in entries:
        if entry.image in seen:
            often = f"{times[entry.image]} times, and counts as often"
            message = f"the image {shown_path(entry.image)} is listed {often}"
            yield Problem("warning", index, entry.line, message)
        seen.add(entry.image)


def same_pixels(entries: Sequence[Entry], digests: Sequence[bytes | None]) -> Iterator[Problem]:
    """Find images of other paths that have the very same pixels as one before them.

    Parameters
    ----------
    entries : sequence of Entry
    digests : sequence of bytes or None
        Of the pixels of each; None where they cannot be read.

    Yields
    ------
    Problem
        Whatever the files are: the same pixels may be stored in several ways.
    """
    first: dict[bytes, Entry] = {}
    for entry, digest in zip(entries, digests, strict=True):
        if digest is None:
            continue
        other = first.setdefault(digest, entry)
        if other.image == entry.image:
            continue
        split = f", which is of the split {shown(other.split)}" if other.split != entry.split else ""
        message = f"the image has the same pixels as {shown_path(other.image)} (line {other.line}){split}"
        yield Problem("warning", entry.image, entry.line, message)
