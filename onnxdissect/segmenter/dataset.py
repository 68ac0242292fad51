"""Plain images, labelled by a segmenter whenever they are asked for, as a `Dataset`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import About, Annotation, Part, Vocabulary, annotate
from onnxdissect.data.broden.about import one_line
from onnxdissect.data.choosing import choose
from onnxdissect.data.groups import group_rule, number_groups
from onnxdissect.errors import DataFormatError, shown_path
from onnxdissect.segmenter.heads import read_lists
from onnxdissect.segmenter.image_folder import ImageFolder, open_image_folder
from onnxdissect.segmenter.labeller import Labeller, open_labeller
from onnxdissect.segmenter.spec import SEGMENTER, SegmenterSpec, parse_spec

__all__ = ["SPLIT", "SegmenterDataset", "open_dataset"]

SPLIT = "train"
"""Of every image: a folder tells no splits."""

_ANY_SIZE = (224, 224)


@dataclass(frozen=True, slots=True, eq=False)
class SegmenterDataset:
    """Images of a folder, and the labels that a segmentation network gives them.

    Immutable; reading from many threads is safe. Labels are made anew each time they are read, and are the
    same each time. It pickles as what was asked for, and reads the network again where it is loaded.

    Attributes
    ----------
    spec : SegmenterSpec
        What was asked for.
    labeller : Labeller
        Runs the network.
    images : ImageFolder
    names : tuple of str
        Of the images; those of a subset are some of the folder's.
    sizes : tuple of (int, int) or None
        (height, width) of each; None where the header cannot be read.
    group_names : tuple of str
        What each is one of.
    grouped_by : str or None
    """

    spec: SegmenterSpec
    labeller: Labeller
    images: ImageFolder
    names: tuple[str, ...]
    sizes: tuple[tuple[int, int] | None, ...]
    group_names: tuple[str, ...]
    grouped_by: str | None

    def __len__(self) -> int:
        return len(self.names)

    def __reduce__(self) -> tuple[object, ...]:
        # a loaded network cannot be sent to another process
        return _reopened, (self.spec.text(), self.grouped_by, self.names, self.labeller.network.sha256)

    @property
    def name(self) -> str:
        """The folder and the network."""
        return one_line(f"{self.images.folder.absolute().name}-by-{self.spec.model.stem}")

    @property
    def source(self) -> dict[str, str]:
        """The SPEC, with absolute paths."""
        return {"spec": self.spec.absolute().text()}

    @property
    def about(self) -> About:
        """The folder, and the network whose labels these are."""
        network = self.labeller.network
        parts = (
            Part(one_line(self.images.folder.absolute().name), images=len(self)),
            Part(one_line(network.path.name), fingerprint=network.sha256),
        )
        return About(self.name, made=one_line(f"images labelled by {network.path.name}"), from_=parts)

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes of the network, but for those that mean unlabelled."""
        return self.labeller.vocabulary

    @property
    def image_size(self) -> tuple[int, int]:
        """(ih, iw) of most images."""
        return _commonest(self.sizes)

    @property
    def fingerprint(self) -> str:
        """Hash of the network, of all that decides its labels, and of names and sizes of the images' files.

        Raises
        ------
        ImageFileError
            If a file is missing.
        """
        digest = hashlib.sha256(json.dumps(self.labeller.decisive(), sort_keys=True).encode())
        for name, group in zip(self.names, self.group_names, strict=True):
            told = [name, self.images.file_size(name), group]
            digest.update(json.dumps(told).encode() + b"\n")
        return digest.hexdigest()

    def image_name(self, i: int) -> str:
        """Path of an image inside the folder.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        str
        """
        return self.names[i]

    def split(self, i: int) -> str:
        """Split that an image belongs to: ``train``.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        str
        """
        return SPLIT

    def grid(self, i: int) -> tuple[int, int]:
        """Label grid, the same for all images.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        tuple of int
            (sh, sw).
        """
        return self.labeller.grid

    def groups(self) -> NDArray[np.int64] | None:
        """Tell which group each image is in.

        Returns
        -------
        ndarray of int64, shape (images,), or None
            Numbered as they appear.
        """
        return None if self.grouped_by is None else number_groups(self.group_names)

    def read_image(self, i: int) -> NDArray[np.uint8]:
        """Decode an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB, upright, of the file's own size.

        Raises
        ------
        ImageFileError
            If the file is missing, damaged or no image.
        """
        return self.images.read(self.names[i])

    def read_maps(self, i: int) -> list[NDArray[np.uint16]]:
        """Label an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        list of ndarray of uint16, shape (sh, sw)
            Of each head, label numbers, 0 where unlabelled.

        Raises
        ------
        DataError
            If the image cannot be read, or the network gives no classes for it.
        ModelRuntimeError
            If onnxruntime fails.
        """
        return self.labeller(self.read_image(i), self.images.called(self.names[i]))

    def read_annotation(self, i: int) -> Annotation:
        """Label an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        Annotation

        Raises
        ------
        DataError, ModelRuntimeError
            As `read_maps`.
        """
        # concepts are numbered from 1 without gaps, so that a label number is a concept's index + 1
        return annotate(self.labeller.grid, self.read_maps(i), ())

    def subset(self, *, split: str | None = None, limit: int | None = None) -> SegmenterDataset:
        """Choose images.

        Parameters
        ----------
        split : str, optional
            Only images of this split.
        limit : int, optional
            Of those, only the first so many.

        Returns
        -------
        SegmenterDataset

        Raises
        ------
        ParameterError
            If there is no such split, or the limit is below 1.
        """
        return self._chosen(choose(self.name, [SPLIT] * len(self), (SPLIT,), split, limit))

    def _chosen(self, positions: Sequence[int]) -> SegmenterDataset:
        return replace(
            self,
            names=tuple(self.names[i] for i in positions),
            sizes=tuple(self.sizes[i] for i in positions),
            group_names=tuple(self.group_names[i] for i in positions),
        )


