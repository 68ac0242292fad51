"""What a join can be asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onnxdissect.data.vocabulary import has_control
from onnxdissect.errors import ParameterError, shown
from onnxdissect.storage.numerals import any_number

__all__ = ["JoinOptions", "parse_splits"]

_EXAMPLE = "--splits train=0.7,val=0.3"


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """What a join can be asked for.

    Attributes
    ----------
    synonyms : Path or None
        A table of the user's, beside the shipped one.
    min_images : int
        Concepts in fewer images are dropped: their pixels become unlabelled.
    splits : mapping of str to float
        Share of the images by split, drawn by what the files hold; empty: images keep the splits they have.
    link : bool
        Whether images stay where they are, and links lead there.
    name, licence : str
        For about.json; by default the folder's name, and the licences of what was joined.
    workers : int
        Threads.
    """

    synonyms: Path | None = None
    min_images: int = 1
    splits: Mapping[str, float] = field(default_factory=dict)
    link: bool = False
    name: str = ""
    licence: str = ""
    workers: int = 2

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ParameterError(f"the number of workers must be 1 or more, not {self.workers}")
        if self.min_images < 0:
            raise ParameterError(
                f"concepts cannot be held by fewer than {self.min_images} images", hint="--min-images 10"
            )
        _check_splits(self.splits)


def parse_splits(text: str) -> dict[str, float]:
    """Read shares of splits, as ``train=0.7,val=0.3``.

    Parameters
    ----------
    text : str
        ``keep`` for the splits that images have.

    Returns
    -------
    dict of str to float
        Empty for ``keep``.

    Raises
    ------
    ParameterError
        If it is no such text.
    """
    if text == "keep":
        return {}
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        value = any_number(share)
        if not name.strip() or value is None:
            raise ParameterError(
                f"splits are given as NAME=SHARE between commas, or as keep; {shown(part)} is neither",
                hint=_EXAMPLE,
            )
        if name.strip() in shares:
            raise ParameterError(f"the split {shown(name.strip())} is given twice", hint=_EXAMPLE)
        shares[name.strip()] = value
    _check_splits(shares)
    return shares


def _check_splits(shares: Mapping[str, float]) -> None:
    if not shares:
        return
    for name, share in shares.items():
        if not name or name != name.strip() or has_control(name):
            raise ParameterError(f"{shown(name)} cannot be the name of a split", hint=_EXAMPLE)
        if not 0 < share <= 1:
            raise ParameterError(
                f"the split {shown(name)} cannot have a share of {share:g} of the images", hint=_EXAMPLE
            )
    total = math.fsum(shares.values())
    if not math.isclose(total, 1, abs_tol=1e-6):
        raise ParameterError(f"the shares of all splits together are {total:g}, not 1", hint=_EXAMPLE)
