"""How a packed file is laid out.

::

    preamble      magic, format version, where the header lies, checksums; 36 bytes
    body          for each image: its file as it is, unless an image before it had the same; its planes
    sections      the tables, records and sizes of label maps, each compressed
    header        JSON: name of the data set, hash of the body, places of the sections

All numbers are little-endian. Nothing lies between the parts, and nothing behind the header.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.inflate import inflate
from onnxdissect.data.limits import (
    MOST_CATEGORIES,
    MOST_FILE_BYTES,
    MOST_HEADER_BYTES,
    MOST_TABLE_BYTES,
    MOST_TABLES_BYTES,
)
from onnxdissect.data.packed.byte_ranges import ByteRanges
from onnxdissect.data.vocabulary import has_control
from onnxdissect.errors import DataFormatError, DataNotFoundError, shown, shown_path
from onnxdissect.storage.fields import FieldError, Integer, Listed, Record, Text, expect_distinct
from onnxdissect.storage.json_file import json_bytes, parse_json

__all__ = [
    "FORMAT_VERSION",
    "MAGIC",
    "PREAMBLE",
    "RECORD",
    "Header",
    "Section",
    "check_records",
    "name_problem",
    "preamble",
    "read_header",
    "read_section",
    "write_header",
]

MAGIC = b"\x89ODPACK\n"
FORMAT_VERSION = 1
PREAMBLE = struct.Struct("<8sIQQII")
"""Magic, version, where the header begins, its bytes, its CRC-32, and that of the fields before."""
RECORD = np.dtype(
    [
        *(("image", "<u8"), ("image_bytes", "<u4"), ("image_crc32", "<u4")),
        *(("planes", "<u8"), ("planes_bytes", "<u4"), ("planes_crc32", "<u4")),
    ]
)
"""Where the file and the planes of an image lie, and their CRC-32."""

_LONGEST_NAME = 1024
_FAR = 2**62
_CRC32 = Integer(0, 2**32 - 1)
_SECTION = {
    "offset": Integer(PREAMBLE.size, _FAR),
    "stored": Integer(0, _FAR),
    "bytes": Integer(0, _FAR),
    "crc32": _CRC32,
}
_HEADER = Record(
    {
        "name": Text(_LONGEST_NAME),
        "body": Record({"end": Integer(PREAMBLE.size, _FAR), "blake2b": Text(64)}),
        "tables": Listed(Record({"name": Text(_LONGEST_NAME), **_SECTION}), 3, MOST_CATEGORIES + 8),
        "records": Record(_SECTION),
        "map_sizes": Record(_SECTION),
    }
)
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Section:
    """Something compressed.

    Attributes
    ----------
    offset : int
        Where it begins.
    stored : int
        Bytes of it.
    bytes : int
        Bytes of what it is, inflated.
    crc32 : int
        Of what is stored.
    """

    offset: int
    stored: int
    bytes: int
    crc32: int

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Section:
        """Take the fields of a header.

        Parameters
        ----------
        record : mapping

        Returns
        -------
        Section
        """
        return cls(record["offset"], record["stored"], record["bytes"], record["crc32"])

    def to_json(self) -> dict[str, int]:
        """As JSON values.

        Returns
        -------
        dict
        """
        return {"offset": self.offset, "stored": self.stored, "bytes": self.bytes, "crc32": self.crc32}


@dataclass(frozen=True, slots=True)
class Header:
    """What a packed file says of itself.

    Attributes
    ----------
    name : str
        Of the data set.
    end : int
        Where the body ends.
    digest : str
        BLAKE2b of the body, 32 bytes in hexadecimal digits.
    tables : mapping of str to Section
        By the names of their files, about.json among them where there is one.
    records : Section
        An array of `RECORD`, an image of the index each.
    map_sizes : Section
        An array of 32 bits: bytes of the label maps as files, image after image in the order of the index.
    """

    name: str
    end: int
    digest: str
    tables: Mapping[str, Section]
    records: Section
    map_sizes: Section


def preamble(offset: int, header: bytes) -> bytes:
    """Write what a packed file begins with.

    Parameters
    ----------
    offset : int
        Where the header begins.
    header : bytes

    Returns
    -------
    bytes
    """
    fields = PREAMBLE.pack(MAGIC, FORMAT_VERSION, offset, len(header), zlib.crc32(header), 0)[:-4]
    return fields + struct.pack("<I", zlib.crc32(fields))


def write_header(header: Header) -> bytes:
    """Write a header.

    Parameters
    ----------
    header : Header

    Returns
    -------
    bytes
    """
    return json_bytes(
        {
            "name": header.name,
            "body": {"end": header.end, "blake2b": header.digest},
            "tables": [{"name": name, **section.to_json()} for name, section in header.tables.items()],
            "records": header.records.to_json(),
            "map_sizes": header.map_sizes.to_json(),
        }
    )


def read_header(file: ByteRanges) -> Header:
    """Read what a packed file says of itself.

    Parameters
    ----------
    file : ByteRanges

    Returns
    -------
    Header
        Its sections lie in the file.

    Raises
    ------
    DataNotFoundError
        If it is no packed file.
    DataFormatError
        If it is of another version, is truncated or damaged.
    """
    place = shown_path(file.place)
    begin = bytes(file.read(0, min(PREAMBLE.size, file.size)))
    if not begin.startswith(MAGIC):
        raise DataNotFoundError(
            f"{place} is a file, and no packed data set: it does not begin as one",
            hint="a data set is a Broden folder, or a file that `onnxdissect data pack` wrote",
        )
    if len(begin) < PREAMBLE.size:
        raise DataFormatError(f"{place} is truncated: it breaks off after {file.size} bytes", hint=_AGAIN)
    _, version, offset, count, checksum, own = PREAMBLE.unpack(begin)
    if zlib.crc32(begin[:-4]) != own:
        raise DataFormatError(f"{place} is damaged: the checksum of its preamble is wrong", hint=_AGAIN)
    if version != FORMAT_VERSION:
        raise DataFormatError(
            f"{place} is of format version {version}, this version of onnxdissect reads {FORMAT_VERSION}",
            hint="read it with the version that wrote it, or pack the folder again",
        )
    if offset + count != file.size:
        trouble = "is truncated" if offset + count > file.size else "goes on behind its end"
        raise DataFormatError(
            f"{place} {trouble}: it has {file.size:,} bytes, and should have {offset + count:,}", hint=_AGAIN
        )
    if offset < PREAMBLE.size or not 0 < count <= MOST_HEADER_BYTES:
        raise DataFormatError(f"{place} is damaged: a header of {count:,} bytes at {offset:,}", hint=_AGAIN)
    content = bytes(file.read(offset, count))
    if zlib.crc32(content) != checksum:
        raise DataFormatError(f"{place} is damaged: the checksum of its header is wrong", hint=_AGAIN)
    try:
        return _understood(parse_json(content), offset)
    except ValueError as error:
        raise DataFormatError(f"{place} is damaged: of its header, {error}", hint=_AGAIN) from error


_AGAIN = "copy it again from where it is whole, or pack the folder again"


def read_section(file: ByteRanges, section: Section, what: str, most: int = MOST_TABLE_BYTES) -> bytes:
    """Read a section.

    Parameters
    ----------
    file : ByteRanges
    section : Section
    what : str
        What to call it in messages.
    most : int
        It inflates to no more bytes.

    Returns
    -------
    bytes

    Raises
    ------
    DataFormatError
        If it is damaged, or more than that.
    """
    place = shown_path(file.place)
    # zlib makes nothing longer by more than a few bytes in a thousand.
    if section.bytes > most or section.stored > most + (most >> 8) + 64:
        raise DataFormatError(
            f"{what} of {place} has {max(section.bytes, section.stored):,} bytes; at most {most:,} are read"
        )
    stored = bytes(file.read(section.offset, section.stored))
    content = inflate(stored, section.bytes) if zlib.crc32(stored) == section.crc32 else None
    if content is None:
        raise DataFormatError(f"{place} is damaged: its checksum of {what} is wrong", hint=_AGAIN)
    return content


def check_records(records: NDArray[np.void], most: Sequence[int], header: Header, place: str) -> None:
    """See that whatever records point to lies in the body, and is no longer than it may be.

    Parameters
    ----------
    records : ndarray of RECORD
    most : sequence of int
        Bytes that the planes of each image may have.
    header : Header
    place : str
        Of the file, for messages.

    Raises
    ------
    DataFormatError
        If not.
    """
    end = np.uint64(header.end)
    sound = np.ones(records.size, np.bool_)
    for what, limits in (("image", MOST_FILE_BYTES), ("planes", np.array(most, np.uint64))):
        offsets, counts = records[what], records[f"{what}_bytes"].astype(np.uint64)
        sound &= (offsets >= PREAMBLE.size) & (offsets <= end) & (counts <= limits)
        sound &= counts <= end - np.minimum(offsets, end)
    sound &= records["image_bytes"] > 0
    if not sound.all():
        raise DataFormatError(
            f"{shown_path(place)} is damaged: the record of image {int(np.argmin(sound)) + 1:,} of its index "
            "points out of the file, or to more than is read",
            hint=_AGAIN,
        )


def name_problem(name: str) -> str | None:
    """Say why a data set cannot have a name: the folders of runs are called after it.

    Parameters
    ----------
    name : str

    Returns
    -------
    str or None
        None if it can.
    """
    if not name.strip() or len(name) > _LONGEST_NAME:
        return "it is empty" if len(name) <= _LONGEST_NAME else f"it has {len(name):,} characters"
    if has_control(name) or "/" in name or "\\" in name:
        return f"{shown(name)} holds a character that parts folders or lines"
    return None


def _understood(value: Any, offset: int) -> Header:
    _HEADER.check(value, "")
    expect_distinct(value["tables"], "name", "tables")
    problem = name_problem(value["name"])
    if problem:
        raise FieldError("name", f"is none: {problem}")
    if not _DIGEST.fullmatch(value["body"]["blake2b"]):
        raise FieldError("body.blake2b", "is no hash of 64 hexadecimal digits")
    header = Header(
        name=value["name"],
        end=value["body"]["end"],
        digest=value["body"]["blake2b"],
        tables={record["name"]: Section.from_json(record) for record in value["tables"]},
        records=Section.from_json(value["records"]),
        map_sizes=Section.from_json(value["map_sizes"]),
    )
    named = {**header.tables, "records": header.records, "map_sizes": header.map_sizes}
    for name, section in named.items():
        if section.offset < header.end or section.offset + section.stored > offset:
            raise FieldError(f"the section {shown(name)}", "does not lie between body and header")
    claimed = sum(section.bytes for section in header.tables.values())
    if claimed > MOST_TABLES_BYTES:
        raise FieldError("tables", f"claim {claimed:,} bytes; at most {MOST_TABLES_BYTES:,} are read")
    return header
