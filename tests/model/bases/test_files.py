"""Matrices in files: what is read from each format, and what is said of files that cannot be used."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxdissect.errors import BasisFileError
from onnxdissect.model.bases.basis import Basis

MATRIX = np.arange(1, 13, dtype=np.float32).reshape(4, 3) / 8
BIAS = np.array([1, -2, 0.5, 0], np.float32)


def save_safetensors(
    path: Path, arrays: dict[str, NDArray[Any]], texts: dict[str, str] | None = None
) -> Path:
    """The format as its description has it, with types by NumPy's names."""
    kinds = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "u1": "U8", "b1": "BOOL"}
    header: dict[str, Any] = {} if texts is None else {"__metadata__": texts}
    content = b""
    for name, array in arrays.items():
        begin = len(content)
        content += np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": kinds[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [begin, len(content)],
        }
    written = json.dumps(header).encode()
    path.write_bytes(len(written).to_bytes(8, "little") + written + content)
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def as_npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", "<f2", "<i4", "|u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_array(tmp_path: Path, dtype: str, order: Any) -> None:
    matrix = np.asarray(MATRIX * 8, dtype, order=order)
    np.save(tmp_path / "mine.npy", matrix)
    basis = Basis.from_file(tmp_path / "mine.npy")
    np.testing.assert_array_equal(basis.matrix, MATRIX * 8)
    assert basis.matrix.flags.c_contiguous and basis.bias is None and not basis.activation
    assert basis.record == {
        "kind": "file",
        "name": "mine",
        "file": "mine.npy",
        "file_sha256": sha256((tmp_path / "mine.npy").read_bytes()).hexdigest(),
        "shape": [4, 3],
        "sha256": Basis.of("other", MATRIX * 8).digest,
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_with_all_there_is(tmp_path: Path, save: Callable[..., None]) -> None:
    names = ["sky", "größe", "", "d"]
    save(tmp_path / "all.npz", matrix=MATRIX, bias=BIAS, activation="topk:2", names=names)
    basis = Basis.from_file(tmp_path / "all.npz")
    assert basis == Basis.of("all", MATRIX, BIAS, "topk:2", names)
    assert basis.row_names == tuple(names)
    save(tmp_path / "bare.npz", MATRIX)
    assert Basis.from_file(tmp_path / "bare.npz") == Basis.of("bare", MATRIX)
    save(
        tmp_path / "bytes.npz",
        matrix=MATRIX,
        activation=np.array([b" ReLU"]),
        names=np.array(list("abcd"), "S1"),
    )
    assert Basis.from_file(tmp_path / "bytes.npz") == Basis.of("bytes", MATRIX, None, "relu", "abcd")


def test_safetensors(tmp_path: Path) -> None:
    texts = {"activation": "relu", "names": json.dumps(list("abcd")), "format": "pt"}
    path = save_safetensors(tmp_path / "sae.safetensors", {"bias": BIAS, "matrix": MATRIX}, texts)
    assert Basis.from_file(path) == Basis.of("sae", MATRIX, BIAS, "relu", "abcd")
    for dtype in ("<f2", "<f8"):
        save_safetensors(path, {"matrix": MATRIX.astype(dtype)})
        assert Basis.from_file(path) == Basis.of("sae", MATRIX)


def test_safetensors_of_bfloat16(tmp_path: Path) -> None:
    halves = (np.array([[1.5, -2, 3e38], [0.0078125, 1, 0]], np.float32).view("<u4") >> 16).astype("<u2")
    header = {"matrix": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + halves.tobytes()
    basis = Basis.from_file(written(tmp_path / "sae.safetensors", content))
    np.testing.assert_allclose(basis.matrix, [[1.5, -2, 3e38], [0.0078125, 1, 0]], rtol=2**-7)
    assert basis.matrix[0, 0] == 1.5 and basis.matrix[1, 0] == 0.0078125


def test_the_format_is_told_by_the_content(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.txt", as_npy(MATRIX))
    assert Basis.from_file(str(path)) == Basis.of("mine", MATRIX)


ACTIVATIONS = np.random.default_rng(0).normal(size=(3, 7))
DECODER_BIAS = np.array([1, 2, -3.0])


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        # (units, new units), as most libraries of sparse autoencoders have it
        ({"W_enc": MATRIX.T, "b_enc": BIAS, "W_dec": MATRIX}, MATRIX @ ACTIVATIONS + BIAS[:, None]),
        ({"W_enc": MATRIX.T, "b_dec": np.zeros(3)}, MATRIX @ ACTIVATIONS),
        (
            {"W_enc": MATRIX.T, "b_enc": BIAS, "b_dec": DECODER_BIAS, "apply_b_dec_to_input": np.array(True)},
            MATRIX @ (ACTIVATIONS - DECODER_BIAS[:, None]) + BIAS[:, None],
        ),
        (
            {
                "W_enc": MATRIX.T,
                "b_enc": BIAS,
                "b_dec": DECODER_BIAS,
                "apply_b_dec_to_input": np.array("false"),
            },
            MATRIX @ ACTIVATIONS + BIAS[:, None],
        ),
        # a torch.nn.Linear
        ({"encoder.weight": MATRIX, "encoder.bias": BIAS}, MATRIX @ ACTIVATIONS + BIAS[:, None]),
        (
            {
                "encoder.weight": MATRIX,
                "latent_bias": BIAS,
                "pre_bias": DECODER_BIAS,
                "decoder.weight": MATRIX.T,
            },
            MATRIX @ (ACTIVATIONS - DECODER_BIAS[:, None]) + BIAS[:, None],
        ),
        (
            {"encoder.weight": MATRIX, "pre_bias": DECODER_BIAS},
            MATRIX @ (ACTIVATIONS - DECODER_BIAS[:, None]),
        ),
    ],
)
def test_sparse_autoencoders(tmp_path: Path, arrays: dict[str, NDArray[Any]], expected: NDArray[Any]) -> None:
    np.savez(tmp_path / "sae.npz", **arrays)  # type: ignore[arg-type]
    basis = Basis.from_file(tmp_path / "sae.npz")
    shift = 0 if basis.bias is None else basis.bias[:, np.newaxis]
    np.testing.assert_allclose(basis.matrix @ ACTIVATIONS + shift, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arrays", "said", "told"),
    [
        ({"matrx": MATRIX}, "holds 'matrx' and no 'matrix'", "call 'matrx' 'matrix'"),
        ({"a": MATRIX, "b": MATRIX}, "holds 'a', 'b' and no 'matrix'", "numpy.savez("),
        ({f"a{i}": MATRIX for i in range(20)}, "'a7' and 12 more and no", ""),
        ({"matrix": MATRIX, "W_enc": MATRIX.T}, "several could be the matrix", "candidates: matrix, W_enc"),
        (
            {"matrix": MATRIX, "bais": BIAS},
            "holds 'bais', which is nothing that a basis has",
            "candidates: bias",
        ),
        ({"matrix": MATRIX, "bias": BIAS, "b_enc": BIAS}, "several could be the bias", "as 'bias'"),
        ({"matrix": MATRIX, "threshold": BIAS}, "its activation is a JumpReLU", "activation='relu'"),
        ({"matrix": MATRIX[0]}, r"has the shape \[3\], where \[new units, units\] is read", ""),
        ({"W_enc": MATRIX[0]}, r"has the shape \[3\], where \[units, new units\] is read", ""),
        ({"matrix": MATRIX[:0]}, r"has the shape \[0, 3\]", ""),
        (
            {"matrix": MATRIX, "bias": BIAS[:3]},
            "'bias' in .* has 3 numbers for a matrix of 4 new units",
            "W_enc",
        ),
        (
            {"matrix": MATRIX, "bias": MATRIX},
            r"'bias' in .* has the shape \[4, 3\], where one number per",
            "",
        ),
        ({"matrix": MATRIX, "pre_bias": BIAS}, "has 4 numbers for a matrix of 3 units", "W_enc"),
        ({"matrix": MATRIX, "activation": np.array(3)}, "'activation' in .* holds int64, where text", ""),
        ({"matrix": MATRIX, "activation": ["relu", "relu"]}, "holds 2 texts, where one is read", ""),
        ({"matrix": MATRIX, "activation": "gelu"}, "cannot be used: .* has the activation 'gelu'", "topk:k"),
        ({"matrix": MATRIX, "activation": "topk:5"}, "'topk:5' and 4 rows", "k is 1 to 4"),
        ({"matrix": MATRIX, "names": [["a"]]}, r"has the shape \[1, 1\], where a list is read", ""),
        ({"matrix": MATRIX, "names": ["a"]}, "has 4 rows and names for 1", ""),
        (
            {"matrix": MATRIX, "names": np.array(["a", "b", "\udc80", "d"])},
            r"row 2 of the basis 'mine' is called '\\udc80', which UTF-8 cannot write",
            "another name",
        ),
        ({"matrix": np.array([["a", "b"]])}, "holds <U1, no real numbers", ""),
        ({"matrix": MATRIX.astype(complex)}, "holds complex128, no real numbers", ""),
        ({"matrix": np.full((2, 2), np.nan)}, "not finite in float32, as in row 0", ""),
        ({"matrix": np.diag([1.0, 0])}, "has 1 row of zeros, the first is row 1", "leave these rows out"),
        ({"matrix": np.ones((65_537, 1), np.uint8)}, "has 65537 rows, where at most 65536", "several files"),
        ({"W_enc": np.ones((1, 65_537), np.uint8)}, "has 65537 rows, where at most 65536", "several files"),
        (
            {"W_enc": MATRIX.T, "b_enc": BIAS, "b_dec": DECODER_BIAS},
            "holds 'b_dec' and does not say whether it is taken off",
            "matrix=W_enc.T",
        ),
    ],
)
def test_archives_that_are_no_basis(tmp_path: Path, arrays: dict[str, Any], said: str, told: str) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(BasisFileError, match=said) as caught:
        Basis.from_file(tmp_path / "mine.npz")
    assert told in str(caught.value)
    assert str(tmp_path / "mine.npz") in caught.value.message


class Dangerous:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["MADE_BY_A_PICKLE"],)


