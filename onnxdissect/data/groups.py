"""Which images belong together: frames of one film, slices of one body, photographs of one street."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError, nearest, shown
from onnxdissect.storage.numerals import whole_number

__all__ = [
    "FEW_GROUPS",
    "GROUP_COLUMN",
    "NO_GROUPS",
    "GroupOf",
    "equal_groups",
    "group_rule",
    "group_warnings",
    "number_groups",
]

GROUP_COLUMN = "group"
"""The column of index.csv that groups images unless something else is asked for."""
NO_GROUPS = "none"
"""What is asked for so that each image is a group of its own."""
FEW_GROUPS = 20
"""With fewer groups, or images that stand for themselves, intervals from resampling them are rough."""

_PREFIX = "prefix:"
_LONGEST_PREFIX = 10**6

GroupOf = Callable[[Sequence[str], str], str]
"""From the cells of a row and the path of its image to the name of its group; empty for none."""


def group_rule(
    asked: str | None, columns: Mapping[str, int], categories: Collection[str]
) -> tuple[str | None, GroupOf]:
    """Decide what groups the images of an index.

    Parameters
    ----------
    asked : str or None
        A column of index.csv; ``folder``, the folder of the image's path; ``prefix:N``, the first N
        characters of its file name; ``none``; or None for the column ``group``, if there is one.
    columns : mapping of str to int
        Columns of index.csv and their positions; empty for images that stand in no such table.
    categories : collection of str
        Of the data set; a category of the name ``group`` is not taken for one of groups.

    Returns
    -------
    rule : str or None
        What groups the images; to ask for it gives the same groups. None without groups.
    group_of : callable
        From the cells of a row and the path of its image to the name of its group.

    Raises
    ------
    ParameterError
        If there is no such column or rule.
    """
    if asked is None:
        asked = GROUP_COLUMN if GROUP_COLUMN in columns and GROUP_COLUMN not in categories else NO_GROUPS
    if asked in columns:
        position = columns[asked]
        return asked, lambda cells, image: cells[position].strip()
    if asked == NO_GROUPS:
        return None, lambda cells, image: ""
    if asked == "folder":
        return asked, lambda cells, image: str(PurePosixPath(image).parent)
    if asked.startswith(_PREFIX):
        length = _prefix_length(asked)
        return asked, lambda cells, image: PurePosixPath(image).name[:length]
    raise ParameterError(
        f"index.csv has no column {asked!r} to group images by"
        if columns
        else f"there is no table with a column {asked!r} to group images by",
        candidates=nearest(asked, columns) or tuple(columns),
        hint="--groups folder or --groups prefix:6 group them by their paths, --groups none not at all",
    )


def _prefix_length(asked: str) -> int:
    length = asked.removeprefix(_PREFIX)
    value = whole_number(length, least=1, most=_LONGEST_PREFIX)
    if value is not None:
        return value
    raise ParameterError(
        f"{_PREFIX}N groups images by the first N characters of their file names, with N a whole number from "
        f"1: {shown(asked)} asks for {f'{shown(length)} of them' if length else 'no number of them'}",
        hint=f"--groups {_PREFIX}6; --groups {NO_GROUPS} lets each image stand for itself",
    )


def number_groups(names: Sequence[str]) -> NDArray[np.int64]:
    """Give numbers to groups, as they appear.

    Parameters
    ----------
    names : sequence of str
        Group of each image; one that names none is a group of its own.

    Returns
    -------
    ndarray of int64, shape (images,)
    """
    numbers: dict[str | int, int] = {}
    keys: list[str | int] = [name or i for i, name in enumerate(names)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def equal_groups(groups: NDArray[np.int64]) -> float:
    """Tell how many groups of equal size would make estimates as uncertain as these groups do.

    Parameters
    ----------
    groups : ndarray of int64, shape (images,)
        Group of each image, from 0.

    Returns
    -------
    float
        As many as there are images where each is a group of its own.
    """
    sizes = np.bincount(groups)
    return float(groups.size**2 / np.square(sizes, dtype=np.float64).sum())


def group_warnings(groups: NDArray[np.int64] | None) -> list[str]:
    """Say where groups are too few, or too unequal, to be resampled well.

    Parameters
    ----------
    groups : ndarray of int64, shape (images,), or None
        Group of each image, from 0.

    Returns
    -------
    list of str
        At most one sentence.
    """
    if groups is None:
        return []
    sizes = np.bincount(groups)
    worth = equal_groups(groups)
    if worth >= FEW_GROUPS:
        return []
    if sizes.size == 1:
        return [f"all {groups.size} images are of one group: there is nothing to resample, and no interval"]
    return [
        f"{groups.size} images are of {sizes.size} groups, worth {worth:.1f} of equal size: with fewer than "
        f"{FEW_GROUPS} intervals are rough and rather too narrow, and no detector counts as reliable"
    ]
