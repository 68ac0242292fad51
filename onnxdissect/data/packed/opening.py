"""From a path or an address to the data set in a packed file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from onnxdissect.data.broden.about import ABOUT_FILE, parse_about
from onnxdissect.data.broden.files import INDEX
from onnxdissect.data.broden.index import Entry, read_index
from onnxdissect.data.broden.tables import digest
from onnxdissect.data.packed.byte_ranges import ByteRanges
from onnxdissect.data.packed.dataset import PackedDataset
from onnxdissect.data.packed.layout import (
    MAGIC,
    RECORD,
    Header,
    check_records,
    read_header,
    read_section,
)
from onnxdissect.data.packed.mapped import MappedFile
from onnxdissect.data.packed.runs import most_bytes
from onnxdissect.data.vocabulary import Vocabulary, read_vocabulary
from onnxdissect.errors import DataFormatError, EmptyDataError, shown_path
from onnxdissect.storage.regular_files import is_file, open_regular_file

__all__ = [
    "EXTRAS",
    "PackedIndex",
    "is_address",
    "is_packed",
    "open_file",
    "open_packed",
    "open_ranges",
    "read_contents",
]

EXTRAS = (ABOUT_FILE,)
"""What may lie in the folder of a data set beside its tables, and is packed with them."""
# Two letters at least: one and a colon begin a path on Windows.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[A-Za-z0-9+.-]+)*://")


def is_address(spec: str) -> bool:
    """Tell whether what is asked for lies behind an address, such as ``https://`` or ``s3://``.

    Parameters
    ----------
    spec : str

    Returns
    -------
    bool
    """
    return _ADDRESS.match(spec) is not None


def is_packed(path: str | Path) -> bool:
    """Tell whether a file of this machine begins as a packed one does.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    bool
    """
    if not is_file(path):
        return False
    try:
        with open_regular_file(Path(path)) as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def open_packed(spec: str | Path, *, groups: str | None = None) -> PackedDataset:
    """Open a packed file. Header, tables and index are read and checked, no image yet.

    Parameters
    ----------
    spec : str or Path
        A file of this machine, or an address.
    groups : str, optional
        What groups images that belong together; see `onnxdissect.data.open_dataset`.

    Returns
    -------
    PackedDataset

    Raises
    ------
    DataNotFoundError
        If there is no such file, or it is no packed one.
    DataFormatError
        If it is of another version, truncated or damaged.
    ParameterError
        If there is no such column to group images by.
    InstallationError
        If a library that reads such addresses is not installed.
    """
    return open_file(open_ranges(str(spec)), groups)


def open_ranges(spec: str) -> ByteRanges:
    """Open a file by ranges of bytes.

    Parameters
    ----------
    spec : str
        A path or an address.

    Returns
    -------
    ByteRanges

    Raises
    ------
    DataError, InstallationError
        As for `open_packed`.
    """
    if is_address(spec):
        from onnxdissect.data.packed.remote.remote_file import RemoteFile

        return RemoteFile(spec)
    return MappedFile(Path(spec))


def open_file(file: ByteRanges, groups: str | None = None) -> PackedDataset:
    """Read all of a packed file but images and annotations.

    Parameters
    ----------
    file : ByteRanges
    groups : str, optional

    Returns
    -------
    PackedDataset

    Raises
    ------
    DataError, ParameterError
        As for `open_packed`.
    """
    header = read_header(file)
    contents = {name: read_section(file, section, name) for name, section in header.tables.items()}
    index = read_contents(file.place, contents, groups)
    records, map_sizes = _records(file, header, index.entries)
    about = contents.get(ABOUT_FILE)
    return PackedDataset(
        file=file,
        header=header,
        vocabulary=index.vocabulary,
        entries=index.entries,
        records=records,
        map_sizes=map_sizes,
        splits=tuple(dict.fromkeys(entry.split for entry in index.entries)),
        tables=index.tables,
        contents={name: contents[name] for name in EXTRAS if name in contents},
        grouped_by=index.grouped_by,
        about=None if about is None else parse_about(about, f"{ABOUT_FILE} in {file.place}"),
    )


class PackedIndex(NamedTuple):
    """What the tables of a packed file say.

    Attributes
    ----------
    vocabulary : Vocabulary
    entries : tuple of Entry
        At least one.
    tables : bytes
        SHA-256 over all tables.
    grouped_by : str or None
    """

    vocabulary: Vocabulary
    entries: tuple[Entry, ...]
    tables: bytes
    grouped_by: str | None


def read_contents(place: str, contents: Mapping[str, bytes], groups: str | None = None) -> PackedIndex:
    """Read tables as those of a folder are read.

    Parameters
    ----------
    place : str
        What they are of, for messages.
    contents : mapping of str to bytes
        Files by name.
    groups : str, optional

    Returns
    -------
    PackedIndex

    Raises
    ------
    DataError, ParameterError
        As for `onnxdissect.data.open_dataset`.
    """
    folder = Path(place)
    vocabulary, tables = read_vocabulary(folder, contents=contents)
    entries, problems, index, grouped_by = read_index(folder / INDEX, vocabulary, groups, contents=contents)
    if problems:
        raise DataFormatError(f"{shown_path(place)}: {INDEX}, line {problems[0].line}: {problems[0].message}")
    if not entries:
        raise EmptyDataError(f"{shown_path(place)} holds no image")
    return PackedIndex(vocabulary, entries, digest((index, *tables)), grouped_by)


def _records(
    file: ByteRanges, header: Header, entries: tuple[Entry, ...]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.void]], tuple[tuple[int, ...], ...]]:
    maps = sum(len(entry.maps) for entry in entries)
    expected = (
        ("records", header.records, RECORD.itemsize * len(entries)),
        ("map_sizes", header.map_sizes, 4 * maps),
    )
    for what, section, count in expected:
        if section.bytes != count:
            raise DataFormatError(
                f"{shown_path(file.place)} is damaged: its {what} take {section.bytes:,} bytes, and those of "
                f"the images in its index {count:,}"
            )
    stored, sizes = (read_section(file, section, what, count) for what, section, count in expected)
    records = np.frombuffer(stored, RECORD)
    check_records(records, [most_bytes(len(e.maps), e.grid) for e in entries], header, file.place)
    remaining = iter(np.frombuffer(sizes, "<u4").tolist())
    return records, tuple(tuple(next(remaining) for _ in entry.maps) for entry in entries)
