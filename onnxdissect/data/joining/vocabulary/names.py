"""When two names are one: spelling, and the endings by which Broden tells scenes and colours apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from itertools import chain, count
from typing import NamedTuple

__all__ = [
    "Identity",
    "category_key",
    "concept_identity",
    "distinct_name",
    "name_key",
    "renamed",
    "shown_name",
]

_GAPS = re.compile(r"[\s_\-\u2010-\u2015\u2212]+")
# Broden calls the scene "street-s" and the colour "orange-c": a street and an orange are objects.
_ENDINGS = {"scene": "-s", "color": "-c"}
_SPELLINGS = {"colour": "color"}
KINDS = ("", *_ENDINGS)
"""What `Identity.kind` may be."""


class Identity(NamedTuple):
    """What makes two concepts one.

    Attributes
    ----------
    kind : str
        ``scene`` or ``color`` of what is nothing else; otherwise empty.
    key : str
        As `name_key` gives it.
    """

    kind: str
    key: str


def name_key(name: str) -> str:
    """Give what all spellings of a name have in common.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        One normal form of Unicode (NFKC), no difference of case, and one blank for any run of blanks, hyphens
        and low lines between words. Empty only for what holds nothing but blanks.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return _GAPS.sub(" ", folded).strip() or folded.strip()


def category_key(name: str) -> str:
    """Give what all spellings of a category have in common.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    key = name_key(name)
    return _SPELLINGS.get(key, key)


def concept_identity(name: str, categories: Iterable[str]) -> Identity:
    """Tell what a concept is one with.

    Parameters
    ----------
    name : str
    categories : iterable of str
        All that list it.

    Returns
    -------
    Identity
        Of scenes and colours without the ending that Broden gives them, whether it is there or not.
    """
    kinds = {category_key(category) for category in categories}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return _identity(name, kind if kind in _ENDINGS else "")


def renamed(name: str, identity: Identity) -> Identity:
    """Tell what a concept is one with once it has another name.

    Parameters
    ----------
    name : str
        The new one.
    identity : Identity
        The former.

    Returns
    -------
    Identity
        A scene stays a scene, a colour a colour.
    """
    return _identity(name, identity.kind)


def _identity(name: str, kind: str) -> Identity:
    bare = name.strip().removesuffix(_ENDINGS.get(kind, ""))
    return Identity(kind, name_key(bare) or name_key(name))


def shown_name(name: str) -> str:
    """Give a name as the joined data set spells it.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        Composed (NFC), without blanks at either end.
    """
    return unicodedata.normalize("NFC", name).strip()


def distinct_name(name: str, kind: str, taken: Collection[str]) -> str:
    """Give a name that no other concept has.

    Parameters
    ----------
    name : str
    kind : str
        Of its `Identity`.
    taken : collection of str
        Keys of the names that others have.

    Returns
    -------
    str
        The name itself where that is free; otherwise with the ending that Broden gives scenes and colours, or
        a number.
    """
    numbered = (f"{name} {n}" for n in count(2))
    tries = chain((name, f"{name}{_ENDINGS.get(kind, '')}"), numbered)
    return next(one for one in tries if name_key(one) not in taken)
