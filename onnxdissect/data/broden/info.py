"""Facts about a data set, from its tables alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from onnxdissect.data.broden.about import About
from onnxdissect.data.broden.reader import BrodenDataset
from onnxdissect.data.packed.dataset import PackedDataset
from onnxdissect.data.vocabulary import Concept
from onnxdissect.errors import ImageFileError, ParameterError

__all__ = ["CategoryFacts", "DatasetFacts", "describe"]


@dataclass(frozen=True, slots=True)
class CategoryFacts:
    """A category of a data set.

    Attributes
    ----------
    name : str
    concepts : int
        Concepts whose primary category it is.
    images : int
        Images with an annotation in its column of the index.
    largest : tuple of (str, float)
        Concepts that cover most, with their coverage in whole images, by label.csv.
    """

    name: str
    concepts: int
    images: int
    largest: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What a data set holds.

    Attributes
    ----------
    name : str
    folder : str
        Where it lies: of a packed file, the file.
    images : int
    concepts : int
    splits : dict of str to int
        Images per split.
    sources : dict of str to int
        Images per folder inside the images folder, most first; Broden has one per source data set.
    sizes : dict of str to int
        Images per image size, as ``"224x224"``.
    grids : dict of str to int
        Images per label grid, as ``"112x112"``.
    categories : tuple of CategoryFacts
        In category.csv order.
    several : tuple of str
        Concepts listed in several categories.
    empty : tuple of str
        Concepts that cover nothing, by label.csv's own coverage column; empty if it has none.
    bare : int
        Images without any annotation.
    grouped_by : str or None
        What groups the images; None if each stands for itself.
    groups : int or None
        How many groups.
    fingerprint : str or None
        Hash of all that is dissected; None where a listed file is missing.
    about : About or None
        Where it comes from, if its folder tells.
    """

    name: str
    folder: str
    images: int
    concepts: int
    splits: dict[str, int]
    sources: dict[str, int]
    sizes: dict[str, int]
    grids: dict[str, int]
    categories: tuple[CategoryFacts, ...]
    several: tuple[str, ...]
    empty: tuple[str, ...]
    bare: int
    grouped_by: str | None
    groups: int | None
    fingerprint: str | None
    about: About | None

    def to_json(self) -> dict[str, object]:
        """As JSON values.

        Returns
        -------
        dict
        """
        return asdict(self) | {"about": None if self.about is None else self.about.to_json()}


def describe(dataset: BrodenDataset | PackedDataset, *, largest: int = 5) -> DatasetFacts:
    """Gather facts from the tables. No image is opened; files are asked for their sizes, for the fingerprint.

    Parameters
    ----------
    dataset : BrodenDataset or PackedDataset
    largest : int
        How many concepts are named per category.

    Returns
    -------
    DatasetFacts

    Raises
    ------
    ParameterError
        If `largest` is negative.
    """
    if largest < 0:
        raise ParameterError(f"the number of concepts to name cannot be {largest}")
    entries = dataset.entries
    concepts = dataset.vocabulary.concepts
    annotated = Counter(category for entry in entries for category in entry.annotated)
    groups = dataset.groups()
    told = any(concept.coverage > 0 for concept in concepts)
    return DatasetFacts(
        name=dataset.name,
        folder=str(dataset.folder) if isinstance(dataset, BrodenDataset) else dataset.place,
        images=len(entries),
        concepts=len(concepts),
        splits=dict(Counter(entry.split for entry in entries)),
        sources=dict(Counter(entry.image.rpartition("/")[0] or "." for entry in entries).most_common()),
        sizes=dict(Counter(_extent(entry.size) for entry in entries).most_common()),
        grids=dict(Counter(_extent(entry.grid) for entry in entries).most_common()),
        categories=tuple(
            CategoryFacts(
                name=category,
                concepts=sum(concept.category == category for concept in concepts),
                images=annotated[g],
                largest=_largest([c for c in concepts if c.category == category], largest),
            )
            for g, category in enumerate(dataset.vocabulary.categories)
        ),
        several=tuple(concept.name for concept in concepts if len(concept.categories) > 1),
        empty=tuple(concept.name for concept in concepts if told and concept.coverage == 0),
        bare=sum(not (entry.maps or entry.image_labels) for entry in entries),
        grouped_by=dataset.grouped_by,
        groups=None if groups is None else int(groups.max(initial=-1)) + 1,
        fingerprint=_fingerprint(dataset),
        about=dataset.about,
    )


def _fingerprint(dataset: BrodenDataset | PackedDataset) -> str | None:
    try:
        return dataset.fingerprint
    except ImageFileError:
        return None  # `data check` names every file that is missing


def _extent(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def _largest(concepts: list[Concept], count: int) -> tuple[tuple[str, float], ...]:
    ordered = sorted(concepts, key=lambda concept: (-concept.coverage, concept.number))
    return tuple((concept.name, concept.coverage) for concept in ordered[:count])
