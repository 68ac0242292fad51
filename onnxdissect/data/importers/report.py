"""What an import has made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.broden.writer import ImageRecord

__all__ = ["CategoryCounts", "ImportReport", "count_categories"]


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """A category of the data set.

    Attributes
    ----------
    name : str
    concepts : int
        Labels that some image holds in it.
    images : int
        How many hold any of them.
    pixels : int
        Of label grids, summed over labels: one that holds two counts twice, and a label of a whole image
        counts all of them.
    """

    name: str
    concepts: int
    images: int
    pixels: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import has made.

    Attributes
    ----------
    folder : str
        The data set.
    spec : str
        What opens it, for `--data`.
    name, licence : str
        Of the data set.
    images : int
    concepts : int
        Labels that some image holds.
    splits : dict of str to int
        Images of each.
    categories : tuple of CategoryCounts
    notes : tuple of str
        What is to be known of it, a sentence each: what was left out, and how often.
    """

    folder: str
    spec: str
    name: str
    licence: str
    images: int
    concepts: int
    splits: dict[str, int]
    categories: tuple[CategoryCounts, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Give it as JSON values.

        Returns
        -------
        dict
        """
        return asdict(self)


def count_categories(
    categories: Sequence[str], labels: Sequence[LabelEntry], records: Sequence[ImageRecord]
) -> tuple[CategoryCounts, ...]:
    """Count what images hold.

    Parameters
    ----------
    categories : sequence of str
    labels : sequence of LabelEntry
        Those that some image holds, with the categories that they are held in.
    records : sequence of ImageRecord
        Of all images.

    Returns
    -------
    tuple of CategoryCounts
        In the order of the categories.
    """
    return tuple(
        CategoryCounts(
            category,
            sum(category in label.categories for label in labels),
            sum(bool(record.pixels.get(category)) for record in records),
            sum(sum(record.pixels.get(category, {}).values()) for record in records),
        )
        for category in categories
    )
