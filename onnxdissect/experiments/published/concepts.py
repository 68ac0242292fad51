"""The concepts that published results name: numbered anew, the same for all layers of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ResultFileError, shown
from onnxdissect.experiments.published.layers import PublishedLayer
from onnxdissect.experiments.published.table import ResultTable
from onnxdissect.results import CategoryBests, Concept

__all__ = ["bests_of", "gather_concepts"]

Named = tuple[int, str]
"""Position of a category, and the name of a concept of it."""


def gather_concepts(
    layers: Sequence[tuple[ResultTable, PublishedLayer]], categories: Sequence[str]
) -> tuple[Concept, ...]:
    """Collect the concepts that are the best of their category for some unit.

    Parameters
    ----------
    layers : sequence of (ResultTable, PublishedLayer)
        All of a run, each with the file that it is from.
    categories : sequence of str
        In the order of the files.

    Returns
    -------
    tuple of Concept
        By category and name, numbered from 1. Images are not known.

    Raises
    ------
    ResultFileError
        If a concept has other pixels in one place than in another.
    """
    truths: dict[Named, tuple[int, ResultTable, int]] = {}
    for table, layer in layers:
        for labels, truth, iou, line in zip(
            layer.labels, layer.truth.tolist(), layer.iou.tolist(), layer.lines, strict=True
        ):
            for g, label in enumerate(labels):
                if not label or not iou[g]:
                    continue
                first = truths.setdefault((g, label), (truth[g], table, line))
                if first[0] != truth[g]:
                    raise _other_truth(categories[g], label, first, (truth[g], table, line))
    return tuple(
        Concept(number, name, categories[g], truths[g, name][0], 0)
        for number, (g, name) in enumerate(sorted(truths), start=1)
    )


def bests_of(
    layer: PublishedLayer, concepts: Sequence[Concept], categories: Sequence[str], *, counted: bool
) -> CategoryBests:
    """Bring a layer into the form in which a run keeps it.

    Parameters
    ----------
    layer : PublishedLayer
    concepts : sequence of Concept
        Of `gather_concepts`.
    categories : sequence of str
    counted : bool
        Whether counts are known.

    Returns
    -------
    CategoryBests
        At one quantile. Nameless concepts are none.
    """
    place = {name: g for g, name in enumerate(categories)}
    positions: Mapping[Named, int] = {(place[one.category], one.name): c for c, one in enumerate(concepts)}
    found: NDArray[np.int64] = np.array(
        [
            [
                positions[g, label] if label and iou else -1
                for g, (label, iou) in enumerate(zip(labels, row, strict=True))
            ]
            for labels, row in zip(layer.labels, layer.iou.tolist(), strict=True)
        ],
        np.int64,
    )
    named = found >= 0
    # The original divides by no activation where the best concept has no name: it is that of no category.
    nameless = (layer.iou > 0) & ~named
    return CategoryBests(
        concept=found[None],
        iou=np.where(named, layer.iou, 0.0)[None],
        activation=np.where(nameless, 0, layer.activation)[None] if counted else None,
        intersection=np.where(named, layer.intersection, 0)[None] if counted else None,
    )


def _other_truth(
    category: str,
    name: str,
    first: tuple[int, ResultTable, int],
    second: tuple[int, ResultTable, int],
) -> ResultFileError:
    (before, table, line), (now, other, other_line) = first, second
    if table is other:
        return other.fault(
            f"{category}-truth of {shown(name)} is {now:,}, and {before:,} on line {line:,}: "
            "a concept has as many pixels for every unit",
            other_line,
        )
    return other.fault(
        f"{category}-truth of {shown(name)} is {now:,}, and {before:,} in {table.path}: "
        "the files are of different data",
        other_line,
        "import each of them into a run of its own",
    )
