"""A number for each concept of the joined data set, and none for those that are rare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.joining.vocabulary.uniting import UnitedVocabulary
from onnxdissect.data.vocabulary import HIGHEST_NUMBER
from onnxdissect.errors import DataFormatError, EmptyDataError

__all__ = ["number_concepts"]


def number_concepts(united: UnitedVocabulary, held: NDArray[np.int64], min_images: int) -> NDArray[np.uint16]:
    """Give numbers to concepts, from 1, those of most images first, as Broden does.

    Parameters
    ----------
    united : UnitedVocabulary
    held : ndarray of int64, shape (concepts,)
        In how many images each concept is.
    min_images : int
        Concepts in fewer get no number.

    Returns
    -------
    ndarray of uint16, shape (concepts + 1,)
        By position of the concept + 1; 0 for none. Those of equally many images are numbered by name, so that
        the order of the data sets does not matter.

    Raises
    ------
    EmptyDataError
        If no concept is left.
    DataFormatError
        If there are more than label maps can hold.
    """
    kept = [i for i in range(held.size) if held[i] >= min_images]
    if not kept:
        raise EmptyDataError(
            f"each of the {held.size:,} concepts is in fewer than {min_images:,} images: none is left",
            hint="a smaller --min-images",
        )
    if len(kept) > HIGHEST_NUMBER:
        raise DataFormatError(
            f"the data sets have {len(kept):,} concepts together; label maps hold {HIGHEST_NUMBER:,} numbers",
            hint="--min-images N drops those in fewer than N images",
        )
    kept.sort(key=lambda i: (-int(held[i]), united.concepts[i].identity))
    numbers = np.zeros(held.size + 1, np.uint16)
    for number, i in enumerate(kept, 1):
        numbers[i + 1] = number
    return numbers
