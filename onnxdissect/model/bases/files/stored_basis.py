"""What the arrays of a file are called, and what they mean for a basis."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import BasisFileError, nearest
from onnxdissect.model.bases.files.tensor_file import TensorFile, opened_tensors
from onnxdissect.model.bases.limits import MOST_ROWS

__all__ = ["StoredBasis", "read_stored_basis"]

# Our own names first, then those of published sparse autoencoders; True where the file has (units, rows).
_MATRICES = {"matrix": False, "encoder.weight": False, "W_enc": True, "arr_0": False}
_BIASES = ("bias", "encoder.bias", "b_enc", "latent_bias")
_PRE_BIAS = "pre_bias"
_DECODER_BIAS = "b_dec"
_SUBTRACTED = "apply_b_dec_to_input"
_ACTIVATION, _NAMES = "activation", "names"
_DECODERS = ("W_dec", "decoder.weight", "decoder.bias")
_THRESHOLDS = ("threshold", "log_threshold")
_KNOWN = (
    *_MATRICES,
    *_BIASES,
    *(_PRE_BIAS, _DECODER_BIAS, _SUBTRACTED, _ACTIVATION, _NAMES),
    *_DECODERS,
)


@dataclass(frozen=True, slots=True, eq=False)
class StoredBasis:
    """What a file says of a basis.

    Attributes
    ----------
    matrix : ndarray, shape (rows, units)
    bias : ndarray of float64, shape (rows,), or None
    activation : str
        "" for none.
    row_names : tuple of str
        Empty for none.
    sha256 : str
        Of the file.
    """

    matrix: NDArray[Any]
    bias: NDArray[np.float64] | None
    activation: str
    row_names: tuple[str, ...]
    sha256: str


def read_stored_basis(path: Path) -> StoredBasis:
    """Read a basis from a file.

    Parameters
    ----------
    path : Path
        A ``.npy``, ``.npz`` or ``.safetensors`` file.

    Returns
    -------
    StoredBasis
        Shapes and types of the numbers are checked, the numbers themselves are not.

    Raises
    ------
    BasisFileError
        If there is no such file, or it cannot be used.
    """
    with opened_tensors(path) as (file, sha256):
        key = _matrix_key(path, file)
        _check_keys(path, file)
        matrix = _numbers(path, file, key, ndim=2)
        if _MATRICES[key]:
            matrix = matrix.T
        bias = _bias(path, file, key, matrix)
        activation, row_names = _activation(path, file), _row_names(path, file)
        return StoredBasis(matrix, bias, activation, row_names, sha256())


def _matrix_key(path: Path, file: TensorFile) -> str:
    found = [key for key in _MATRICES if key in file.shapes]
    if len(found) == 1 and (found[0] != "arr_0" or len(file.shapes) == 1):
        return found[0]
    holds = f"{path} holds {_listed(file.shapes)}"
    if len(found) > 1:
        raise BasisFileError(
            f"{holds}: several could be the matrix", candidates=found, hint="save the one that is meant alone"
        )
    wanted = "'matrix' (new units, units), or 'W_enc' (units, new units) of a sparse autoencoder"
    near = [name for name in file.shapes if len(name) > 2 and nearest(name, _MATRICES)]
    called = f"call {near[0]!r} 'matrix'" if near else "numpy.savez('basis.npz', matrix=...) writes one"
    raise BasisFileError(f"{holds} and no {wanted}", candidates=list(_MATRICES)[:-1], hint=called)


def _check_keys(path: Path, file: TensorFile) -> None:
    """Refuse arrays that may mean something: a bias of another name must not be left out in silence."""
    for name in file.shapes:
        if name in _THRESHOLDS:
            raise BasisFileError(
                f"{path} holds {name!r}: its activation is a JumpReLU, where a basis takes relu or topk:k",
                hint="save matrix, bias and activation='relu' without it, if that is close enough",
            )
        if name not in _KNOWN:
            raise BasisFileError(
                f"{path} holds {name!r}, which is nothing that a basis has",
                candidates=nearest(name, _KNOWN) or _KNOWN,
                hint=f"rename it, or leave it out: the file holds {_listed(file.shapes)}",
            )


def _numbers(path: Path, file: TensorFile, name: str, ndim: int) -> NDArray[Any]:
    shape = file.shapes[name]
    wanted = "[new units, units]" if ndim == 2 else "one number per new unit"
    if name == "W_enc":
        wanted = "[units, new units]"
    if len(shape) != ndim or 0 in shape:
        raise BasisFileError(f"{name!r} in {path} has the shape {list(shape)}, where {wanted} is read")
    rows = shape[int(_MATRICES.get(name, False))]
    if ndim == 2 and rows > MOST_ROWS:
        raise BasisFileError(
            f"{name!r} in {path} has {rows} rows, where at most {MOST_ROWS} are read",
            hint="give the rows in several files, each a part of them",
        )
    array = file.read(name)
    if array.dtype.kind not in "biuf":
        raise BasisFileError(f"{name!r} in {path} holds {array.dtype}, no real numbers")
    return array


def _bias(path: Path, file: TensorFile, key: str, matrix: NDArray[Any]) -> NDArray[np.float64] | None:
    names = [name for name in _BIASES if name in file.shapes]
    if len(names) > 1:
        raise BasisFileError(
            f"{path} holds {_listed(names)}: several could be the bias",
            hint="save the one that is meant as 'bias'",
        )
    found: NDArray[np.float64] | None = None
    if names:
        found = _vector(path, file, names[0], len(matrix), "new units")
    for name in (_PRE_BIAS, _DECODER_BIAS):
        if name not in file.shapes:
            continue
        taken_off = _vector(path, file, name, matrix.shape[1], "units")
        if name == _DECODER_BIAS and not _is_subtracted(path, file, key, taken_off):
            continue
        # f(W (a - b) + c) = f(W a + (c - W b))
        shift = np.array([row.astype(np.float64) @ taken_off for row in matrix])
        found = -shift if found is None else found - shift
    return found


def _vector(path: Path, file: TensorFile, name: str, length: int, per: str) -> NDArray[np.float64]:
    vector = _numbers(path, file, name, ndim=1).astype(np.float64)
    if len(vector) != length:
        raise BasisFileError(
            f"{name!r} in {path} has {len(vector)} numbers for a matrix of {length} {per}",
            hint="a matrix called 'matrix' is (new units, units), 'W_enc' is (units, new units)",
        )
    return vector


def _is_subtracted(path: Path, file: TensorFile, key: str, bias: NDArray[np.float64]) -> bool:
    """Whether the encoder takes the decoder's bias off what it is given; some do, and files rarely say."""
    said = file.texts.get(_SUBTRACTED)
    if _SUBTRACTED in file.shapes:
        said = str(file.read(_SUBTRACTED).reshape(-1).tolist()[:1]).strip("[]'")
    if said is not None and said.strip().lower() in ("true", "1", "false", "0"):
        return said.strip().lower() in ("true", "1")
    if not bias.any():
        return False
    turned = f"{key}.T" if _MATRICES[key] else key
    raise BasisFileError(
        f"{path} holds {_DECODER_BIAS!r} and does not say whether it is taken off the activations first",
        candidates=[f"{_SUBTRACTED}=True", f"{_SUBTRACTED}=False"],
        hint=f"save {_SUBTRACTED!r} beside it, or matrix={turned} and the bias that belongs to it alone",
    )


