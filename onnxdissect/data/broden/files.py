"""Files of a Broden folder: which table lists the images, what a listed file is called, how large all are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from onnxdissect.data.broden.index import Entry
from onnxdissect.data.links import link_hint
from onnxdissect.errors import ImageFileError, shown_path
from onnxdissect.storage.regular_files import Enclosure, regular_size

__all__ = ["CLEANED_INDEX", "INDEX", "called", "hash_sizes"]

INDEX = "index.csv"
CLEANED_INDEX = "index.cleaned.csv"
"""An index beside the original that leaves out what cannot be read."""


def called(entry: Entry, path: str, index: str) -> str:
    """Name a listed file in a message.

    Parameters
    ----------
    entry : Entry
        The row that lists it.
    path : str
        Of the image itself, or of one of its label maps.
    index : str
        The table that the row stands in.

    Returns
    -------
    str
    """
    owner = "image" if path == entry.image else f"label map {shown_path(path)} of image"
    return f"{owner} {shown_path(entry.image)} ({index}, line {entry.line})"


def hash_sizes(
    tables: bytes, folder: Path, entries: Sequence[Entry], index: str, inside: Enclosure | None
) -> str:
    """Hash tables, which images of them are meant, and the sizes of all files that these refer to.

    Parameters
    ----------
    tables : bytes
        What the tables hold, hashed.
    folder : Path
        The data set's.
    entries : sequence of Entry
    index : str
        The table that they stand in.
    inside : Enclosure or None
        The folder that links may not lead out of.

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    Raises
    ------
    ImageFileError
        If a file is missing, or is none that is read.
    """
    digest = hashlib.sha256(tables)
    images = f"{folder / 'images'}/"
    for entry in entries:
        parts = [str(entry.line)]
        for path in (entry.image, *entry.maps):
            try:
                parts.append(str(regular_size(images + path, inside)))
            except OSError as error:
                trouble = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
                raise ImageFileError(
                    f"{called(entry, path, index)} {trouble}: {error.strerror}: {shown_path(images + path)}",
                    hint=link_hint(error, inside) or f"onnxdissect data check {folder} lists every such file",
                ) from error
        digest.update(",".join(parts).encode() + b"\n")
    return digest.hexdigest()
