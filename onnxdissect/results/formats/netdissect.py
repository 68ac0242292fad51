"""A layer in the result format of the original NetDissect, for programs that read that.

Units count from 1 there. Rows come by falling score. Where a unit's mask meets no concept of a category,
the label is empty and truth, intersection and IoU are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.scoring import Scores
from onnxdissect.results.records import Concept, LayerCounts
from onnxdissect.storage.files import write_csv

__all__ = ["netdissect_name", "write_netdissect"]

_PER_CATEGORY = ("label", "truth", "activation", "intersect", "iou")


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
    counts: LayerCounts,
    scores: Scores,
    activation: NDArray[np.int64],
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
    counts : LayerCounts
        The layer's counts.
    scores : Scores
        What follows from them under the convention in use.
    activation : ndarray of int64, shape (Q, K, G) or (Q, K)
        Mask pixels of that convention.
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
    header = ["unit", "category", "label", "score"]
    header += [f"{name}-{what}" for name in categories for what in _PER_CATEGORY]
    for q, quantile in enumerate(quantiles):
        rows = []
        for k in np.argsort(-scores.best[q], kind="stable").tolist():
            index = int(scores.concept[q, k])
            label, category = ("", "") if index < 0 else (concepts[index].name, concepts[index].category)
            row: list[object] = [k + 1, category, label, scores.best[q, k]]
            for g in range(len(categories)):
                c = int(scores.category_concept[q, k, g])
                masked = int(activation[q, k] if activation.ndim == 2 else activation[q, k, g])
                if c < 0:
                    row += ["", 0, masked, 0, 0.0]
                else:
                    row += [
                        concepts[c].name,
                        int(counts.truth[c]),
                        masked,
                        int(counts.intersection[q, k, c]),
                        scores.category_best[q, k, g],
                    ]
            rows.append(row)
        write_csv(folder / netdissect_name(q, quantile), header, rows)