def test_pickles_are_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADE_BY_A_PICKLE", str(tmp_path / "made"))
    objects = np.empty((1, 1), object)
    objects[0, 0] = Dangerous()
    files = {f"{protocol}.pkl": pickle.dumps(Dangerous(), protocol) for protocol in range(6)}
    files |= {f"{protocol}.npz": pickle.dumps(Dangerous(), protocol) for protocol in range(2, 6)}
    files |= {"old.pt": pickle.dumps(Dangerous(), 2), "objects.npy": as_npy(objects)}
    for name, content in files.items():
        written(tmp_path / name, content)
    np.savez(tmp_path / "objects.npz", matrix=objects)
    np.savez(tmp_path / "names.npz", matrix=MATRIX, names=np.array(["a", "b", "c", "d"], object))
    with zipfile.ZipFile(tmp_path / "new.pt", "w") as archive:
        archive.writestr("new/data.pkl", pickle.dumps(Dangerous()))
        archive.writestr("new/data/0", b"0000")
    for name in (*files, "objects.npz", "names.npz", "new.pt"):
        with pytest.raises(BasisFileError, match="is a pickle, or holds one: reading it could run") as caught:
            Basis.from_file(tmp_path / name)
        assert "numpy.savez('basis.npz', matrix=" in str(caught.value.hint)
        assert ("weights_only=True" in str(caught.value.hint)) == name.endswith(".pt")
    assert not (tmp_path / "made").exists()
    pickle.loads(files["3.pkl"])
    assert (tmp_path / "made").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    np.save(tmp_path / "dictionary.npy", MATRIX)
    with pytest.raises(
        BasisFileError, match=r"no basis can be read from .*: No such file or directory"
    ) as caught:
        Basis.from_file(tmp_path / "dictionry.npy")
    assert caught.value.candidates == (str(tmp_path / "dictionary.npy"),)
    with pytest.raises(BasisFileError, match="is not read: it is a folder"):
        Basis.from_file(tmp_path)
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(BasisFileError, match="is not read: it is a named pipe"):
        Basis.from_file(tmp_path / "pipe.npy")
    for name, content in {"empty.npy": b"", "text.npz": b"hello", "hdf.npz": b"\x89HDF\r\n\x1a\n"}.items():
        with pytest.raises(BasisFileError, match=r"is neither a \.npy nor a \.npz nor a \.safetensors file"):
            Basis.from_file(written(tmp_path / name, content))
    with (tmp_path / "huge.npy").open("wb") as file:
        file.truncate(2**34 + 1)
    with pytest.raises(BasisFileError, match="where a file of at most 17179869184 is read"):
        Basis.from_file(tmp_path / "huge.npy")


def test_sizes_are_looked_at_before_anything_is_read(tmp_path: Path) -> None:
    # files with holes: they claim gigabytes, and have them, but take no room on the disk
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (40_000, 40_000)}
    )
    with (tmp_path / "large.npy").open("wb") as file:
        file.write(header.getvalue())
        file.truncate(len(header.getvalue()) + 4 * 40_000**2)
    with pytest.raises(BasisFileError, match="1600000000 numbers, where at most 268435456 are read"):
        Basis.from_file(tmp_path / "large.npy")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("matrix.npy", as_npy(MATRIX))
        with archive.open("names.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "<U1000000", "fortran_order": False, "shape": (20,)}
            )
            for _ in range(80):
                member.write(bytes(10**6))
    with pytest.raises(BasisFileError, match="holds 80000000 bytes of text, where at most"):
        Basis.from_file(tmp_path / "bomb.npz")
