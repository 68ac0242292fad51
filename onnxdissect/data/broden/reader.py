"""Data sets in the Broden layout (paper section 3.1).

::

    FOLDER/
      index.csv         image, split, ih, iw, sh, sw, perhaps group, then a column per category: PNG paths
                        and label numbers, separated by semicolons
      category.csv      the categories; their order decides ties
      label.csv         number, name, category, frequency, coverage, syns
      c_<category>.csv  code, number, name, frequency, coverage
      images/           photographs and label maps
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import Annotation, annotate, unite_planes
from onnxdissect.data.broden.about import read_about
from onnxdissect.data.broden.files import INDEX, called, hash_sizes
from onnxdissect.data.broden.folders import require_index
from onnxdissect.data.broden.index import IndexProblem, read_index, refuse_rows
from onnxdissect.data.broden.indexed import IndexedDataset
from onnxdissect.data.broden.label_maps import decode_codes, fill_plane
from onnxdissect.data.broden.tables import digest
from onnxdissect.data.decoding.pixels import read_file, read_image
from onnxdissect.data.links import CLEANED, folder_spec
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, read_vocabulary
from onnxdissect.errors import EmptyDataError
from onnxdissect.storage.regular_files import Enclosure

__all__ = ["BrodenDataset", "open_dataset", "read_folder"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BrodenDataset(IndexedDataset):
    """An opened Broden folder, or a subset of its images. Immutable; reading from many threads is safe.

    Attributes
    ----------
    folder : Path
        Holds index.csv.
    codes : ndarray of int32, shape (65536,)
        `Vocabulary.lookup`, continued with -1 to whatever a label map can hold.
    inside : Enclosure or None
        The folder that links of the data set may not lead out of; None if they may lead anywhere.
    """

    folder: Path
    codes: NDArray[np.int32]
    inside: Enclosure | None = None

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.absolute().name

    @property
    def source(self) -> dict[str, str]:
        """The folder, as a manifest keeps it."""
        folder = str(self.folder.absolute())
        spec = folder_spec(folder, follow_links=self.inside is None)
        if self.index != INDEX:
            spec = f"{CLEANED}:{spec}"
        return {"folder": folder} if spec == folder else {"spec": spec}

    @property
    def fingerprint(self) -> str:
        """Hash of what is dissected: the tables, which images, and the sizes of all files they refer to.

        Computed anew at each call, at the cost of asking for the size of each file (about a second for the
        63,305 images of Broden on a local disk). File contents are not read: an image replaced by one of the
        very same length goes unnoticed.

        Raises
        ------
        ImageFileError
            If a listed file is missing; so this is also the quick look before a long run.
        """
        return hash_sizes(self.tables, self.folder, self.entries, self.index, self.inside)

    def image_path(self, i: int) -> Path:
        """Path of an image's file.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        Path
        """
        return self.folder / "images" / self.entries[i].image

    def read_image(self, i: int) -> NDArray[np.uint8]:
        """Decode an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB, of the file's own size.

        Raises
        ------
        ImageFileError
            If the file is missing, truncated or no image.
        """
        image = self.entries[i].image
        return read_image(self._file(image), self._called(i, image), self.inside)

    def read_label_map(self, i: int, path: str) -> NDArray[np.int32]:
        """Decode one label map of an image.

        Parameters
        ----------
        i : int
            Position of the image.
        path : str
            One of the entry's maps.

        Returns
        -------
        ndarray of int32, shape (sh, sw)
            Concept index + 1, 0 where unlabelled.

        Raises
        ------
        ImageFileError
            If the file is missing, truncated, no PNG or not of the size (sh, sw).
        DataFormatError
            If it holds a number that label.csv does not list.
        """
        return decode_codes(self._read_map(i, path), self.entries[i].grid, self.codes, self._called(i, path))

    def concepts_of(self, numbers: Iterable[int]) -> list[int]:
        """Concepts behind label numbers.

        Parameters
        ----------
        numbers : iterable of int
            All of them in label.csv; those of no concept are left out.

        Returns
        -------
        list of int
            Concept indices.
        """
        codes = (int(self.codes[number]) for number in numbers)
        return [code - 1 for code in codes if code > 0]

    def read_annotation(self, i: int) -> Annotation:
        """Decode all annotations of an image.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        Annotation

        Raises
        ------
        ImageFileError, DataFormatError
            If there is anything wrong with a label map; see `read_label_map`.
        """
        entry = self.entries[i]
        labels = self.concepts_of(entry.image_labels)
        # The compiler takes as long to load as a thousand label maps to decode. A run has loaded it; who only
        # looks at some images, as a report does, has not.
        if "numba" not in sys.modules:
            return annotate(entry.grid, [self.read_label_map(i, path) for path in entry.maps], labels)
        planes = np.empty((len(entry.maps), *entry.grid), np.uint16)
        for plane, path in zip(planes, entry.maps, strict=True):
            fill_plane(plane, self._read_map(i, path), self.codes, self._called(i, path))
        return unite_planes(planes, labels)

    def _read_map(self, i: int, path: str) -> bytes:
        return read_file(self._file(path), self._called(i, path), self.inside)

    def _file(self, path: str) -> str:  # to join a Path takes a fifth as long as to read the file
        return f"{self.folder}/images/{path}"

    def _called(self, i: int, path: str) -> str:
        return called(self.entries[i], path, self.index)


def open_dataset(
    folder: str | Path, *, groups: str | None = None, follow_links: bool = False, index: str = INDEX
) -> BrodenDataset:
    """Open a data set in the Broden layout. All tables are read and checked, no image yet.

    Parameters
    ----------
    folder : str or Path
        Holds index.csv.
    groups : str, optional
        What groups images that belong together; see `onnxdissect.data.groups.group_rule`.
    follow_links : bool
        Links may lead out of the folder. Without it, a file behind such a link is an error.
    index : str
        Name of the table in it that lists the images.

    Returns
    -------
    BrodenDataset

    Raises
    ------
    DataNotFoundError
        If the folder does not exist or holds no index.csv.
    DataFormatError
        If a table is missing or malformed, if the tables contradict each other, or about.json is malformed.
    EmptyDataError
        If the index lists no image.
    ParameterError
        If there is no such column to group images by.
    """
    dataset, problems = read_folder(Path(folder), groups, follow_links=follow_links, index=index)
    refuse_rows(dataset.folder, problems, index)
    if not dataset.entries:
        raise EmptyDataError(f"{dataset.folder / index} lists no image")
    return dataset


def read_folder(
    folder: Path, groups: str | None = None, *, follow_links: bool = False, index: str = INDEX
) -> tuple[BrodenDataset, tuple[IndexProblem, ...]]:
    """Read a folder's tables, leaving out rows of the index that cannot be read.

    Parameters
    ----------
    folder : Path
        Holds index.csv.
    groups : str, optional
    follow_links : bool
    index : str

    Returns
    -------
    dataset : BrodenDataset
        May be empty.
    problems : tuple of IndexProblem
        What is wrong with the rows left out.

    Raises
    ------
    DataNotFoundError, DataFormatError, ParameterError
        As for `open_dataset`, where a table is missing or malformed as a whole.
    """
    require_index(folder, index, follow_links=follow_links)
    inside = None if follow_links else Enclosure(folder)
    vocabulary, tables = read_vocabulary(folder, inside)
    entries, problems, table, grouped_by = read_index(folder / index, vocabulary, groups, inside)
    codes = np.full(HIGHEST_NUMBER + 1, -1, np.int32)
    codes[: vocabulary.lookup.size] = vocabulary.lookup
    codes.setflags(write=False)
    dataset = BrodenDataset(
        folder=folder,
        vocabulary=vocabulary,
        entries=entries,
        splits=tuple(dict.fromkeys(entry.split for entry in entries)),
        # the same rows are the same data, whatever their file is called
        tables=digest((replace(table, name=INDEX), *tables)),
        codes=codes,
        grouped_by=grouped_by,
        inside=inside,
        about=read_about(folder, inside),
        index=index,
    )
    return dataset, problems
