"""What a join did: what was merged, kept apart, renamed and dropped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.about import Part
from onnxdissect.data.broden.reader import BrodenDataset
from onnxdissect.data.joining.counting import CountedImages
from onnxdissect.data.joining.sources import JoinSource
from onnxdissect.data.joining.vocabulary.uniting import KeptApart, UnitedConcept, UnitedVocabulary
from onnxdissect.data.joining.writing import JoinedImage

__all__ = ["JoinReport", "JoinedConcept", "JoinedPart", "Origin", "report_join"]


@dataclass(frozen=True, slots=True)
class Origin:
    """A concept of a data set that was joined.

    Attributes
    ----------
    source : str
        The data set.
    number : int
    name : str
    """

    source: str
    number: int
    name: str


@dataclass(frozen=True, slots=True)
class JoinedConcept:
    """What became of concepts.

    Attributes
    ----------
    number : int or None
        In the joined data set; None of one that was dropped.
    name : str
    category : str
        Primary category; of one that was dropped the first that lists it.
    categories : tuple of str
    images : int
        In how many it is.
    origins : tuple of Origin
        What it was made of.
    """

    number: int | None
    name: str
    category: str
    categories: tuple[str, ...]
    images: int
    origins: tuple[Origin, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it had."""
        return tuple(dict.fromkeys(origin.name for origin in self.origins))


@dataclass(frozen=True, slots=True)
class JoinedPart:
    """A data set that was joined.

    Attributes
    ----------
    name : str
        The folder of its images in the joined data set.
    spec : str
        As it was asked for.
    images : int
    concepts : int
    part : Part
        What is told of it in about.json.
    nameless : tuple of int
        Numbers without a name: no concepts, and unlabelled in the joined data set.
    categories : dict of str to str
        Those that are called otherwise in the joined data set.
    """

    name: str
    spec: str
    images: int
    concepts: int
    part: Part
    nameless: tuple[int, ...]
    categories: dict[str, str]


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What a join did.

    Attributes
    ----------
    name : str
        Of the joined data set.
    images : int
    splits : dict of str to int
        Images by split.
    categories : dict of str to int
        Concepts by primary category.
    parts : tuple of JoinedPart
    concepts : tuple of JoinedConcept
        By number.
    dropped : tuple of JoinedConcept
        Those in fewer than `min_images` images.
    min_images : int
    kept_apart : tuple of KeptApart
    unknown_synonyms : tuple of str
        Names in the user's table that no data set has.
    doubles : tuple of tuple of str
        Images whose files are equal to the last bit; all of them are there.
    renamed : dict of str to str
        Names of images, from those under the folder of their data set to those that they have.
    """

    name: str
    images: int
    splits: dict[str, int]
    categories: dict[str, int]
    parts: tuple[JoinedPart, ...]
    concepts: tuple[JoinedConcept, ...]
    dropped: tuple[JoinedConcept, ...]
    min_images: int
    kept_apart: tuple[KeptApart, ...]
    unknown_synonyms: tuple[str, ...]
    doubles: tuple[tuple[str, ...], ...]
    renamed: dict[str, str]

    @property
    def merged(self) -> tuple[JoinedConcept, ...]:
        """Concepts that were several, under one name or under several."""
        return tuple(concept for concept in self.concepts if len(concept.origins) > 1)

    @property
    def renumbered(self) -> int:
        """How many concepts of all data sets have become concepts of the joined one."""
        return sum(len(concept.origins) for concept in self.concepts)

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values, as joined.json has it.

        Returns
        -------
        dict
        """
        return {"format_version": 1, **asdict(self)}


def report_join(
    name: str,
    sources: Sequence[JoinSource],
    parts: Sequence[Part],
    united: UnitedVocabulary,
    numbers: NDArray[np.uint16],
    counted: CountedImages,
    images: Sequence[JoinedImage],
    joined: BrodenDataset,
    min_images: int,
) -> JoinReport:
    """Bring together what a join did.

    Parameters
    ----------
    name : str
        Of the joined data set.
    sources : sequence of JoinSource
    parts : sequence of Part
        What is told of each.
    united : UnitedVocabulary
    numbers : ndarray of uint16, shape (concepts + 1,)
    counted : CountedImages
    images : sequence of JoinedImage
    joined : BrodenDataset
        What was written.
    min_images : int

    Returns
    -------
    JoinReport
    """
    primary = {concept.number: concept for concept in joined.vocabulary.concepts}
    kept, dropped = [], []
    for position, (concept, held) in enumerate(zip(united.concepts, counted.held.tolist(), strict=True), 1):
        number = int(numbers[position])
        if number:
            now = primary[number]
            kept.append(_concept(number, concept, now.category, now.categories, held, sources))
        else:
            dropped.append(_concept(None, concept, concept.categories[0], concept.categories, held, sources))
    by_category = Counter(concept.category for concept in kept)
    return JoinReport(
        name=name,
        images=len(joined),
        splits=dict(sorted(Counter(image.split for image in images).items())),
        categories={category: by_category[category] for category in united.categories},
        parts=tuple(
            JoinedPart(
                source.name,
                source.spec,
                len(source.dataset),
                len(source.dataset.vocabulary.concepts),
                part,
                source.nameless,
                {own: theirs for own, theirs in names.items() if own != theirs},
            )
            for source, part, names in zip(sources, parts, united.category_names, strict=True)
        ),
        concepts=tuple(sorted(kept, key=lambda concept: concept.number or 0)),
        dropped=tuple(sorted(dropped, key=lambda concept: concept.name)),
        min_images=min_images,
        kept_apart=united.kept_apart,
        unknown_synonyms=united.unknown_synonyms,
        doubles=_doubles(counted, images),
        renamed=_renamed(sources, images),
    )


def _concept(
    number: int | None,
    concept: UnitedConcept,
    category: str,
    categories: tuple[str, ...],
    held: int,
    sources: Sequence[JoinSource],
) -> JoinedConcept:
    origins = tuple(
        Origin(sources[one.source].name, one.concept.number, one.concept.name) for one in concept.members
    )
    return JoinedConcept(number, concept.name, category, categories, held, origins)


def _doubles(counted: CountedImages, images: Sequence[JoinedImage]) -> tuple[tuple[str, ...], ...]:
    alike: Mapping[bytes, list[str]] = defaultdict(list)
    for image in images:
        alike[counted.files[image.source][image.i].digest].append(image.name)
    return tuple(tuple(names) for names in alike.values() if len(names) > 1)


def _renamed(sources: Sequence[JoinSource], images: Sequence[JoinedImage]) -> dict[str, str]:
    plain = (f"{sources[one.source].name}/{sources[one.source].dataset.image_name(one.i)}" for one in images)
    return {before: one.name for before, one in zip(plain, images, strict=True) if before != one.name}
