"""The images that a segmenter labels: all in a folder, at any depth."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.image_headers import find_format, refuse_size
from onnxdissect.data.decoding.pixels import read_file, read_image
from onnxdissect.data.labelled_images import image_files
from onnxdissect.errors import DataFormatError, DataNotFoundError, ImageFileError, shown_path
from onnxdissect.storage.regular_files import (
    Enclosure,
    OutsideError,
    is_folder,
    open_regular_file,
    regular_size,
)

__all__ = ["ImageFolder", "open_image_folder"]

# Headers end within it, but for pictures with large previews in front; then the file is read whole.
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Images in a folder.

    Attributes
    ----------
    folder : Path
    names : tuple of str
        Paths inside the folder, with forward slashes, in the order of image_files.
    inside : Enclosure or None
        What links may not lead out of; None where they may lead anywhere.
    """

    folder: Path
    names: tuple[str, ...]
    inside: Enclosure | None

    def path(self, name: str) -> Path:
        """Tell where an image lies."""
        return self.folder / name

    def called(self, name: str) -> str:
        """Name an image in messages."""
        return f"image {shown_path(name)} of {shown_path(self.folder)}"

    def read(self, name: str) -> NDArray[np.uint8]:
        """Decode an image, turned as its EXIF data say.

        Parameters
        ----------
        name : str
            One of `names`.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB.

        Raises
        ------
        ImageFileError
            If the file is missing, damaged, no image, or behind a link out of the folder.
        """
        try:
            return read_image(self.path(name), self.called(name), self.inside, upright=True)
        except ImageFileError as error:
            raise _with_hint(error) from error

    def file_size(self, name: str) -> int:
        """Bytes of an image's file.

        Raises
        ------
        ImageFileError
            If it is missing, no regular file, or behind a link out of the folder.
        """
        try:
            return regular_size(str(self.path(name)), self.inside)
        except OSError as error:
            trouble = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
            raise _with_hint(
                ImageFileError(f"{self.called(name)} {trouble}: {error.strerror or error}"), error
            ) from error

    def size(self, name: str) -> tuple[int, int] | None:
        """(height, width) that an image claims, as stored; None where it cannot be read, as is said later."""
        path = self.path(name)
        try:
            with open_regular_file(path, inside=self.inside) as file:
                head = file.read(_HEAD)
            found = _claimed(head) or (_claimed(read_file(path, name, self.inside)) if head else None)
        except (OSError, ImageFileError):
            return None
        return None if found is None or refuse_size(*found) else found


def open_image_folder(folder: Path, *, follow_links: bool = False) -> ImageFolder:
    """Find the images in a folder.

    Parameters
    ----------
    folder : Path
        Looked into at any depth. Hidden files are left out, and folders that are hidden or links.
    follow_links : bool
        Whether links of files may lead out of the folder.

    Returns
    -------
    ImageFolder

    Raises
    ------
    DataNotFoundError
        If there is no such folder.
    EmptyDataError
        If there is no image in it.
    DataFormatError
        If it cannot be looked into.
    """
    if not is_folder(folder):
        raise DataNotFoundError(
            f"there is no folder of images {shown_path(folder)}",
            hint="images=DIR, or --images DIR of an import, names a folder",
        )
    try:
        files = image_files(folder)
    except OSError as error:
        raise DataFormatError(
            f"{shown_path(error.filename or folder)} cannot be read: {error.strerror or error}",
            hint="images are looked for in every folder: let it be read, or move it away",
        ) from error
    names = tuple(path.relative_to(folder).as_posix() for path in files)
    return ImageFolder(folder, names, None if follow_links else Enclosure(folder))


def _claimed(data: bytes) -> tuple[int, int] | None:
    found = find_format(data)
    try:
        return found.size(data) if found else None
    except (struct.error, LookupError, ValueError):
        return None


def _with_hint(error: ImageFileError, cause: BaseException | None = None) -> ImageFileError:
    """Say what to type where a link was not followed."""
    if not isinstance(cause or error.__cause__, OutsideError):
        return error
    return ImageFileError(
        error.message,
        hint="if you trust the images, links=follow, or --follow-links of an import, follows their links",
    )
