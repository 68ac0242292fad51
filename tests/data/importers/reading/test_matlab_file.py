"""Files of MATLAB, as SciPy writes them, and as nobody should."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from onnxdissect.data.importers.reading import matlab_file
from onnxdissect.data.importers.reading.matlab_file import read_matlab
from onnxdissect.errors import DataFormatError, ImageFileError

FIELDS = ("a", "names", "mask", "inner")


def structure(**fields: Any) -> Any:
    made = np.zeros((1, 1), dtype=[(name, object) for name in fields])
    made[0, 0] = tuple(fields.values())
    return made


def written(folder: Path, value: Any, *, compressed: bool = True) -> Path:
    path = folder / "x.mat"
    savemat(path, {"a": value, "passed_over": np.zeros((50, 50))}, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "i4", "u4", "i8", "f4", "f8", "bool"])
def test_numbers_are_read_whatever_their_kind(tmp_path: Path, kind: str, compressed: bool) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (5, 7)).astype(kind)
    path = written(tmp_path, structure(mask=mask, other=np.zeros((30, 30))), compressed=compressed)
    (found,) = read_matlab(path, "x", FIELDS)["a"]
    assert np.array_equal(found["mask"], mask) and list(found) == ["mask"]


@pytest.mark.parametrize("compressed", [True, False])
def test_cells_and_texts_are_read_in_their_order(tmp_path: Path, compressed: bool) -> None:
    names = np.array(["wall", "straße, road", "", "x" * 300], object).reshape(1, -1)
    found = read_matlab(written(tmp_path, structure(names=names), compressed=compressed), "x", FIELDS)
    assert found == {"a": [{"names": ["wall", "straße, road", "", "x" * 300]}]}


def test_what_is_not_asked_for_is_passed_over(tmp_path: Path) -> None:
    assert read_matlab(written(tmp_path, structure(mask=1)), "x", ("names",)) == {}
    inner = structure(inner=structure(names="n", large=np.zeros((100, 100))), large=np.zeros((100, 100)))
    assert read_matlab(written(tmp_path, inner), "x", FIELDS) == {"a": [{"inner": [{"names": "n"}]}]}


@settings(max_examples=150, deadline=None)
@given(at=st.integers(128, 10**6), value=st.integers(0, 255), cut=st.integers(0, 10**6))
def test_damage_is_told_or_changes_a_value(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("mat")
    inner = structure(mask=np.eye(3), names=np.array(["a", "b"], object), inner=structure(mask=1))
    content = bytearray(written(folder, inner, compressed=False).read_bytes())
    content[128 + at % (len(content) - 128)] = value
    path = folder / "damaged.mat"
    path.write_bytes(content[: len(content) - cut % 60 * (cut % 3 == 0)])
    try:
        read_matlab(path, "x", FIELDS)
    except DataFormatError as error:
        assert error.message.startswith("x ")


def matrix(body: bytes) -> bytes:
    return struct.pack("<II", 14, len(body)) + body


def element(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body + b"\0" * (-len(body) % 8)


def head(kind: int, shape: tuple[int, ...], name: bytes = b"a") -> bytes:
    flags = struct.pack("<II", kind, 0)
    return element(6, flags) + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)


def nested(depth: int) -> bytes:
    body = head(9, (1, 1), b"") + element(9, struct.pack("<d", 1))
    for i in range(depth):
        body = head(1, (1, 1), b"a" if i == depth - 1 else b"") + matrix(body)
    return matrix(body)


def bomb(size: int) -> bytes:
    deflate = zlib.compressobj(9)
    begin = struct.pack("<II", 14, size) + head(9, (1, size // 8)) + struct.pack("<II", 9, size)
    packed = deflate.compress(begin) + b"".join(deflate.compress(bytes(1 << 20)) for _ in range(size >> 20))
    packed += deflate.flush()
    return struct.pack("<II", 15, len(packed)) + packed


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
BROKEN = [
    (b"", "empty file"),
    (b"x" * 200, "is no file of MATLAB's version 5"),
    (b"\x89HDF\r\n\x1a\n" + bytes(200), "version 7.3"),
    (HEADER + struct.pack("<II", 14, 1000), "is truncated"),
    (HEADER + struct.pack("<II", 15, 5) + b"nope!", "is damaged"),
    (HEADER + matrix(head(9, (10, 10)) + element(9, bytes(8))), "not as many numbers as it claims"),
    (HEADER + matrix(head(9, (-1, -8)) + element(9, bytes(64))), "less than no items"),
    (HEADER + matrix(head(1, (2**31 - 1, 1))), "holds more than 1,048,576 values"),
    (HEADER + matrix(head(9, (1, 1)) + struct.pack("<II", 9, 2**31)), "bytes stand where"),
    (HEADER + nested(30), "is nested more than 20 levels deep"),
]


@pytest.mark.parametrize(("content", "said"), BROKEN)
def test_what_is_wrong_is_one_message(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(content)
    with pytest.raises((DataFormatError, ImageFileError), match=said):
        read_matlab(path, "x.mat", FIELDS)


def test_a_file_that_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab_file, "MOST_INFLATED_BYTES", 8 << 20)
    path = tmp_path / "x.mat"
    path.write_bytes(HEADER + bomb(64 << 20))
    with pytest.raises(DataFormatError, match="inflates to more than 8,388,608 bytes"):
        read_matlab(path, "x.mat", FIELDS)
