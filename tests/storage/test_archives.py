"""Archives hold what their schema says, give equal bytes, and damaged or foreign ones are refused."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.storage.archive_reader import open_archive, read_archive
from onnxdissect.storage.archive_writer import write_archive, writing_archive
from onnxdissect.storage.schema import ArraySpec, Schema

SCHEMA = Schema(
    {
        "name": ArraySpec("str", "n", optional=True),
        "counts": ArraySpec("int64", "nk"),
        "cells": ArraySpec("uint16|uint32", "c"),
        "total": ArraySpec("int64", "n"),
        "empty": ArraySpec("uint8", ".e"),
    }
)
ARRAYS: dict[str, NDArray[Any]] = {
    "name": np.array(["a", "bcd", ""]),
    "counts": np.arange(60, dtype=np.int64).reshape(3, 20),
    "cells": np.arange(7, dtype=np.uint16),
    "total": np.array([1, 2, 3], np.int64),
    "empty": np.empty((0, 2), np.uint8),
}


def equal(found: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]] = ARRAYS) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_arrays_read_back_and_numpy_reads_them_too(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.npz", SCHEMA, ARRAYS)
    equal(read_archive(tmp_path / "a.npz", SCHEMA))
    equal(read_archive(tmp_path / "a.npz", SCHEMA.only("total")), {"total": ARRAYS["total"]})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as plain:
        equal(dict(plain))
    nameless = {name: array for name, array in ARRAYS.items() if name != "name"}
    write_archive(tmp_path / "a.npz", SCHEMA, nameless, compress=False)
    equal(read_archive(tmp_path / "a.npz", SCHEMA), nameless)


def test_equal_arrays_give_equal_bytes(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.npz", SCHEMA, ARRAYS)
    other = {name: np.asfortranarray(ARRAYS[name]) for name in reversed(ARRAYS)}
    write_archive(tmp_path / "b.npz", SCHEMA, other)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@given(st.lists(st.integers(0, 40), max_size=8), st.booleans())
@settings(deadline=None, max_examples=40)
def test_rows_one_after_another_give_the_same_bytes_and_read_back(sizes: list[int], compress: bool) -> None:
    schema = Schema(
        {"first": ArraySpec("int32", "k"), "a": ArraySpec("int32", "r"), "b": ArraySpec("uint8", "rw")}
    )
    rng = np.random.default_rng(sum(sizes))
    parts = [(rng.integers(0, 9, n, np.int32), rng.integers(0, 9, (n, 3), np.uint8)) for n in [0, *sizes]]
    whole = {"first": np.arange(2, dtype=np.int32)}
    whole |= {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate("ab")}
    with TemporaryDirectory() as folder:
        path, grown = Path(folder) / "whole.npz", Path(folder) / "grown.npz"
        write_archive(path, schema, whole, compress=compress)
        with writing_archive(grown, schema, compress=compress) as archive:
            for a, b in parts:
                archive.append("b", b)
                archive.append("a", a)
            archive.write("first", whole["first"])
        assert grown.read_bytes() == path.read_bytes()
        assert sorted(found.name for found in Path(folder).iterdir()) == ["grown.npz", "whole.npz"]
        with open_archive(grown, schema) as found:
            assert found.shape("b") == (sum(sizes), 3)
            for a, b in parts:
                np.testing.assert_array_equal(found.next_rows("a", len(a)), a, strict=True)
                np.testing.assert_array_equal(found.next_rows("b", len(b)), b, strict=True)
            np.testing.assert_array_equal(found.read("first"), whole["first"], strict=True)


def test_what_is_not_in_the_schema_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    wrong: list[dict[str, NDArray[Any]]] = [
        ARRAYS | {"more": np.zeros(1)},
        {name: array for name, array in ARRAYS.items() if name != "total"},
        ARRAYS | {"total": np.zeros(4, np.int64)},
        ARRAYS | {"total": np.zeros(3, np.int32)},
        ARRAYS | {"total": np.zeros((3, 1), np.int64)},
        ARRAYS | {"cells": np.zeros(3, np.uint8)},
        ARRAYS | {"name": np.zeros(3, np.int64)},
    ]
    for arrays in wrong:
        with pytest.raises(ValueError, match=r"more|total|cells|name"):
            write_archive(path, SCHEMA, arrays)
    with pytest.raises(ValueError, match="counts"):
        write_archive(path, SCHEMA, ARRAYS, lengths={"k": 21})
    with pytest.raises(ValueError, match="written already"), writing_archive(path, SCHEMA) as archive:
        for _ in range(2):
            archive.write("total", ARRAYS["total"])
    with pytest.raises(ValueError, match="after those"), writing_archive(path, SCHEMA) as archive:
        archive.append("counts", ARRAYS["counts"])
        archive.append("counts", ARRAYS["counts"][:, 1:])
    assert not list(tmp_path.iterdir()), "nothing is left of what was begun"
    with pytest.raises(OutputError, match="nowhere"):
        write_archive(tmp_path / "nowhere" / "a.npz", SCHEMA, ARRAYS)


def test_every_fault_is_one_kind_of_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"

    def refused(match: str, schema: Schema = SCHEMA, **lengths: int) -> None:
        with pytest.raises(RunFormatError, match=match) as caught:
            read_archive(path, schema, lengths=lengths)
        assert str(path) in caught.value.message
        assert caught.value.hint is not None

    refused("is missing")
    write_archive(path, SCHEMA, ARRAYS)
    refused("does not belong to this run: counts is of shape", k=21)
    refused("damaged: it lacks more", Schema({"more": ArraySpec("int64", "")}))
    refused("damaged: total is int64 of shape .3,., not int32", Schema({"total": ArraySpec("int32", "n")}))
    refused("with 2 axes", Schema({"total": ArraySpec("int64", "nn")}))
    refused(
        "does not go with total",
        Schema({"total": ArraySpec("int64", "n"), "cells": ArraySpec("uint16", "n")}),
    )
    for content in (b"", b"\xff noise" * 30, path.read_bytes()[:-40], path.read_bytes()[40:]):
        path.write_bytes(content)
        refused("is damaged")
    np.savez(path, total=np.array([{"a": 1}], object))
    refused("holds Python objects", SCHEMA.only("total"))
    np.savez(path, counts=np.asfortranarray(ARRAYS["counts"]))
    refused("Fortran", SCHEMA.only("counts"))
    np.save(tmp_path / "one.npy", ARRAYS["total"])
    path.write_bytes((tmp_path / "one.npy").read_bytes())
    refused("is damaged")
    path.unlink()
    path.mkdir()
    refused("a folder, and only regular files")


def test_an_array_that_is_shorter_than_it_says_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.save(tmp_path / "total.npy", ARRAYS["total"])
    for content in (
        (tmp_path / "total.npy").read_bytes()[:-1],
        (tmp_path / "total.npy").read_bytes() + b"\0",
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("total.npy", content)
        with pytest.raises(RunFormatError, match="not as large as it says"):
            read_archive(path, SCHEMA.only("total"))


def test_an_archive_of_another_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    second = replace(SCHEMA, version=2, hint="run again with --keep-masks")
    write_archive(path, second, ARRAYS)
    equal(read_archive(path, second))
    with np.load(path) as plain:
        assert plain["format_version"] == 2
    for asked, said in ((3, "format version 2, this version of onnxdissect reads 3"), (None, "reads none")):
        with pytest.raises(RunFormatError, match=said) as caught:
            read_archive(path, replace(second, version=asked))
        assert caught.value.hint is not None and "--keep-masks" in caught.value.hint
    write_archive(path, SCHEMA, ARRAYS)
    with pytest.raises(RunFormatError, match="format version none"):
        read_archive(path, second)


@pytest.mark.parametrize("compress", [False, True])
def test_no_flipped_byte_gives_anything_but_the_arrays_or_the_error(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "a.npz"
    write_archive(path, SCHEMA, ARRAYS, compress=compress)
    whole = path.read_bytes()
    refused = 0
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= (0xFF, 0x01)[at % 2]
        path.write_bytes(content)
        try:
            found = read_archive(path, SCHEMA)
        except RunFormatError:
            refused += 1
        else:
            # An optional array whose name has been damaged is an array that is not there.
            equal(found, {name: ARRAYS[name] for name in ARRAYS if name in found or name != "name"})
    assert refused > len(whole) / 2
