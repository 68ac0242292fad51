"""A data set of one's own, held to what `Dataset` promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import Annotation
from onnxdissect.data.broden.about import About, about_of
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, Vocabulary
from onnxdissect.errors import DataFormatError, EmptyDataError, OnnxDissectError, ParameterError
from onnxdissect.storage.memory import raise_memory_error

__all__ = ["CheckedDataset"]

_Value = TypeVar("_Value")

_ANNOTATE = "onnxdissect.data.annotate makes an annotation of label maps and image labels"


class CheckedDataset:
    """Gives what another data set gives, and refuses what breaks the protocol, naming the image.

    Names, grids and groups are looked at once, images and annotations whenever they are read. A mistake in
    any of them would otherwise end in the middle of a run, or be counted.

    Parameters
    ----------
    dataset : Dataset
        Of any class.

    Raises
    ------
    EmptyDataError
        If it has no image.
    DataFormatError
        If anything but an image or its annotation is not as `Dataset` says.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.name: str = dataset.name
        if not isinstance(self.name, str) or not self.name.strip():
            self._refuse("name", self.name, "a text that is not empty")
        self._count = len(dataset)
        if not self._count:
            raise EmptyDataError(f"the data set {self.name} has no image")
        self.source: Mapping[str, str] = dataset.source
        if not isinstance(self.source, Mapping) or not all(
            isinstance(text, str) for pair in self.source.items() for text in pair
        ):
            self._refuse("source", self.source, "a mapping of texts to texts")
        self.vocabulary: Vocabulary = dataset.vocabulary
        self._check_vocabulary()
        self.image_size: tuple[int, int] = dataset.image_size
        if not _is_size(self.image_size):
            self._refuse("image_size", self.image_size, "(height, width), whole numbers from 1")
        self._names: list[str] = [self._of(i, "image_name", str) for i in range(self._count)]
        (name, times), *_ = Counter(self._names).most_common(1)
        if times > 1:
            raise DataFormatError(f"{times} images of {self.name} are called {name!r}")
        self._splits: list[str] = [self._of(i, "split", str) for i in range(self._count)]
        self._grids: list[tuple[int, int]] = [self._of(i, "grid", tuple) for i in range(self._count)]
        for i, grid in enumerate(self._grids):
            if not _is_size(grid):
                self._refuse(f"grid({i})", grid, "(sh, sw), whole numbers from 1")
        self.grouped_by: str | None = dataset.grouped_by
        self.about: About | None = about_of(dataset)
        self._groups = self._checked_groups(dataset.groups())

    def __len__(self) -> int:
        """How many images there are."""
        return self._count

    @property
    def fingerprint(self) -> str:
        """Hash of all that is dissected, as the data set tells it."""
        fingerprint: str = self._dataset.fingerprint
        if not isinstance(fingerprint, str) or not fingerprint:
            self._refuse("fingerprint", fingerprint, "a text that is not empty")
        return fingerprint

    def image_name(self, i: int) -> str:
        """Name of an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        str
        """
        return self._names[i]

    def split(self, i: int) -> str:
        """Split that an image belongs to.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        str
        """
        return self._splits[i]

    def grid(self, i: int) -> tuple[int, int]:
        """Label grid of an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        tuple of int
            (sh, sw).
        """
        return self._grids[i]

    def groups(self) -> NDArray[np.int64] | None:
        """Tell which group each image is in.

        Returns
        -------
        ndarray of int64, shape (images,), or None
        """
        return self._groups

    def read_image(self, i: int) -> NDArray[np.uint8]:
        """Give an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        ndarray of uint8, shape (ih, iw, 3)

        Raises
        ------
        DataFormatError
            If the data set gives something else, or fails.
        """
        image = self._read(i, self._dataset.read_image)
        if (
            not isinstance(image, np.ndarray)
            or image.dtype != np.uint8
            or image.ndim != 3
            or image.shape[2] != 3
            or not image.size
        ):
            raise DataFormatError(
                f"image {self._names[i]} of {self.name} is {_told(image)}; "
                "it should be an array of uint8 (height, width, 3), RGB"
            )
        return image

    def read_annotation(self, i: int) -> Annotation:
        """Give all annotations of an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        Annotation

        Raises
        ------
        DataFormatError
            If the data set gives something else than `Annotation` says, or fails.
        """
        annotation = self._read(i, self._dataset.read_annotation)
        wrong = self._wrong(annotation, self._grids[i])
        if wrong:
            raise DataFormatError(
                f"the annotation of image {self._names[i]} of {self.name} {wrong}", hint=_ANNOTATE
            )
        return annotation

    def subset(self, *, split: str | None = None, limit: int | None = None) -> CheckedDataset:
        """Choose images.

        Parameters
        ----------
        split : str, optional
            Only images of this split.
        limit : int, optional
            Of those, only the first so many.

        Returns
        -------
        CheckedDataset

        Raises
        ------
        ParameterError
            If the limit is below 1.
        DataFormatError
            If the data set gives something else than a part of itself.
        """
        if limit is not None and limit < 1:
            raise ParameterError(f"the limit must be 1 or more, not {limit}", hint="--limit 100")
        part = self._dataset.subset(split=split, limit=limit)
        if not hasattr(part, "read_annotation"):
            self._refuse("subset", part, "a data set")
        checked = CheckedDataset(part)
        checked.about = checked.about or self.about
        if limit is not None and len(checked) > limit:
            self._refuse(f"subset(limit={limit})", part, f"at most {limit} images; it has {len(checked)}")
        if split is not None and set(checked._splits) != {split}:
            self._refuse(f"subset(split={split!r})", part, "only images of this split")
        return checked

    def _wrong(self, annotation: object, grid: tuple[int, int]) -> str:
        """Say what of an annotation is not as it should be; empty if nothing is."""
        if not isinstance(annotation, Annotation):
            return f"is {_told(annotation)}, not an Annotation"
        planes, labels = annotation.planes, annotation.image_labels
        concepts = len(self.vocabulary.concepts)
        if annotation.grid != grid:
            return f"is on the grid {annotation.grid}, and grid() tells {grid}"
        if not isinstance(planes, np.ndarray) or planes.dtype != np.uint16 or planes.shape[1:] != grid:
            return f"has planes of {_told(planes)}; they should be uint16 (planes, {grid[0]}, {grid[1]})"
        if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.ndim != 1:
            return f"has image labels of {_told(labels)}; they should be int64 (labels,)"
        highest = int(planes.max(initial=0))
        if highest > concepts:
            return f"holds the code {highest}, and the vocabulary has {concepts} concepts"
        if labels.size and not (labels[0] >= 0 and labels[-1] < concepts and (np.diff(labels) > 0).all()):
            return f"has the image labels {labels[:8].tolist()}; they ascend, from 0 to {concepts - 1}"
        if not planes.any(axis=(1, 2)).all():
            return "has a plane without any label"
        if any(((one == other) & (one > 0)).any() for one, other in combinations(planes, 2)):
            return "holds a concept twice in one pixel, in two planes"
        if labels.size and np.bincount(planes.ravel(), minlength=concepts + 1)[labels + 1].any():
            return "has a plane that holds a concept which its image labels hold too"
        return ""

    def _check_vocabulary(self) -> None:
        vocabulary = self.vocabulary
        if not isinstance(vocabulary, Vocabulary):
            self._refuse("vocabulary", vocabulary, "a Vocabulary, such as make_vocabulary gives")
        concepts, category_of = len(vocabulary.concepts), np.asarray(vocabulary.category_of)
        if (
            concepts > HIGHEST_NUMBER
            or category_of.shape != (concepts,)
            or (concepts and not 0 <= category_of.min() <= category_of.max() < len(vocabulary.categories))
            or [concept.index for concept in vocabulary.concepts] != list(range(concepts))
        ):
            self._refuse(
                "vocabulary", vocabulary, "one whose concepts are numbered from 0 and have a category"
            )

    def _checked_groups(self, groups: Any) -> NDArray[np.int64] | None:
        if self.grouped_by is not None and not isinstance(self.grouped_by, str):
            self._refuse("grouped_by", self.grouped_by, "a text or None")
        if (groups is None) != (self.grouped_by is None):
            self._refuse("groups()", groups, f"in accord with grouped_by, which is {self.grouped_by!r}")
        if groups is None:
            return None
        numbers = np.asarray(groups)
        if (
            numbers.shape != (self._count,)
            or not np.issubdtype(numbers.dtype, np.integer)
            or not np.array_equal(found := np.unique(numbers), np.arange(found.size))
        ):
            self._refuse(
                "groups()", groups, f"{self._count} whole numbers, which are 0, 1, 2 and so on without gaps"
            )
        return numbers.astype(np.int64)

    def _of(self, i: int, method: str, kind: type[_Value]) -> Any:
        try:
            value = getattr(self._dataset, method)(i)
        except OnnxDissectError:
            raise
        except Exception as error:  # whatever a foreign class does
            raise_memory_error(error)
            raise DataFormatError(
                f"{method}({i}) of the data set {self.name!r} fails: {type(error).__name__}: {error}",
                hint=f"mend {type(self._dataset).__name__}.{method}",
            ) from error
        if not isinstance(value, kind):
            self._refuse(f"{method}({i})", value, f"a {kind.__name__}")
        return value

    def _read(self, i: int, read: Callable[[int], _Value]) -> _Value:
        try:
            return read(i)
        except OnnxDissectError:
            raise
        except Exception as error:  # whatever a foreign class does
            raise_memory_error(error)
            raise DataFormatError(
                f"image {self._names[i]} of {self.name} cannot be read: {type(error).__name__}: {error}",
                hint=f"mend {type(self._dataset).__name__}.{read.__name__}",
            ) from error

    def _refuse(self, what: str, value: object, wanted: str) -> NoReturn:
        kind = type(self._dataset).__name__
        raise DataFormatError(
            f"{what} of the data set {self.name!r} ({kind}) is {_told(value)}; it should be {wanted}",
            hint=f"mend {kind}: onnxdissect.data.Dataset says what each attribute gives",
        )


def _is_size(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(extent, int | np.integer) and extent > 0 for extent in value)
    )


def _told(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    text = repr(value)
    return text if len(text) <= 60 else type(value).__name__
