"""Files that are no packed data set, or a damaged one: one clear error, and never a crash."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.datasets import random_broden, write_broden
from support.packed_files import BEGIN, PackedParts, joined, taken_apart

from onnxdissect.data import check_packed, open_data, open_dataset, open_packed, pack_dataset
from onnxdissect.errors import (
    DataError,
    DataFormatError,
    DataNotFoundError,
    EmptyDataError,
    ImageFileError,
    OnnxDissectError,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    folder = write_broden(place / "small", random_broden(3, pictures=4))
    return pack_dataset(open_dataset(folder), place / "small.packed").path


@pytest.fixture
def parts(whole: Path) -> PackedParts:
    return taken_apart(whole)


def read_all(path: Path) -> None:
    packed = open_packed(path)
    for i in range(len(packed)):
        packed.read_image(i)
        packed.read_annotation(i)


def opened(tmp_path: Path, content: bytes) -> DataError:
    """The error of opening a file of this content."""
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_data(path)
    assert str(path) in caught.value.message and "\n" not in caught.value.message
    return caught.value


def test_the_file_is_by_its_description(whole: Path, parts: PackedParts, tmp_path: Path) -> None:
    folder = whole.with_name("small")
    for name, content in parts.tables.items():
        assert content == (folder / name).read_bytes()
    dataset = open_dataset(folder)
    maps = [path for entry in dataset.entries for path in entry.maps]
    sizes = [(folder / "images" / path).stat().st_size for path in maps]
    assert np.frombuffer(parts.map_sizes, "<u4").tolist() == sizes
    for entry, (image, count, checksum, *_) in zip(dataset.entries, parts.records, strict=True):
        stored = parts.body[image - BEGIN : image - BEGIN + count]
        assert stored == (folder / "images" / entry.image).read_bytes()
        assert zlib.crc32(stored) == checksum
    (tmp_path / "x").write_bytes(parts.content())
    assert open_packed(tmp_path / "x").fingerprint == dataset.fingerprint


@pytest.mark.parametrize(
    "content", [b"", b"\x89", b"\x89PNG\r\n\x1a\n" + bytes(100), b"image,split\n", b"PK\x03\x04"]
)
def test_a_foreign_file(tmp_path: Path, content: bytes) -> None:
    error = opened(tmp_path, content)
    assert isinstance(error, DataNotFoundError)
    assert error.message.endswith("is a file, and no packed data set: it does not begin as one")


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(DataNotFoundError, match="x"):
        open_packed(path)
    with pytest.raises(DataNotFoundError, match="x"):
        open_data(path)


def test_an_index_is_still_taken_for_that_of_a_folder(whole: Path) -> None:
    index = whole.with_name("small") / "index.csv"
    with pytest.raises(DataNotFoundError, match="is a file; a data set is a folder") as caught:
        open_data(index)
    assert caught.value.hint == f"--data {index.parent}"


def test_a_truncated_file(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    for left in (8, 20, BEGIN - 1, BEGIN, len(content) // 2, len(content) - 1):
        error = opened(tmp_path, content[:left])
        assert isinstance(error, DataFormatError)
        assert "is truncated" in error.message
    assert f"it has {len(content) - 1:,} bytes, and should have {len(content):,}" in error.message
    assert "goes on behind its end" in opened(tmp_path, content + b"\n").message


def test_another_version(parts: PackedParts, tmp_path: Path) -> None:
    error = opened(tmp_path, parts.content(version=2))
    assert "is of format version 2, this version of onnxdissect reads 1" in error.message
    assert error.hint is not None and "the version that wrote it" in error.hint


def test_every_flipped_bit_is_found(whole: Path, tmp_path: Path) -> None:
    """In the body when an image is read or the whole is checked, elsewhere when the file is opened."""
    content, path = whole.read_bytes(), tmp_path / "x"
    dice = random.Random(0)
    for _ in range(300):
        place, bit = dice.randrange(len(content)), 1 << dice.randrange(8)
        changed = bytearray(content)
        changed[place] ^= bit
        path.write_bytes(changed)
        with pytest.raises(DataError, match=r"damaged|truncated|goes on|no packed data set|version"):
            read_all(path)


def test_a_damaged_image_is_named_and_others_are_read(
    whole: Path, parts: PackedParts, tmp_path: Path
) -> None:
    content = bytearray(whole.read_bytes())
    content[parts.records[1][0] + 20] ^= 1
    content[parts.records[2][3] + 2] ^= 1
    path = tmp_path / "x"
    path.write_bytes(content)
    packed = open_packed(path)
    name = packed.image_name(1)
    with pytest.raises(ImageFileError, match=rf"^image {name} \(index.csv, line 3\) of {path} is damaged"):
        packed.read_image(1)
    packed.read_annotation(1)
    with pytest.raises(
        ImageFileError, match=r"^labels of image .* \(index.csv, line 4\) of .* is damaged"
    ) as caught:
        packed.read_annotation(2)
    assert caught.value.hint is not None and f"onnxdissect data check {path}" in caught.value.hint
    report = check_packed(packed)
    assert [(p.level, p.row) for p in report.problems] == [("error", 3), ("error", 4), ("error", None)]
    assert "the hash of all images and labels is not the one" in report.problems[-1].message


HEADERS: list[tuple[Any, str]] = [
    ({"name": ""}, "name is none: it is empty"),
    ({"name": "a/../b"}, "holds a character that parts folders or lines"),
    ({"name": "x" * 5000}, "name is 'x"),
    ({"name": 7}, "name is 7, not a text"),
    ({"tables": []}, "tables is a list of 0, not a list of 3"),
    ({"tables": {0: {"name": "label.csv"}}}, "tables"),
    ({"tables": {0: {"offset": 2**60}}}, "does not lie between body and header"),
    ({"tables": {0: {"offset": 36}}}, "does not lie between body and header"),
    ({"tables": {0: {"offset": 2**63}}}, "64 bits"),
    ({"tables": {0: {"bytes": -1}}}, "not a whole number"),
    ({"tables": {0: {"bytes": 2**28 + 1}}}, "has 268,435,457 bytes; at most 268,435,456 are read"),
    ({"tables": {i: {"bytes": 2**28} for i in range(3)}}, "bytes; at most 536,870,912 are read"),
    ({"tables": {0: {"bytes": 5}}}, "its checksum of category.csv is wrong"),
    ({"tables": {0: {"crc32": 5}}}, "its checksum of category.csv is wrong"),
    ({"records": {"bytes": 2**40}}, "its records take 1,099,511,627,776 bytes, and those of the images"),
    ({"map_sizes": {"bytes": 4}}, "its map_sizes take 4 bytes, and those of the images"),
    ({"body": {"end": 2**40}}, "does not lie between body and header"),
    ({"body": {"end": 36}}, "the record of image 1 of its index points out of the file"),
    ({"body": {"blake2b": "z" * 64}}, "is no hash"),
    ({"records": None}, "records is null, not a record"),
]


@pytest.mark.parametrize(("changes", "said"), HEADERS)
def test_a_header_that_cannot_be(parts: PackedParts, tmp_path: Path, changes: Any, said: str) -> None:
    parts.header = changes
    error = opened(tmp_path, parts.content())
    assert isinstance(error, DataFormatError)
    assert said in error.message


@pytest.mark.parametrize(
    "header", [b"", b"{", b"\xff", b"[]", b"[" * 100_000, b'{"name": "a", "name": "b"}', b'{"a": 1e999}']
)
def test_a_header_that_is_none(parts: PackedParts, tmp_path: Path, header: bytes) -> None:
    content = parts.content()
    error = opened(tmp_path, joined(content[: BEGIN + len(parts.body)], header))
    assert isinstance(error, DataFormatError) and "damaged" in error.message


def test_a_header_larger_than_is_read(parts: PackedParts, tmp_path: Path) -> None:
    assert (
        "a header of 4,194,305 bytes" in opened(tmp_path, joined(parts.content(), b" " * (2**22 + 1))).message
    )
    far = struct.pack("<8sIQQI", b"\x89ODPACK\n", 1, 2**64 - 5, 10, 0)
    assert "is truncated" in opened(tmp_path, far + struct.pack("<I", zlib.crc32(far))).message


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 0), (0, 2**40), (0, 2**64 - 1), (1, 0), (1, 2**32 - 1), (3, 35), (3, 2**63), (4, 2**32 - 1)],
)
def test_a_record_that_points_elsewhere(parts: PackedParts, tmp_path: Path, place: int, value: int) -> None:
    parts.records[2][place] = value
    error = opened(tmp_path, parts.content())
    assert (
        "the record of image 3 of its index points out of the file, or to more than is read" in error.message
    )


def test_more_records_than_images(parts: PackedParts, tmp_path: Path) -> None:
    parts.records.append(parts.records[0])
    assert (
        "its records take 160 bytes, and those of the images in its index 128"
        in opened(tmp_path, parts.content()).message
    )


@pytest.mark.parametrize(
    ("table", "content", "kind", "said"),
    [
        ("index.csv", None, DataFormatError, "has no index.csv"),
        ("label.csv", None, DataFormatError, "has no label.csv"),
        ("label.csv", b"\xff\xfe", DataFormatError, "is not UTF-8"),
        ("index.csv", b"nothing", DataFormatError, "index.csv"),
    ],
)
def test_tables_that_are_none(
    parts: PackedParts, tmp_path: Path, table: str, content: bytes | None, kind: type[DataError], said: str
) -> None:
    if content is None:
        parts.tables["other.csv"] = parts.tables.pop(table)
    else:
        parts.tables[table] = content
    error = opened(tmp_path, parts.content())
    assert isinstance(error, kind) and said in error.message


def test_an_index_without_images_or_with_a_row_that_cannot_be_read(
    parts: PackedParts, tmp_path: Path
) -> None:
    lines = parts.tables["index.csv"].splitlines(keepends=True)
    parts.tables["index.csv"] = lines[0]
    assert isinstance(opened(tmp_path, parts.content()), EmptyDataError)
    parts.tables["index.csv"] = b"".join(lines).replace(b"b/picture1.jpg", b"../picture1.jpg")
    assert "index.csv, line 3: '../picture1.jpg' leads out" in opened(tmp_path, parts.content()).message


def replaced(parts: PackedParts, i: int, image: bytes | None = None, planes: bytes | None = None) -> None:
    """Give an image another file or other planes, with all checksums right."""
    added = image if image is not None else planes
    assert added is not None
    place = 0 if image is not None else 3
    parts.records[i][place : place + 3] = [BEGIN + len(parts.body), len(added), zlib.crc32(added)]
    parts.body += added


def test_labels_that_are_none_are_refused_with_right_checksums(parts: PackedParts, tmp_path: Path) -> None:
    path = tmp_path / "x"
    replaced(parts, 0, planes=b"nothing to be read as runs")
    replaced(parts, 1, planes=struct.pack("<II1H", 1, 1, 60_000) + b"\xff\xff\x00\x00")
    replaced(parts, 2, image=b"no image")
    path.write_bytes(parts.content())
    packed = open_packed(path)
    for i in (0, 1):
        with pytest.raises(ImageFileError, match="are no runs of labels on a grid of 12 x 12"):
            packed.read_annotation(i)
    with pytest.raises(ImageFileError, match="cannot be decoded"):
        packed.read_image(2)
    report = check_packed(packed)
    assert [p.row for p in report.problems] == [2, 3, 4, None]
    assert not report.ok


def test_what_would_count_twice_is_found_by_the_check(parts: PackedParts, tmp_path: Path) -> None:
    path = tmp_path / "x"
    (tmp_path / "y").write_bytes(parts.content())
    packed = open_packed(tmp_path / "y")
    i = next(i for i, entry in enumerate(packed.entries) if len(entry.maps) > 1)
    rows = b"\xff\x01\x00"  # 128 pixels of the first code
    planes = struct.pack("<II1H", 2, 1, 1) + rows + rows + b"\x3f\x00"
    assert packed.grid(i) == (12, 12)
    replaced(parts, i, planes=planes)
    path.write_bytes(parts.content())
    report = check_packed(open_packed(path))
    assert "its labels hold a concept twice in one pixel" in [problem.message for problem in report.problems]


def changed(content: bytearray, dice: random.Random) -> None:
    """Damage that no checksum tells, as those of the preamble and of the header are made right."""
    for _ in range(dice.randint(1, 5)):
        content[dice.randrange(len(content))] = dice.choice([0, 1, 127, 128, 255, dice.randrange(256)])


@pytest.mark.parametrize("part", ["records", "planes", "header"])
def test_random_changes_end_in_errors_or_in_data(parts: PackedParts, tmp_path: Path, part: str) -> None:
    dice, path = random.Random(part), tmp_path / "x"
    changes: dict[str, Callable[[], bytes]] = {
        "records": lambda: _of_records(parts, dice),
        "planes": lambda: _of_planes(parts, dice),
        "header": lambda: _of_header(parts, dice),
    }
    for _ in range(150):
        path.write_bytes(changes[part]())
        with contextlib.suppress(OnnxDissectError):
            read_all(path)


def _of_records(parts: PackedParts, dice: random.Random) -> bytes:
    kept = [list(record) for record in parts.records]
    place = dice.randrange(6)
    bits = 64 if place in (0, 3) else 32
    dice.choice(parts.records)[place] = dice.choice(
        [0, 2**bits - 1, dice.randrange(2**bits), dice.randrange(9000)]
    )
    content = parts.content()
    parts.records = kept
    return content


def _of_planes(parts: PackedParts, dice: random.Random) -> bytes:
    kept, body = [list(record) for record in parts.records], parts.body
    offset, count = parts.records[i := dice.randrange(4)][3:5]
    planes = bytearray(parts.body[offset - BEGIN : offset - BEGIN + count] or b"\0")
    changed(planes, dice)
    replaced(parts, i, planes=bytes(planes))
    content = parts.content()
    parts.records, parts.body = kept, body
    return content


def _of_header(parts: PackedParts, dice: random.Random) -> bytes:
    content = parts.content()
    offset, count = struct.unpack_from("<QQ", content, 12)
    header = bytearray(content[offset : offset + count])
    changed(header, dice)
    return joined(content[:offset], bytes(header))