def open_dataset(spec: SegmenterSpec, *, groups: str | None = None) -> SegmenterDataset:
    """Open plain images and the segmenter that labels them. No image is labelled yet.

    Parameters
    ----------
    spec : SegmenterSpec
    groups : str, optional
        What groups images that belong together: "folder", "prefix:N" or "none".

    Returns
    -------
    SegmenterDataset

    Raises
    ------
    DataError
        If there is no image, or no list of classes that can be read.
    ModelError
        If the network cannot be read or run.
    ParameterError
        If the network is no segmenter, has other classes than the list, or something asked of it does not
        fit.
    """
    lists = read_lists(spec)
    images = open_image_folder(spec.images, follow_links=spec.links == "follow")
    sizes = tuple(images.size(name) for name in images.names)
    rule, group_of = group_rule(groups, {}, ())
    return SegmenterDataset(
        spec=spec,
        labeller=open_labeller(spec, lists, _commonest(sizes)),
        images=images,
        names=images.names,
        sizes=sizes,
        group_names=tuple(group_of((), name) for name in images.names),
        grouped_by=rule,
    )


def _commonest(sizes: Sequence[tuple[int, int] | None]) -> tuple[int, int]:
    known = Counter(size for size in sizes if size is not None)
    return known.most_common(1)[0][0] if known else _ANY_SIZE


def _reopened(text: str, grouped_by: str | None, names: Sequence[str], sha256: str) -> SegmenterDataset:
    whole = open_dataset(parse_spec(text.removeprefix(f"{SEGMENTER}:")), groups=grouped_by)
    places = {name: i for i, name in enumerate(whole.names)}
    changed = [shown_path(name) for name in names if name not in places][:1]
    if whole.labeller.network.sha256 != sha256:
        changed = [shown_path(whole.spec.model)]
    if changed:
        raise DataFormatError(f"{changed[0]} has changed, or is gone, since the images were opened")
    return whole._chosen([places[name] for name in names])
