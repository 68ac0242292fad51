"""Choosing some images of a data set."""

from __future__ import annotations

from collections.abc import Sequence

from onnxdissect.errors import EmptyDataError, ParameterError, nearest

__all__ = ["choose"]


def choose(
    name: str, splits: Sequence[str], known: Sequence[str], split: str | None, limit: int | None
) -> Sequence[int]:
    """Choose images by split and number.

    Parameters
    ----------
    name : str
        Of the data set, for messages.
    splits : sequence of str
        Split of each image.
    known : sequence of str
        All splits that there are, also those of which no image is left here.
    split : str or None
        Only images of this split.
    limit : int or None
        Of those, only the first so many.

    Returns
    -------
    sequence of int
        Positions, ascending.

    Raises
    ------
    ParameterError
        If there is no such split, or the limit is below 1.
    EmptyDataError
        If the split exists, but no image of it is left here.
    """
    if limit is not None and limit < 1:
        raise ParameterError(f"the limit must be 1 or more, not {limit}", hint="--limit 100")
    chosen: Sequence[int] = range(len(splits))
    if split is not None:
        if split not in known:
            raise ParameterError(
                f"{name} has no split {split!r}", candidates=nearest(split, known) or tuple(known)
            )
        chosen = [i for i in chosen if splits[i] == split]
    if not chosen:
        raise EmptyDataError(f"no image of the split {split!r} is left in this part of {name}")
    return chosen[:limit]
