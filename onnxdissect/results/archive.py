"""Reading the archives of a run: all that is wrong with one is said, and nothing else comes out."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError

__all__ = ["read_archive"]


def read_archive(path: Path, schema: Mapping[str, tuple[str, int]]) -> dict[str, NDArray[Any]]:
    """Read the arrays of an ``.npz`` archive.

    Parameters
    ----------
    path : Path
        The file.
    schema : mapping of str to (str, int)
        Dtype and number of axes of each array it must hold; others are passed over.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    RunFormatError
        If the file is missing or damaged, or an array is of another kind.
    """
    try:
        # numpy leaves a file of its own open when it turns out to be no archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if isinstance(archive, np.ndarray):
                raise ValueError("not an archive of arrays")
            missing = [name for name in schema if name not in archive.files]
            if missing:
                raise ValueError(f"it lacks {', '.join(missing)}")
            arrays = {name: archive[name] for name in schema}
        for name, (dtype, axes) in schema.items():
            if arrays[name].dtype != np.dtype(dtype) or arrays[name].ndim != axes:
                raise ValueError(
                    f"{name} is {arrays[name].dtype} of shape {arrays[name].shape}, "
                    f"not {dtype} with {axes} axes"
                )
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing", hint="dissect again with --fresh") from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint="dissect again with --fresh") from error
    return arrays