def _activation(path: Path, file: TensorFile) -> str:
    if _ACTIVATION not in file.shapes:
        return file.texts.get(_ACTIVATION, "").strip().lower()
    found = _texts(path, file, _ACTIVATION)
    if len(found) != 1:
        raise BasisFileError(f"{_ACTIVATION!r} in {path} holds {len(found)} texts, where one is read")
    return found[0].strip().lower()


def _row_names(path: Path, file: TensorFile) -> tuple[str, ...]:
    if _NAMES in file.shapes:
        return tuple(_texts(path, file, _NAMES))
    said = file.texts.get(_NAMES)
    if said is None:
        return ()
    names = json.loads(said)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BasisFileError(f"the metadata {_NAMES!r} of {path} are no JSON list of texts")
    return tuple(names)


def _texts(path: Path, file: TensorFile, name: str) -> list[str]:
    array = file.read(name)
    if array.dtype.kind not in "US":
        raise BasisFileError(f"{name!r} in {path} holds {array.dtype}, where text is read")
    if array.ndim > 1:
        raise BasisFileError(f"{name!r} in {path} has the shape {list(array.shape)}, where a list is read")
    try:
        found = array.reshape(-1).tolist()
    except (SystemError, ValueError) as error:  # NumPy makes texts of any 32 bits
        raise BasisFileError(f"{name!r} in {path} holds a character that there is not: {error}") from error
    return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in found]


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name) for name in names]
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return (", ".join(shown[:8]) or "no array") + more
