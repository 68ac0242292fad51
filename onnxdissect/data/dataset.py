"""The interface of a data set, wherever its images come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import Annotation
from onnxdissect.data.vocabulary import Vocabulary

__all__ = ["Dataset"]


@runtime_checkable
class Dataset(Protocol):
    """Images with annotations in one vocabulary (paper section 3.1).

    Immutable; all methods may be called from many threads at once. Images are numbered from 0. What is wrong
    with an image or its annotations is raised as `onnxdissect.errors.DataError` when it is read.
    """

    @property
    def name(self) -> str:
        """What it is called in messages, reports and the name of a run directory."""
        ...

    @property
    def source(self) -> Mapping[str, str]:
        """Where it lies, as a manifest keeps it: ``{"folder": PATH}`` of a Broden folder, otherwise empty.

        A source whose SPEC holds several paths gives ``{"spec": SPEC}`` with all of them absolute.
        """
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that is dissected: which images, their annotations and the vocabulary."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The concepts that annotations refer to, the same in every subset."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """(ih, iw) of most images; what a network is run at that takes any size."""
        ...

    @property
    def grouped_by(self) -> str | None:
        """What groups images that belong together, by which a source is asked for them again.

        None if each image stands for itself.
        """
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def image_name(self, i: int) -> str:
        """Name of an image, by which it is found again: no two of a data set have the same.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        str
        """
        ...

    def split(self, i: int) -> str:
        """Split that an image belongs to; may be empty.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        str
        """
        ...

    def grid(self, i: int) -> tuple[int, int]:
        """(sh, sw) of an image's label grid, known without reading its annotation.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        tuple of int
        """
        ...

    def groups(self) -> NDArray[np.int64] | None:
        """Tell which group each image is in.

        Returns
        -------
        ndarray of int64, shape (images,), or None
            Numbered from 0 as they appear; None if each image stands for itself.
        """
        ...

    def read_image(self, i: int) -> NDArray[np.uint8]:
        """Give an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        ndarray of uint8, shape (ih, iw, 3)
            RGB. Not to be written to.
        """
        ...

    def read_annotation(self, i: int) -> Annotation:
        """Give L_c(x) of an image x for all concepts c; `onnxdissect.data.annotate` makes one of label maps.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        Annotation
            On the grid that `grid` tells.
        """
        ...

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
        """
        ...
