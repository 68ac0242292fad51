"""Reading the archives of a run: all that is wrong with one is said, and nothing else comes out."""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError

__all__ = ["read_archive", "reading_rows"]

Shapes = dict[str, tuple[int, ...]]
ReadRows = Callable[[str, int], NDArray[Any]]


def read_archive(
    path: Path, schema: Mapping[str, tuple[str, int]], *, optional: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an ``.npz`` archive.

    Parameters
    ----------
    path : Path
        The file.
    schema : mapping of str to (str, int)
        Dtype and number of axes of each array it must hold; others are passed over.
    optional : collection of str
        Those of them that it may lack.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    RunFormatError
        If the file is missing or damaged, or an array is of another kind.
    """
    # numpy leaves a file of its own open when it turns out to be no archive
    with _faults(path), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if isinstance(archive, np.ndarray):
            raise ValueError("not an archive of arrays")
        _all_there((name for name in schema if name not in optional), archive.files)
        arrays = {name: archive[name] for name in schema if name in archive.files}
        for name, array in arrays.items():
            _check_kind(name, array.dtype, array.shape, schema[name])
    return arrays


@contextlib.contextmanager
def reading_rows(path: Path, schema: Mapping[str, tuple[str, int]]) -> Iterator[tuple[Shapes, ReadRows]]:
    """Open the arrays of an ``.npz`` archive that are too large to be read at once.

    Parameters
    ----------
    path : Path
        The file.
    schema : mapping of str to (str, int)
        As for `read_archive`.

    Yields
    ------
    shapes : dict of str to tuple of int
        Of each array.
    read : callable
        Given the name of an array and a number of rows, gives the next rows of it, an ndarray.

    Raises
    ------
    RunFormatError
        As `read_archive`, also when rows are read.
    """
    with _faults(path), contextlib.ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        _all_there(schema, [name.removesuffix(".npy") for name in archive.namelist()])
        members = {
            name: cast(io.BufferedIOBase, stack.enter_context(archive.open(f"{name}.npy"))) for name in schema
        }
        kinds: dict[str, np.dtype[Any]] = {}
        shapes: Shapes = {}
        for name, member in members.items():
            if np.lib.format.read_magic(member) != (1, 0):
                raise ValueError(f"{name} is of another version")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
            _check_kind(name, dtype, shape, schema[name])
            if fortran:
                raise ValueError(f"{name} is in Fortran order")
            kinds[name], shapes[name] = dtype, shape

        def read(name: str, rows: int) -> NDArray[Any]:
            array = np.empty((rows, *shapes[name][1:]), kinds[name])
            content = memoryview(array.reshape(-1).view(np.uint8).data)
            while content:
                got = members[name].readinto(content)
                if not got:
                    raise EOFError(f"{name} is cut short")
                content = content[got:]
            return array

        yield shapes, read


@contextlib.contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing", hint="dissect again with --fresh") from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint="dissect again with --fresh") from error


def _all_there(schema: Iterable[str], names: Container[str]) -> None:
    missing = [name for name in schema if name not in names]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")


def _check_kind(name: str, dtype: np.dtype[Any], shape: tuple[int, ...], asked: tuple[str, int]) -> None:
    if dtype != np.dtype(asked[0]) or len(shape) != asked[1]:
        raise ValueError(f"{name} is {dtype} of shape {shape}, not {asked[0]} with {asked[1]} axes")
