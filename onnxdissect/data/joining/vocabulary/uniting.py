"""Which concepts of several data sets are one, and what they are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.joining.sources import JoinSource
from onnxdissect.data.joining.vocabulary.names import (
    Identity,
    category_key,
    concept_identity,
    distinct_name,
    name_key,
    shown_name,
)
from onnxdissect.data.joining.vocabulary.synonyms import SynonymTable
from onnxdissect.data.limits import MOST_CATEGORIES
from onnxdissect.data.vocabulary import Concept
from onnxdissect.errors import DataFormatError

__all__ = ["KeptApart", "Member", "UnitedConcept", "UnitedVocabulary", "unite"]


@dataclass(frozen=True, slots=True)
class Member:
    """A concept of one of the data sets.

    Attributes
    ----------
    source : int
        Position of the data set.
    concept : Concept
    """

    source: int
    concept: Concept


@dataclass(frozen=True, slots=True)
class UnitedConcept:
    """A concept of the joined data set.

    Attributes
    ----------
    identity : Identity
    name : str
    categories : tuple of str
        Of the joined data set: all that list it somewhere.
    members : tuple of Member
        What it is made of, in the order of the data sets.
    synonyms : tuple of str
        What else it is called.
    """

    identity: Identity
    name: str
    categories: tuple[str, ...]
    members: tuple[Member, ...]
    synonyms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptApart:
    """A synonym of the shipped table that is not one here, as a data set tells both names apart.

    Attributes
    ----------
    synonym, name : str
    source : str
        The data set.
    """

    synonym: str
    name: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class UnitedVocabulary:
    """The concepts of the joined data set, before they have numbers.

    Attributes
    ----------
    categories : tuple of str
        Those of the first data set in its order, then those that others add.
    category_names : sequence of mapping of str to str
        From the categories of each data set to these.
    concepts : tuple of UnitedConcept
        In an order that does not depend on that of the data sets.
    lookups : sequence of ndarray of int64, shape (concepts of the data set + 1,)
        From the concept index + 1 of each data set to positions in `concepts` + 1; 0 stays 0.
    kept_apart : tuple of KeptApart
    unknown_synonyms : tuple of str
        Names in the user's table that no data set has.
    """

    categories: tuple[str, ...]
    category_names: Sequence[Mapping[str, str]]
    concepts: tuple[UnitedConcept, ...]
    lookups: Sequence[NDArray[np.int64]]
    kept_apart: tuple[KeptApart, ...]
    unknown_synonyms: tuple[str, ...]


def unite(sources: Sequence[JoinSource], table: SynonymTable) -> UnitedVocabulary:
    """Decide which concepts are one.

    Those are whose names differ in nothing but normal form, case, blanks, hyphens and low lines, or are
    synonyms: by the user's table, or by the shipped one unless a data set has both as concepts of its own.

    Parameters
    ----------
    sources : sequence of JoinSource
    table : SynonymTable

    Returns
    -------
    UnitedVocabulary

    Raises
    ------
    DataFormatError
        If there are too many categories.
    """
    categories, category_names = _categories(sources)
    found = [
        Member(i, concept) for i, one in enumerate(sources) for concept in one.dataset.vocabulary.concepts
    ]
    plain = [concept_identity(m.concept.name, m.concept.categories) for m in found]
    asked = [table.asked_for(m.concept.name, one) for m, one in zip(found, plain, strict=True)]
    known = [target or one for one, (_, target) in zip(plain, asked, strict=True)]
    proposed = [target or table.own(one) for one, (_, target) in zip(plain, asked, strict=True)]
    apart = _told_apart(found, known, proposed)
    members: dict[Identity, list[Member]] = defaultdict(list)
    for member, one, target in zip(found, known, proposed, strict=True):
        members[one if one in apart else target].append(member)
    ordered = sorted(members)
    lookups = [np.zeros(len(one.dataset.vocabulary.concepts) + 1, np.int64) for one in sources]
    for position, identity in enumerate(ordered, 1):
        for member in members[identity]:
            lookups[member.source][member.concept.index + 1] = position
    names = _names({identity: members[identity] for identity in ordered}, table)
    rows = {row for row, _ in asked if row is not None}
    return UnitedVocabulary(
        categories,
        category_names,
        tuple(
            UnitedConcept(
                identity,
                names[identity],
                _listed(members[identity], categories, category_names),
                tuple(members[identity]),
                _other_names(names[identity], members[identity], sources),
            )
            for identity in ordered
        ),
        lookups,
        tuple(KeptApart(*names_, sources[source].name) for one, (names_, source) in sorted(apart.items())),
        tuple(text for key, text in table.written.items() if key not in rows),
    )


def _categories(sources: Sequence[JoinSource]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    spelled: dict[str, str] = {}
    names = []
    for source in sources:
        own = source.dataset.vocabulary.categories
        names.append({one: spelled.setdefault(category_key(one), shown_name(one)) for one in own})
    if len(spelled) > MOST_CATEGORIES:
        raise DataFormatError(
            f"the data sets have {len(spelled):,} categories together; at most {MOST_CATEGORIES:,} are read"
        )
    return tuple(spelled.values()), names


def _told_apart(
    found: Sequence[Member], known: Sequence[Identity], proposed: Sequence[Identity]
) -> dict[Identity, tuple[tuple[str, str], int]]:
    """Concepts that the shipped table would make one with another concept of the same data set."""
    together: dict[tuple[int, Identity], dict[Identity, str]] = defaultdict(dict)
    for member, one, target in zip(found, known, proposed, strict=True):
        together[member.source, target].setdefault(one, member.concept.name)
    apart: dict[Identity, tuple[tuple[str, str], int]] = {}
    for (source, target), names in together.items():
        if len(names) < 2:
            continue
        for one, name in names.items():
            other = names.get(target) or next(text for key, text in names.items() if key != one)
            if one != target:
                apart.setdefault(one, ((name, other), source))
    return apart


def _names(members: Mapping[Identity, Sequence[Member]], table: SynonymTable) -> dict[Identity, str]:
    """Names of all concepts, no two of them alike: plain ones first, then scenes and colours."""
    spelled = table.spellings()
    taken: set[str] = set()
    names: dict[Identity, str] = {}
    for identity, found in members.items():
        own = (
            m.concept.name
            for m in found
            if concept_identity(m.concept.name, m.concept.categories) == identity
        )
        name = shown_name(next(own, None) or spelled.get(identity) or found[0].concept.name)
        names[identity] = distinct_name(name, identity.kind, taken)
        taken.add(name_key(names[identity]))
    return names


def _listed(
    members: Sequence[Member], categories: Sequence[str], category_names: Sequence[Mapping[str, str]]
) -> tuple[str, ...]:
    held = {category_names[m.source][category] for m in members for category in m.concept.categories}
    return tuple(category for category in categories if category in held)


def _other_names(name: str, members: Sequence[Member], sources: Sequence[JoinSource]) -> tuple[str, ...]:
    """Give what else a concept is called: by the data sets, then by their lists of synonyms."""
    texts = [shown_name(m.concept.name) for m in members]
    for m in members:
        texts += sources[m.source].synonyms.get(m.concept.number, ())
    return tuple(dict.fromkeys(text for text in texts if text != name and ";" not in text))
