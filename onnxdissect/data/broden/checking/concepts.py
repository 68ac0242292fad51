"""Concepts that no image holds, or hardly one: nothing can be learnt of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.checking.problems import Problem
from onnxdissect.data.vocabulary import Vocabulary
from onnxdissect.wording import counted

__all__ = ["FEWEST_IMAGES", "rare_concepts"]

FEWEST_IMAGES = 10
"""A concept in fewer images is told of: what they have in common beside it counts as much as it does."""


def rare_concepts(vocabulary: Vocabulary, images: NDArray[np.int64], fewest: int) -> Iterator[Problem]:
    """Find concepts that few images hold.

    Parameters
    ----------
    vocabulary : Vocabulary
    images : ndarray of int64, shape (concepts,)
        How many images hold each.
    fewest : int
        How many are enough.

    Yields
    ------
    Problem
        In the order of label.csv; a concept that no image holds is always told of.
    """
    for concept in vocabulary.concepts:
        count, label = int(images[concept.index]), f"label {concept.number} ({concept.name!r})"
        if not count:
            yield Problem("warning", "label.csv", None, f"no pixel holds {label}")
        elif count < fewest:
            message = f"{label} is in {counted(count, 'image')}, fewer than {fewest}"
            yield Problem("warning", "label.csv", None, message)
