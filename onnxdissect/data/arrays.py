"""A data set of NumPy arrays, without a folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import Annotation, annotate
from onnxdissect.data.choosing import choose
from onnxdissect.data.groups import GROUP_COLUMN, number_groups
from onnxdissect.data.vocabulary import Vocabulary
from onnxdissect.errors import DataFormatError, EmptyDataError, nearest, shown

__all__ = ["ArrayDataset", "ImageLabels", "LabelMaps"]

LabelMaps = Mapping[str, Sequence[NDArray[np.integer] | None] | NDArray[np.integer]]
"""By category, one entry per image: its label map (sh, sw), several of them (maps, sh, sw), or None."""
ImageLabels = Mapping[str, Sequence[int | Sequence[int]]]
"""By category, one entry per image: a label number that holds for the whole of it, several, or 0 for none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    image: NDArray[np.uint8]
    maps: tuple[NDArray[np.uint16], ...]  # concept index + 1
    image_labels: tuple[int, ...]  # concept indices
    grid: tuple[int, int]
    name: str
    split: str
    group: str


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a subset shares with the data set that it was chosen from."""

    name: str
    vocabulary: Vocabulary
    splits: tuple[str, ...]
    grouped_by: str | None


class ArrayDataset:
    """Images and label maps in memory, as a `Dataset`.

    Arrays are kept as they are, not copied; whoever made them leaves them alone from now on.

    Parameters
    ----------
    images : ndarray of uint8, shape (images, ih, iw, 3), or sequence of ndarray of uint8, shape (ih, iw, 3)
        RGB.
    vocabulary : Vocabulary
        What label numbers mean; see `make_vocabulary`.
    label_maps : mapping of str to sequence of ndarray, optional
        By category, for each image its label map of shape (sh, sw), several of shape (maps, sh, sw), or None.
        Label numbers, 0 where unlabelled. All maps of an image are of one size.
    image_labels : mapping of str to sequence of int or of sequence of int, optional
        By category, for each image the label numbers that hold for the whole of it; 0 is none.
    names, splits, groups : sequence of str, optional
        Of each image: a name of its own, by default its number; its split, by default ``"train"``; and what
        it is one of, such as a film, empty if it stands for itself.
    grouped_by : str
        What `groups` was made by. A source that is asked for groups puts here what it was asked for, so that
        the data of a run is found again with the same groups.
    name : str
        Of the data set.

    Raises
    ------
    EmptyDataError
        If there is no image.
    DataFormatError
        If an array has another type or shape than it should, if there is not one entry per image, or if a
        number or a category is not in the vocabulary.
    """

    def __init__(
        self,
        images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
        vocabulary: Vocabulary,
        label_maps: LabelMaps | None = None,
        image_labels: ImageLabels | None = None,
        *,
        names: Sequence[str] | None = None,
        splits: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        grouped_by: str = GROUP_COLUMN,
        name: str = "arrays",
    ) -> None:
        if not len(images):
            raise EmptyDataError(f"the data set {name} has no image")
        count = len(images)
        names = [str(i) for i in range(count)] if names is None else list(map(str, names))
        twice = [called for called, times in Counter(names).items() if times > 1]
        if twice:
            raise DataFormatError(f"two images of {name} are called {twice[0]!r}")
        splits = ["train"] * count if splits is None else list(map(str, splits))
        grouping = None if groups is None else grouped_by
        groups = [""] * count if groups is None else list(map(str, groups))
        maps, numbers = label_maps or {}, image_labels or {}
        for what, given in (
            ("names", names),
            ("splits", splits),
            ("groups", groups),
            *maps.items(),
            *numbers.items(),
        ):
            if len(given) != count:
                raise DataFormatError(f"{name} has {count} images and {len(given)} {what}")
        for category in (*maps, *numbers):
            if category not in vocabulary.categories:
                raise DataFormatError(
                    f"{name} has labels of the category {category!r}, which its vocabulary lacks",
                    candidates=nearest(category, vocabulary.categories) or vocabulary.categories,
                )
        self._shared = _Shared(name, vocabulary, tuple(dict.fromkeys(splits)), grouping)
        self._items = tuple(
            self._item(
                images[i],
                [one for found in maps.values() for one in _planes(found[i])],
                [number for found in numbers.values() for number in _listed(found[i])],
                (names[i], splits[i], groups[i]),
            )
            for i in range(count)
        )

    def _item(
        self,
        image: NDArray[np.uint8],
        maps: Sequence[NDArray[np.integer]],
        numbers: Sequence[int],
        told: tuple[str, str, str],
    ) -> _Item:
        called = f"image {told[0]} of {self.name}"
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise DataFormatError(
                f"{called} is {image.dtype} {image.shape}; it should be uint8 (height, width, 3), RGB"
            )
        grids = {(one.shape[0], one.shape[1]) for one in maps}
        if len(grids) > 1:
            told_sizes = ", ".join(f"{height}x{width}" for height, width in sorted(grids))
            raise DataFormatError(f"the label maps of {called} are of different sizes: {told_sizes}")
        image = image.view()
        image.setflags(write=False)
        codes = self._codes(called, np.array(numbers, np.int64))
        return _Item(
            image,
            tuple(self._codes(called, one) for one in maps),
            tuple(sorted({int(code) - 1 for code in codes if code})),
            grids.pop() if grids else (image.shape[0], image.shape[1]),
            *told,
        )

    def _codes(self, called: str, numbers: NDArray[np.integer]) -> NDArray[np.uint16]:
        """From label numbers to concept index + 1."""
        lookup = self.vocabulary.lookup
        if not np.issubdtype(numbers.dtype, np.integer):
            raise DataFormatError(f"a label map of {called} is {numbers.dtype}; it should hold whole numbers")
        known = (numbers >= 0) & (numbers < len(lookup))
        codes = lookup[np.where(known, numbers, 0)]
        strange = np.unique(numbers[~known | (codes < 0)])
        if strange.size:
            told = ", ".join(map(str, strange[:10].tolist())) + ", ..." * (strange.size > 10)
            raise DataFormatError(f"{called} holds the label numbers {told}, which its vocabulary lacks")
        return codes.astype(np.uint16)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._items)

    @property
    def name(self) -> str:
        """As given."""
        return self._shared.name

    @property
    def source(self) -> Mapping[str, str]:
        """Nothing: a manifest cannot say where to find it again."""
        return {}

    @property
    def vocabulary(self) -> Vocabulary:
        """As given."""
        return self._shared.vocabulary

    @property
    def grouped_by(self) -> str | None:
        """As given, where groups were given."""
        return self._shared.grouped_by

    @property
    def image_size(self) -> tuple[int, int]:
        """(ih, iw) of most images."""
        sizes = Counter((item.image.shape[0], item.image.shape[1]) for item in self._items)
        return sizes.most_common(1)[0][0]

    @property
    def fingerprint(self) -> str:
        """Hash of the vocabulary and of all pixels, labels and names; computed anew at each call."""
        digest = hashlib.sha256()
        digest.update(
            repr((self.vocabulary.categories, list(map(astuple, self.vocabulary.concepts)))).encode()
        )
        for item in self._items:
            told = (item.name, item.split, item.group, item.image.shape, item.grid, item.image_labels)
            digest.update(repr((*told, len(item.maps))).encode())
            for array in (item.image, *item.maps):
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

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
        return self._items[i].name

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
        return self._items[i].split

    def grid(self, i: int) -> tuple[int, int]:
        """Label grid of an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        tuple of int
            (sh, sw); the image's own size where it has no label map.
        """
        return self._items[i].grid

    def groups(self) -> NDArray[np.int64] | None:
        """Tell which group each image is in.

        Returns
        -------
        ndarray of int64, shape (images,), or None
            Numbered as they appear.
        """
        return None if self.grouped_by is None else number_groups([item.group for item in self._items])

    def read_image(self, i: int) -> NDArray[np.uint8]:
        """Give an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        ndarray of uint8, shape (ih, iw, 3)
            RGB; the array given, which cannot be written to through this one.
        """
        return self._items[i].image

    def read_annotation(self, i: int) -> Annotation:
        """Give all annotations of an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        Annotation
        """
        item = self._items[i]
        return annotate(item.grid, item.maps, item.image_labels)

    def subset(self, *, split: str | None = None, limit: int | None = None) -> ArrayDataset:
        """Choose images.

        Parameters
        ----------
        split : str, optional
            Only images of this split.
        limit : int, optional
            Of those, only the first so many.

        Returns
        -------
        ArrayDataset

        Raises
        ------
        ParameterError
            If there is no such split, or the limit is below 1.
        EmptyDataError
            If the split exists, but no image of it is left here.
        """
        known = self._shared.splits
        chosen = choose(self.name, [item.split for item in self._items], known, split, limit)
        part = object.__new__(ArrayDataset)
        part._shared, part._items = self._shared, tuple(self._items[i] for i in chosen)
        return part


def _planes(entry: NDArray[np.integer] | None) -> list[NDArray[np.integer]]:
    if entry is None:
        return []
    maps = np.asarray(entry)
    if maps.ndim not in (2, 3) or not maps.size:
        raise DataFormatError(f"a label map is an array (height, width), not {maps.dtype} {maps.shape}")
    return [maps] if maps.ndim == 2 else list(maps)


def _listed(entry: int | Sequence[int]) -> list[int]:
    try:
        return [int(number) for number in np.atleast_1d(np.asarray(entry, np.int64))]
    except (OverflowError, TypeError, ValueError) as error:
        raise DataFormatError(
            f"an image label is a label number, or several, not {shown(str(entry))}"
        ) from error
