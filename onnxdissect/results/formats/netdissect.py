"""A layer in the result format of the original NetDissect, for programs that read that.

Units count from 1 there. Rows come by falling score. Where a unit's mask meets no concept of a category,
the label is empty and truth, intersection and IoU are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.results.records import CategoryBests, Concept
from onnxdissect.storage.files import write_csv

__all__ = ["netdissect_name", "write_netdissect"]

_PER_CATEGORY = ("label", "truth", "activation", "intersect", "iou")
_WITHOUT_COUNTS = ("label", "iou")


def netdissect_name(q: int, quantile: float) -> str:
    """Name of the file of one quantile: the first has the original's name.

    Parameters
    ----------
    q : int
        Position of the quantile in the run.
    quantile : float
        The level tau.

    Returns
    -------
    str
        ``netdissect.csv``, or for example ``netdissect-0.01.csv``.
    """
    return "netdissect.csv" if q == 0 else f"netdissect-{quantile!r}.csv"


def write_netdissect(
    folder: Path,
    bests: CategoryBests,
    *,
    concepts: Sequence[Concept],
    categories: Sequence[str],
    quantiles: Sequence[float],
) -> None:
    """Write one file per quantile.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    bests : CategoryBests
        The layer's best concepts, under the convention in use. Of results that do not tell counts, the file
        has no columns for them.
    concepts : sequence of Concept
        In order of their numbers.
    categories : sequence of str
        In ``category.csv`` order.
    quantiles : sequence of float
        The levels tau.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    counted = bests.activation is not None
    columns = _PER_CATEGORY if counted else _WITHOUT_COUNTS
    header = ["unit", "category", "label", "score"]
    header += [f"{name}-{what}" for name in categories for what in columns]
    label, score = _labels(bests, len(concepts))
    for q, quantile in enumerate(quantiles):
        rows = []
        for k in np.argsort(-score[q], kind="stable").tolist():
            index = int(label[q, k])
            named = ("", "") if index < 0 else (concepts[index].category, concepts[index].name)
            row: list[object] = [k + 1, *named, score[q, k]]
            for g in range(len(categories)):
                c = int(bests.concept[q, k, g])
                name, truth = ("", 0) if c < 0 else (concepts[c].name, concepts[c].truth)
                row.append(name)
                if bests.activation is not None and bests.intersection is not None:
                    row += [truth, int(bests.activation[q, k, g]), int(bests.intersection[q, k, g])]
                row.append(0.0 if c < 0 else bests.iou[q, k, g])
            rows.append(row)
        write_csv(folder / netdissect_name(q, quantile), header, rows)


def _labels(bests: CategoryBests, concepts: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Label of each unit, the lowest number of equal ones and -1 for none, and its IoU."""
    if bests.iou.shape[2] == 0:
        nothing = bests.iou.shape[:2]
        return np.full(nothing, -1, np.int64), np.zeros(nothing)
    score: NDArray[np.float64] = bests.iou.max(axis=2)
    first = np.where(
        (bests.iou == score[..., None]) & (bests.concept >= 0), bests.concept, max(concepts, 1)
    ).min(axis=2)
    return np.where(score > 0, first, -1), score
