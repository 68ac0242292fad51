"""Images that each show one class: a folder a class, a table, or the scenes of a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.reader import BrodenDataset
from onnxdissect.data.broden.tables import read_table
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.data.opening import open_data
from onnxdissect.data.packed.opening import is_packed
from onnxdissect.data.sources import installed_sources
from onnxdissect.errors import DataFormatError, DataNotFoundError, EmptyDataError, shown, shown_path
from onnxdissect.storage.regular_files import is_file, is_folder

__all__ = ["AnnotatedImages", "LabelledImages", "image_files", "labelled_images"]

_FORMATS = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".jp2", ".avif")
)
_FORMS = (
    "one folder a class, a .csv with the columns image and class, or a data set whose scenes are the classes"
)


@dataclass(frozen=True, slots=True)
class AnnotatedImages:
    """Where labelled images lie in a data set, and so which concepts they hold.

    Attributes
    ----------
    data : Dataset
    positions : tuple of int
        Of each labelled image.
    """

    data: Dataset
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images that each show one class.

    Attributes
    ----------
    source : str
        What they were asked for by.
    names : tuple of str
        Of each image; no two are alike.
    classes : tuple of str
        Of each image, what its class is called there.
    left_out : int
        Images, or files among them, that have no class and are not here.
    read_pixels : callable
        Takes the position of an image, gives its pixels.
    annotated : AnnotatedImages or None
        Where they are those of a data set, what else it says of them.
    empty : tuple of str
        Folders of classes in which there is no image.
    """

    source: str
    names: tuple[str, ...]
    classes: tuple[str, ...]
    left_out: int
    read_pixels: Callable[[int], NDArray[np.uint8]]
    annotated: AnnotatedImages | None = None
    empty: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.names)

    def read(self, i: int) -> NDArray[np.uint8]:
        """Read an image, upright.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB, of any size.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        return self.read_pixels(i)


def labelled_images(source: str | Path | Dataset) -> LabelledImages:
    """Find labelled images.

    Parameters
    ----------
    source : str, Path or Dataset
        A folder that holds one folder for each class, with images at any depth; a CSV file with the columns
        ``image``, paths relative to it, and ``class``; or a data set, of whose images each shows the scene
        that it is labelled with.

    Returns
    -------
    LabelledImages
        In order of names of a folder, and as they are listed otherwise.

    Raises
    ------
    DataError
        If there is no such thing, it is none of these, or no image in it has a class.
    """
    if not isinstance(source, str | Path) or installed_sources().find(str(source)) is not None:
        return _of_scenes(source)
    if not str(source):
        raise DataFormatError("labelled images are asked for by an empty name", hint=f"they are {_FORMS}")
    path = Path(source)
    if is_file(path) and not is_packed(path):
        return _of_table(path)
    if is_file(path / "index.csv"):
        return _of_scenes(source)
    if not is_folder(path):
        try:
            return _of_scenes(source)
        except DataNotFoundError as error:
            raise DataNotFoundError(
                error.message, candidates=error.candidates, hint=f"labelled images are {_FORMS}"
            ) from error
    try:
        return _of_folders(path)
    except OSError as error:
        raise DataFormatError(
            f"{shown_path(error.filename or path)} cannot be read: {error.strerror or error}",
            hint="images are looked for in every folder of a class: let it be read, or move it away",
        ) from error


def image_files(folder: Path) -> list[Path]:
    """List the images in a folder, at any depth, whatever they show.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        By the endings of their names, in order of names. Hidden files are left out, and folders that are
        hidden or links.

    Raises
    ------
    EmptyDataError
        If there are none.
    """
    found = [Path(path) for path in _files(str(folder)) if Path(path).suffix.lower() in _FORMATS]
    if not found:
        raise EmptyDataError(
            f"{shown_path(folder)} holds no image", hint="images end in .jpg, .png or the like"
        )
    return found


def _of_folders(folder: Path) -> LabelledImages:
    found: list[tuple[str, str]] = []
    others, empty = 0, []
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            others += 1
            continue
        files = list(_files(entry.path))
        images = [path for path in files if Path(path).suffix.lower() in _FORMATS]
        found += [(os.path.relpath(path, folder), entry.name) for path in images]
        others += len(files) - len(images)
        if not images:
            empty.append(entry.name)
    if not found:
        raise EmptyDataError(
            f"{shown_path(folder)} holds no image in a folder of a class",
            hint=f"labelled images are {_FORMS}",
        )
    names = tuple(name for name, _ in found)
    return LabelledImages(
        str(folder),
        names,
        tuple(one for _, one in found),
        others,
        partial(_read_file, folder, names),
        empty=tuple(empty),
    )


def _files(folder: str) -> Iterator[str]:
    """Paths of all files under a folder, in order; links to folders are not followed, broken ones named."""
    entries = sorted(os.scandir(folder), key=lambda one: one.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        elif entry.is_file() or not os.path.exists(entry.path):  # noqa: PTH110 - a text is there already
            # where a link leads to nothing, whoever reads the image says so
            yield entry.path


def _of_table(path: Path) -> LabelledImages:
    if path.suffix.lower() != ".csv":
        kind = "one image" if path.suffix.lower() in _FORMATS else "no .csv"
        raise DataFormatError(f"{shown_path(path)} is {kind}", hint=f"labelled images are {_FORMS}")
    table = read_table(path, ["image", "class"])
    names, classes = [], []
    lines: dict[str, int] = {}
    for line, cells in table.rows:
        name, label = cells[table.columns["image"]].strip(), cells[table.columns["class"]].strip()
        if not name or not label:
            lacking = "image" if not name else "class"
            raise DataFormatError(f"{shown_path(path)}, line {line}: the {lacking} is missing")
        # "a.png" and "./a.png" are one image
        place = os.path.normpath(name)
        if place in lines:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: {shown(name)} is there already, in line {lines[place]}",
                hint="an image has one class",
            )
        lines[place] = line
        names.append(name)
        classes.append(label)
    if not names:
        raise EmptyDataError(f"{shown_path(path)} lists no image")
    for name, line in lines.items():
        # said before thousands of others are read
        if not is_file(path.parent / name):
            raise DataFormatError(f"{shown_path(path)}, line {line}: there is no file {shown(name)}")
    return LabelledImages(
        str(path), tuple(names), tuple(classes), 0, partial(_read_file, path.parent, tuple(names))
    )


def _read_file(folder: Path, names: Sequence[str], i: int) -> NDArray[np.uint8]:
    path = folder / names[i]
    return read_image(path, shown_path(path), upright=True)


def _of_scenes(source: str | Path | Dataset) -> LabelledImages:
    data = open_data(source)
    scenes = {one.index: one.name for one in data.vocabulary.concepts if "scene" in one.categories}
    if not scenes:
        raise DataFormatError(
            f"the data set {data.name} has no scenes, and so no classes of its images",
            hint=f"labelled images are {_FORMS}",
        )
    kept, classes = [], []
    for i in range(len(data)):
        shows = [scenes[one] for one in _image_labels(data, i) if one in scenes]
        if len(shows) == 1:
            kept.append(i)
            classes.append(shows[0])
    if not kept:
        raise EmptyDataError(f"no image of the data set {data.name} shows exactly one scene")
    names = tuple(data.image_name(i) for i in kept)
    return LabelledImages(
        str(source) if isinstance(source, str | Path) else data.name,
        names,
        tuple(classes),
        len(data) - len(kept),
        partial(_read_image, data, tuple(kept)),
        AnnotatedImages(data, tuple(kept)),
    )


def _image_labels(data: Dataset, i: int) -> list[int]:
    """Concepts that an image is labelled with as a whole, ascending."""
    if isinstance(data, BrodenDataset):
        # the index tells, without a label map being read
        return sorted(set(data.concepts_of(data.entries[i].image_labels)))
    labels: list[int] = data.read_annotation(i).image_labels.tolist()
    return labels


def _read_image(data: Dataset, kept: Sequence[int], i: int) -> NDArray[np.uint8]:
    return data.read_image(kept[i])
