"""Files that are damaged: cut, flipped, or saying of themselves what is not so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxdissect.errors import BasisFileError
from onnxdissect.model.bases.basis import Basis

MATRIX = np.arange(1, 13, dtype=np.float32).reshape(4, 3)


def stored(header: Any, content: bytes = bytes(48), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + content


def entry(**changed: Any) -> dict[str, Any]:
    return {"matrix": {"dtype": "F32", "shape": [4, 3], "data_offsets": [0, 48], **changed}}


def npy(path: Path) -> None:
    np.save(path, MATRIX)


def npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, matrix=MATRIX, bias=np.ones(4), names=list("abcd"))


def safetensors(path: Path) -> None:
    path.write_bytes(stored(entry(), MATRIX.tobytes()))


FORMATS: dict[str, Callable[[Path], None]] = {"npy": npy, "npz": npz, "safetensors": safetensors}


@pytest.mark.parametrize("form", FORMATS)
def test_every_cut_is_noticed(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"mine.{form}"
    FORMATS[form](path)
    whole = path.read_bytes()
    np.testing.assert_array_equal(Basis.from_file(path).matrix, MATRIX)
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        with pytest.raises(BasisFileError):
            Basis.from_file(path)


@settings(max_examples=300, deadline=None)
@given(form=st.sampled_from(list(FORMATS)), at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, form: str, at: int, byte: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"flipped-{os.getpid()}.{form}"
    FORMATS[form](path)
    content = bytearray(path.read_bytes())
    content[at % len(content)] = byte
    path.write_bytes(content)
    try:
        basis = Basis.from_file(path)
    except BasisFileError as error:
        assert error.message
    else:
        assert basis.matrix.size <= MATRIX.size


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (stored(b"{}", length=2**40), "does not fit into the file"),
        (stored(b'{"' + b"x" * 2**24 + b'": 1}'), "or is longer than 16777216"),
        (stored(b'{"matrix": '), "is damaged"),
        (stored(b'{"a' + b"[" * 100_000), "is damaged"),
        (stored(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "is damaged"),
        (stored({"__metadata__": {"names": 3}, **entry()}), "its metadata are no texts"),
        (stored({"__metadata__": {"names": "[1]"}, **entry()}, b"\0\0\x80?" * 12), "no JSON list of texts"),
        (stored({"__metadata__": {"names": "[1"}, **entry()}, b"\0\0\x80?" * 12), "is damaged"),
        (stored({"matrix": 3}), "does not say what 'matrix' is"),
        (stored(entry(shape=[4, -3])), "does not say what 'matrix' is"),
        (stored(entry(shape=[4, 3.0])), "does not say what 'matrix' is"),
        (stored(entry(shape=[True, 12])), "does not say what 'matrix' is"),
        (stored(entry(shape="43")), "does not say what 'matrix' is"),
        (stored(entry(data_offsets=[0])), "does not say what 'matrix' is"),
        (stored(entry(data_offsets=[0, 1, 2])), "does not say what 'matrix' is"),
        (stored(entry(dtype=None)), "does not say what 'matrix' is"),
        (stored(entry(data_offsets=[0, 49])), "lies outside the file"),
        (stored(entry(data_offsets=[48, 0])), "lies outside the file"),
        (stored(entry(shape=[4, 4])), "is not as large as its shape"),
        (stored(entry(shape=[10**30, 10**30])), r"shape\[0\] is a number of 31 digits"),
        (stored(entry(dtype="F8_E4M3")), "has the type F8_E4M3, which is not read"),
        (stored(b'{"matrix": 1, "matrix": 2}'), "is damaged"),
        (
            stored(
                {**entry(), "bias": {"dtype": "F32", "shape": [4], "data_offsets": [32, 48]}},
                b"\0\0\x80?" * 12,
            ),
            "'matrix' and 'bias' overlap",
        ),
        (stored(entry()), "has 4 rows of zeros"),
    ],
)
def test_headers_of_safetensors(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(content)
    with pytest.raises(BasisFileError, match=said):
        Basis.from_file(path)


@pytest.mark.parametrize("name", ["names", "activation"])
def test_texts_of_characters_that_there_are_not(tmp_path: Path, name: str) -> None:
    text = np.full(4 if name == "names" else 1, 0x110000, "<u4").view("<U1")
    arrays: dict[str, Any] = {"matrix": MATRIX, name: text}
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(BasisFileError, match=f"'{name}' in .* holds a character that there is not"):
        Basis.from_file(tmp_path / "mine.npz")


def test_nobody_is_told_to_trust_a_long_header(tmp_path: Path) -> None:
    fields = ", ".join(f"('field{i}', '<f4')" for i in range(2000))
    header = f"{{'descr': [{fields}], 'fortran_order': False, 'shape': (1,)}}\n".encode()
    content = b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header
    (tmp_path / "mine.npy").write_bytes(content)
    with pytest.raises(BasisFileError, match=r"header of .* it is longer than 10,000 characters") as caught:
        Basis.from_file(tmp_path / "mine.npy")
    assert "pickle" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is told by /proc")
def test_a_lack_of_memory_is_no_damage(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.ones((8192, 8192), np.float32))
    script = """
import resource, sys
from pathlib import Path
from onnxdissect.model.bases.basis import Basis
from onnxdissect.errors import OutOfMemoryError
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**26, held + 2**26))
try:
    Basis.from_file(Path(sys.argv[1]))
except OutOfMemoryError:
    print("told")
"""
    command = [sys.executable, "-c", script, str(tmp_path / "large.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "told\n", done.stderr
