"""What the rows of an index tell of images, wherever the files lie: in a folder, or packed into one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.about import About
from onnxdissect.data.broden.files import INDEX
from onnxdissect.data.broden.index import Entry
from onnxdissect.data.choosing import choose
from onnxdissect.data.groups import number_groups
from onnxdissect.data.vocabulary import Vocabulary

__all__ = ["IndexedDataset"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class IndexedDataset(ABC):
    """Images with the rows of their index, or a subset of them. Immutable.

    Attributes
    ----------
    vocabulary : Vocabulary
        Of the whole data set, also in a subset.
    entries : tuple of Entry
        The images, in the index's order.
    splits : tuple of str
        Splits of the whole data set, in order of appearance.
    tables : bytes
        SHA-256 over all tables.
    grouped_by : str or None
        What groups the images; None if each stands for itself.
    index : str
        The table that lists the images.
    about : About or None
        Where the data set comes from, if it has an about.json.
    """

    vocabulary: Vocabulary
    entries: tuple[Entry, ...]
    splits: tuple[str, ...]
    tables: bytes
    grouped_by: str | None = None
    index: str = INDEX
    about: About | None = None

    def __len__(self) -> int:
        return len(self.entries)

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called."""

    @property
    def image_size(self) -> tuple[int, int]:
        """(ih, iw) of most images."""
        return Counter(entry.size for entry in self.entries).most_common(1)[0][0]

    def image_name(self, i: int) -> str:
        """Path of an image inside the images folder.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        str
        """
        return self.entries[i].image

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
        return self.entries[i].split

    def groups(self) -> NDArray[np.int64] | None:
        """Tell which group each image is in.

        Returns
        -------
        ndarray of int64, shape (images,), or None
            Numbered as they appear.
        """
        return None if self.grouped_by is None else number_groups([entry.group for entry in self.entries])

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
        return self.entries[i].grid

    def subset(self, *, split: str | None = None, limit: int | None = None) -> Self:
        """Choose images.

        Parameters
        ----------
        split : str, optional
            Only images of this split.
        limit : int, optional
            Of those, only the first so many.

        Returns
        -------
        Dataset
            Of the same class.

        Raises
        ------
        ParameterError
            If there is no such split, or the limit is below 1.
        EmptyDataError
            If the split exists, but no image of it is left here.
        """
        chosen = list(choose(self.name, [entry.split for entry in self.entries], self.splits, split, limit))
        return replace(self, **self._of(chosen))

    def _of(self, chosen: Sequence[int]) -> dict[str, Any]:
        """Give what a subset of these images has in place of what this object has."""
        return {"entries": tuple(self.entries[i] for i in chosen)}
