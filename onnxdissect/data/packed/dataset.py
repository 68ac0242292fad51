"""The data set in a packed file."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import Annotation
from onnxdissect.data.broden.files import called
from onnxdissect.data.broden.indexed import IndexedDataset
from onnxdissect.data.decoding.pixels import decode_image
from onnxdissect.data.packed.byte_ranges import ByteRanges
from onnxdissect.data.packed.layout import Header
from onnxdissect.data.packed.runs import decode_planes
from onnxdissect.errors import ImageFileError, shown_path

__all__ = ["PackedDataset"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PackedDataset(IndexedDataset):
    """An opened packed file, or a subset of its images. Immutable; reading from many threads is safe.

    It gives what the folder gave that it was packed from, to the bit. Where it is pickled, it opens the file
    again where it is unpickled.

    Attributes
    ----------
    file : ByteRanges
        What it is read from.
    header : Header
    records : ndarray of `onnxdissect.data.packed.layout.RECORD`, shape (images,)
        Where each of the images lies.
    map_sizes : tuple of tuple of int
        Bytes of the files that each image's label maps were.
    contents : dict of str to bytes
        What lay beside the tables and is none of them, by name: about.json.
    """

    file: ByteRanges
    header: Header
    records: NDArray[np.void]
    map_sizes: tuple[tuple[int, ...], ...]
    contents: dict[str, bytes]

    @property
    def name(self) -> str:
        """Name of the folder that was packed."""
        return self.header.name

    @property
    def place(self) -> str:
        """Absolute path of the file, or its address."""
        return self.file.place

    @property
    def source(self) -> dict[str, str]:
        """The file, as a manifest keeps it."""
        return {"spec": self.place}

    @property
    def fingerprint(self) -> str:
        """Hash of what is dissected, the same as that of the folder with these images.

        See `onnxdissect.data.BrodenDataset.fingerprint`; the sizes of files are those that were packed.
        """
        digest = hashlib.sha256(self.tables)
        images = self.records["image_bytes"].tolist()
        for entry, size, maps in zip(self.entries, images, self.map_sizes, strict=True):
            digest.update(",".join(map(str, (entry.line, size, *maps))).encode() + b"\n")
        return digest.hexdigest()

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
            If it is damaged, or no image.
        DataError
            If the file cannot be read.
        """
        return decode_image(self.read_image_file(i), self._called(i))

    def read_image_file(self, i: int) -> bytes:
        """Give the file that an image was.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        bytes

        Raises
        ------
        ImageFileError
            If it is damaged.
        DataError
            If the file cannot be read.
        """
        offset, count, checksum, *_ = self.records[i].item()
        return bytes(self._read(i, (offset, count, checksum), ""))

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
        ImageFileError
            If they are damaged.
        DataError
            If the file cannot be read.
        """
        return self.decode_annotation(i, self.read_planes(i))

    def read_planes(self, i: int) -> bytes | memoryview:
        """Give the runs that the planes of an image's annotation are stored as.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        bytes or memoryview

        Raises
        ------
        ImageFileError
            If they are damaged.
        DataError
            If the file cannot be read.
        """
        _, _, _, offset, count, checksum = self.records[i].item()
        return self._read(i, (offset, count, checksum), "labels of ")

    def decode_annotation(self, i: int, planes: bytes | memoryview) -> Annotation:
        """Decode an annotation that has been read.

        Parameters
        ----------
        i : int
            Position of the image.
        planes : bytes or memoryview
            What `read_planes` gives.

        Returns
        -------
        Annotation

        Raises
        ------
        ImageFileError
            If they are no runs of labels, or not of this image.
        """
        entry, vocabulary = self.entries[i], self.vocabulary
        concepts = len(vocabulary.concepts)
        try:
            decoded = decode_planes(planes, entry.grid, len(entry.maps), concepts)
        except ValueError as error:
            raise ImageFileError(f"labels of {self._called(i)} are {error}") from error
        codes = {int(vocabulary.lookup[number]) for number in entry.image_labels} - {0}
        image_labels = np.array(sorted(codes), np.int64) - 1
        image_labels.setflags(write=False)
        return Annotation(entry.grid, decoded, image_labels)

    def _of(self, chosen: Sequence[int]) -> dict[str, Any]:
        own = {"records": self.records[chosen], "map_sizes": tuple(self.map_sizes[i] for i in chosen)}
        # by name: classes with slots are made anew, and a bare super() would ask the one before
        return IndexedDataset._of(self, chosen) | own

    def _read(self, i: int, lies: tuple[int, int, int], what: str) -> bytes | memoryview:
        offset, count, checksum = lies
        stored = self.file.read(offset, count)
        if zlib.crc32(stored) != checksum:
            raise ImageFileError(
                f"{what}{self._called(i)} of {shown_path(self.place)} is damaged: the checksum is wrong",
                hint=f"onnxdissect data check {self.place} lists whatever is; pack the folder again",
            )
        return stored

    def _called(self, i: int) -> str:
        return called(self.entries[i], self.entries[i].image, self.index)
