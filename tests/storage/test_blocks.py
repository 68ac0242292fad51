"""Blocks read back from a file as they were written, and damaged ones are refused."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxdissect.errors import OutOfMemoryError, RunFormatError
from onnxdissect.storage.blocks import read_block, skip_block, write_block
from onnxdissect.storage.schema import ArraySpec, Schema

SCHEMA = Schema(
    {"a": ArraySpec("uint8|uint16", "n"), "b": ArraySpec("float32", "nk"), "c": ArraySpec("bool", ".")}
)
Arrays = dict[str, NDArray[Any]]


def arrays(n: int) -> Arrays:
    return {
        "a": np.arange(n, dtype=np.uint8),
        "b": np.arange(3 * n, dtype=np.float32).reshape(n, 3),
        "c": np.ones(n % 3, np.bool_),
    }


def write(path: Path, *sizes: int) -> None:
    with path.open("wb") as file:
        for n in sizes:
            write_block(file, SCHEMA, arrays(n), {"n": n})


def claim(path: Path, said: bytes, instead: bytes) -> None:
    """Have the block say something else of its arrays, with checksums that fit."""
    line, content = path.read_bytes().split(b"\n", 1)
    line = line[8:].replace(said, instead, 1)
    path.write_bytes(b"%08x%b\n%b" % (zlib.crc32(line), line, content))


def read(path: Path, schema: Schema = SCHEMA) -> list[tuple[int, Arrays]]:
    found = []
    with path.open("rb") as file:
        while (
            block := read_block(file, path, lambda facts: schema, lambda n: np.empty(n, np.uint8))
        ) is not None:
            found.append((block[0]["n"], block[1]))
    return found


def test_blocks_read_back_aligned_and_writable(tmp_path: Path) -> None:
    write(tmp_path / "blocks", 3, 0, 7)
    found = read(tmp_path / "blocks")
    assert [n for n, _ in found] == [3, 0, 7]
    for n, block in found:
        for name, array in arrays(n).items():
            np.testing.assert_array_equal(block[name], array, strict=True)
            assert (
                block[name].flags.aligned and block[name].flags.writeable and block[name].flags.c_contiguous
            )
            assert block[name].ctypes.data % 8 == 0 or not n


def test_skipping_leads_to_where_reading_leads(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    write(path, 3, 0, 7)
    with path.open("rb") as file:
        places, sizes = [0], []
        while (facts := skip_block(file, path)) is not None:
            sizes.append(facts["n"])
            places.append(file.tell())
    assert sizes == [3, 0, 7]
    assert places[-1] == path.stat().st_size
    with path.open("rb") as file:
        for place, n in zip(places, sizes, strict=False):
            file.seek(place)
            block = read_block(file, path, lambda facts: SCHEMA, lambda n: np.empty(n, np.uint8))
            assert block is not None
            np.testing.assert_array_equal(block[1]["b"], arrays(n)["b"])


def test_skipping_refuses_what_says_nothing_sound(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    for shape in ("[-1]", "[-4000]", "5", "null"):
        write(path, 5)
        claim(path, b"[5]", shape.encode())
        with path.open("rb") as file, pytest.raises(RunFormatError, match="blocks is damaged"):
            skip_block(file, path)


def test_what_is_not_in_the_schema_is_not_written(tmp_path: Path) -> None:
    with (tmp_path / "blocks").open("wb") as file:
        for wrong in ({"a": np.zeros(3, np.int64)}, {"b": np.zeros((4, 3), np.float32)}):
            with pytest.raises(ValueError, match=r"a is int64|b is of shape"):
                write_block(file, SCHEMA, arrays(3) | wrong)


def test_no_cut_block_gives_anything_but_the_error(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    write(path, 5)
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(RunFormatError, match=r"blocks is damaged") as caught:
            read(path)
        assert caught.value.hint is not None


def test_no_flipped_bit_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    write(path, 5, 3)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(RunFormatError, match="blocks is damaged"):
            read(path)


def test_a_flipped_bit_in_a_line_is_noticed_by_who_skips_its_block(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    write(path, 5)
    whole = path.read_bytes()
    for bit in range(8 * (whole.index(b"\n") + 1)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with path.open("rb") as file, pytest.raises(RunFormatError, match="blocks is damaged"):
            skip_block(file, path)


def test_what_is_written_is_what_the_checksum_is_of(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    write(path, 5)
    line, content = path.read_bytes().split(b"\n", 1)
    assert line[:8] == b"%08x" % zlib.crc32(line[8:])
    assert line[8:16] == b"%08x" % zlib.crc32(content)


def test_impossible_sizes_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    for shape in ("[-1]", "[4000000000000000]", "[5, 1]", "5", "null"):
        write(path, 5)
        claim(path, b"[5]", shape.encode())
        with pytest.raises(RunFormatError, match="blocks is damaged"):
            read(path)


def test_what_the_file_does_not_hold_is_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    write(path, 5)
    # shapes that go together, of a terabyte
    claim(path, b"[5]", b"[100000000000]")
    claim(path, b"[5, 3]", b"[100000000000, 3]")
    with pytest.raises(RunFormatError, match=r"1,\d{3},\d{3},\d{3},\d{3} bytes are missing at its end"):
        read(path)


def test_a_lack_of_memory_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    write(path, 5)

    def too_much(size: int) -> NDArray[np.uint8]:
        return np.empty(2**60 + size, np.uint8)

    with path.open("rb") as file, pytest.raises(OutOfMemoryError, match="Unable to allocate"):
        read_block(file, path, lambda facts: SCHEMA, too_much)


def test_blocks_of_another_schema_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "blocks", 5)
    other = Schema({**SCHEMA.arrays, "a": ArraySpec("int64", "n")})
    for schema, said in ((other, "a is uint8"), (SCHEMA.only("a", "b"), "damaged")):
        with pytest.raises(RunFormatError, match=said):
            read(tmp_path / "blocks", schema)


def test_long_arrays_that_were_damaged_in_any_way_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    size = 20_003
    values = np.random.default_rng(0).random((size, 3), np.float32)
    with path.open("wb") as file:
        write_block(file, SCHEMA, {**arrays(size), "b": values}, {"n": size})
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    begin = whole.size - values.nbytes - -values.nbytes % 8 - 8
    page, word = 4096, 8

    def exchanged(size: int, one: int, other: int) -> NDArray[np.uint8]:
        damaged = whole.copy()
        for to, of in ((one, other), (other, one)):
            damaged[begin + to : begin + to + size] = whole[begin + of : begin + of + size]
        return damaged

    def changed(at: int, size: int) -> NDArray[np.uint8]:
        damaged = whole.copy()
        damaged[begin + at : begin + at + size] = 0
        return damaged

    for damaged in (
        exchanged(word, 16, 800),
        exchanged(word, 16, 16 + 5 * page),
        exchanged(page, page, 7 * page),
        exchanged(page, page, 7 * page + 1000),
        changed(3 * page, page),
        changed(1234, 1),
        changed(58 * page + 100, 1),
    ):
        assert (damaged != whole).any()
        path.write_bytes(damaged.tobytes())
        with pytest.raises(RunFormatError, match="checksum"):
            read(path)
    path.write_bytes(whole.tobytes())
    np.testing.assert_array_equal(read(path)[0][1]["b"], values)
