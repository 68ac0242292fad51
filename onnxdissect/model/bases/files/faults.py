"""What can be wrong with a file of arrays, whatever its format."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

from onnxdissect.errors import BasisFileError
from onnxdissect.model.bases.limits import MOST_NUMBERS

__all__ = ["DAMAGE", "check_numbers", "pickle_error"]

DAMAGE = (
    *(OSError, ValueError, EOFError, KeyError, IndexError, TypeError, RuntimeError, NotImplementedError),
    *(OverflowError, RecursionError, SyntaxError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What libraries raise over bytes that are not what they should be."""

_MOST_TEXT_BYTES = 2**26


def check_numbers(path: Path, name: str, shape: tuple[int, ...], itemsize: int, *, text: bool) -> None:
    """Refuse an array that is too large, before it is read.

    Parameters
    ----------
    path : Path
        Of the file.
    name : str
        Of the array.
    shape : tuple of int
        Its shape.
    itemsize : int
        Bytes of an element.
    text : bool
        Whether it holds text.

    Raises
    ------
    BasisFileError
        If so.
    """
    numbers = math.prod(shape)
    if text:
        if numbers * itemsize > _MOST_TEXT_BYTES:
            raise BasisFileError(
                f"{name!r} in {path} holds {numbers * itemsize} bytes of text, where at most "
                f"{_MOST_TEXT_BYTES} are read"
            )
    elif numbers > MOST_NUMBERS:
        raise BasisFileError(
            f"{name!r} in {path} has the shape {list(shape)}, {numbers} numbers, where at most "
            f"{MOST_NUMBERS} are read",
            hint="give the rows in several files, each a part of them",
        )


def pickle_error(path: Path) -> BasisFileError:
    """Say why a pickle is not opened, and how to save its numbers otherwise.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    BasisFileError
    """
    if path.suffix.lower() in (".pt", ".pth", ".bin", ".ckpt"):
        load = f"torch.load({str(path)!r}, weights_only=True, map_location='cpu')"
        hint = f"w = {load}; then numpy.savez('basis.npz', matrix=w['...'].float().numpy())"
    else:
        hint = "if you trust it, load it yourself, then numpy.savez('basis.npz', matrix=...)"
    return BasisFileError(
        f"{path} is a pickle, or holds one: reading it could run any program, so it is not read", hint=hint
    )
