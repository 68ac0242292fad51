"""Packed files taken apart and put together again by the description of their format."""

from __future__ import annotations

import copy
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREAMBLE = struct.Struct("<8sIQQI")
BEGIN = PREAMBLE.size + 4
MAGIC = b"\x89ODPACK\n"
RECORD = struct.Struct("<QIIQII")


@dataclass
class PackedParts:
    """A packed file, whose checksums are made right when it is put together.

    Attributes
    ----------
    body : bytes
    tables : dict of str to bytes
    records : list of list of int
    map_sizes : bytes
    header : dict
        What is put into the header beside places, or instead of them.
    """

    body: bytes
    tables: dict[str, bytes]
    records: list[list[int]]
    map_sizes: bytes
    header: dict[str, Any]

    def content(self, version: int = 1) -> bytes:
        """Put it together."""
        content = bytes(BEGIN) + self.body
        places: dict[str, dict[str, int]] = {}
        sections = self.tables | {
            "records": b"".join(RECORD.pack(*record) for record in self.records),
            "map_sizes": self.map_sizes,
        }
        for name, section in sections.items():
            stored = zlib.compress(section)
            places[name] = {
                "offset": len(content),
                "stored": len(stored),
                "bytes": len(section),
                "crc32": zlib.crc32(stored),
            }
            content += stored
        header: dict[str, Any] = {
            "name": "small",
            "body": {
                "end": BEGIN + len(self.body),
                "blake2b": hashlib.blake2b(self.body, digest_size=32).hexdigest(),
            },
            "tables": [{"name": name, **places[name]} for name in self.tables],
            "records": places["records"],
            "map_sizes": places["map_sizes"],
        }
        return joined(content, json.dumps(merged(header, self.header)).encode(), version)


def merged(value: Any, changes: Any) -> Any:
    """Lay changes over JSON values; a list is changed item by item, by its number."""
    if not isinstance(changes, dict) or not isinstance(value, dict | list):
        return changes
    value = copy.deepcopy(value)
    for key, change in changes.items():
        old = value[key] if isinstance(value, list) or key in value else None
        value[key] = merged(old, change)
    return value


def joined(content: bytes, header: bytes, version: int = 1) -> bytes:
    """What lies before the header, the header, and a preamble that says so."""
    fields = PREAMBLE.pack(MAGIC, version, len(content), len(header), zlib.crc32(header))
    return fields + struct.pack("<I", zlib.crc32(fields)) + content[BEGIN:] + header


def taken_apart(path: Path) -> PackedParts:
    """Read a packed file that is whole."""
    content = path.read_bytes()
    magic, version, offset, count, checksum = PREAMBLE.unpack_from(content)
    assert (magic, version, offset + count) == (MAGIC, 1, len(content))
    assert struct.unpack_from("<I", content, PREAMBLE.size) == (zlib.crc32(content[: PREAMBLE.size]),)
    assert zlib.crc32(content[offset:]) == checksum
    header = json.loads(content[offset:])
    body = content[BEGIN : header["body"]["end"]]
    assert hashlib.blake2b(body, digest_size=32).hexdigest() == header["body"]["blake2b"]

    def section(place: dict[str, int]) -> bytes:
        stored = content[place["offset"] : place["offset"] + place["stored"]]
        assert zlib.crc32(stored) == place["crc32"]
        inflated = zlib.decompress(stored)
        assert len(inflated) == place["bytes"]
        return inflated

    return PackedParts(
        body=body,
        tables={place["name"]: section(place) for place in header["tables"]},
        records=[list(record) for record in RECORD.iter_unpack(section(header["records"]))],
        map_sizes=section(header["map_sizes"]),
        header={"name": header["name"]},
    )
