"""Which class of a network each labelled image shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.labelled_images import LabelledImages
from onnxdissect.errors import ParameterError, shown_path
from onnxdissect.experiments.class_scores.target import class_number
from onnxdissect.model.scores.class_scores import ClassScores

__all__ = ["shown_classes", "tell_empty_folders"]

_MOST_NAMED = 10


def tell_empty_folders(images: LabelledImages, notify: Callable[[str], None] | None) -> None:
    """Say which folders of classes hold no image, if any do.

    Parameters
    ----------
    images : LabelledImages
    notify : callable, optional
        Told in a line.
    """
    if notify is None or not images.empty:
        return
    listed = ", ".join(map(shown_path, images.empty[:_MOST_NAMED]))
    more = "" if len(images.empty) <= _MOST_NAMED else f" and {len(images.empty) - _MOST_NAMED} more"
    notify(f"no image in these folders of {images.source}, which are left out: {listed}{more}")


def shown_classes(
    images: LabelledImages, scores: ClassScores, names: Sequence[str] | None
) -> NDArray[np.int64]:
    """Find the class of every image among those of the network.

    Parameters
    ----------
    images : LabelledImages
        Labelled by names of classes or their numbers.
    scores : ClassScores
        Of which output.
    names : sequence of str, optional
        What its classes are called.

    Returns
    -------
    ndarray of int64, shape (images,)

    Raises
    ------
    ParameterError
        If one is labelled by what is no class of the network; the nearest names are told.
    """
    numbers: dict[str, int] = {}
    for name, label in zip(images.names, images.classes, strict=True):
        if label in numbers:
            continue
        try:
            numbers[label] = class_number(label, scores, names)
        except ParameterError as error:
            raise ParameterError(
                f"the image {name} of {images.source}: {error.message}",
                candidates=error.candidates,
                hint="name classes as the network does, or say how it does: --classes FILE, one a line",
            ) from error
    return np.array([numbers[label] for label in images.classes], np.int64)
