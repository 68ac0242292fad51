"""The part of a spool that is on disk: files of chunks, made smaller as bounds rise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from onnxdissect.core.sparse_maps import PackedAnnotations, SparseMaps
from onnxdissect.core.spool.chunk import Chunk
from onnxdissect.core.spool.pages import PagePool
from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.storage.blocks import read_block, skip_block, write_block
from onnxdissect.storage.files import replacing
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["SpoolFiles"]

# So many chunks of a file are filtered to see whether it is worth to write all of it anew: only if less than
# this share of their bytes is left.
_TRIED = 4
_WORTHWHILE = 0.75


class SpoolFiles:
    """Files of chunks in a folder, in no particular order. One thread at a time may use them.

    A file is never changed once it is written. One that is replaced by a smaller one stays as long as a
    saved state may name it.

    A pickle of this object holds the paths of the files, not what is in them: whoever unpickles it has to see
    the same folder. Files that a pickle names are not removed by any copy, as the pickle may be read again;
    they go with the folder. Only one copy at a time may write; it never writes over a file that is there.

    Parameters
    ----------
    folder : Path
        Where they are. Must exist.

    Attributes
    ----------
    pages : PagePool
        What chunks are read into.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.pages = PagePool()
        self._files: list[Path] = []
        self._next = 0
        self._named: set[Path] = set()
        self._replaced: list[Path] = []
        self._pickled: set[Path] = set()

    def __getstate__(self) -> tuple[Path, list[Path]]:
        self._pickled.update(self._files)
        return self._folder.absolute(), [path.absolute() for path in self._files]

    def __setstate__(self, state: tuple[Path, list[Path]]) -> None:
        folder, files = state
        self.__init__(folder)  # type: ignore[misc]
        self._files, self._pickled = list(files), set(files)
        self._next = max((_number(path) for path in folder.glob("spool-*.bin")), default=-1) + 1

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks, file by file."""
        for path in self._files:
            yield from self._chunks(path)

    def places(self) -> dict[int, tuple[Path, int]]:
        """Find all chunks, without reading their arrays.

        Returns
        -------
        dict of int to (Path, int)
            File and position of each chunk, for `read`, by the number of its first image.
        """
        return {start: (path, at) for path in self._files for start, at in _places(path)}

    def read(self, path: Path, at: int) -> Chunk:
        """Read one chunk.

        Parameters
        ----------
        path : Path
        at : int
            As `places` gave them.

        Returns
        -------
        Chunk
        """
        with _opened(path) as file:
            file.seek(at)
            chunk = _read(file, path, self.pages)
        if chunk is None:
            raise OutputError(f"{path}, a part of the spool, has been cut short")
        return chunk

    def write(self, chunks: Iterable[Chunk]) -> None:
        """Write one more file.

        Parameters
        ----------
        chunks : iterable of Chunk

        Raises
        ------
        OutputError
            If the disk does not take it.
        """
        self._files.append(self._written(chunks))

    def refilter(self, refiltered: Callable[[Chunk], Chunk]) -> None:
        """Write the file that has waited longest anew, if that makes it much smaller.

        Called once for each file that is written, this keeps all of them together within a small multiple of
        what the bounds ask for, at about twice the writing.

        Parameters
        ----------
        refiltered : callable
            Gives a chunk without what the bounds no longer ask for; may overwrite it.

        Raises
        ------
        OutputError
            If the disk does not take it.
        """
        if not self._files:
            return
        # The first has waited longest; new ones and those that had their turn go to the end.
        old = self._files.pop(0)
        self._files.append(old)
        before = after = 0
        for chunk in islice(self._chunks(old), _TRIED):
            before += chunk.nbytes
            after += refiltered(chunk).nbytes
        if after > _WORTHWHILE * before:
            return
        self._files[-1] = self._written(map(refiltered, self._chunks(old)))
        if old in self._named:
            self._replaced.append(old)
        elif old not in self._pickled:
            old.unlink()

    def names(self) -> list[tuple[int, int]]:
        """Give the number and the size in bytes of each file, for `restore`."""
        return [(_number(path), path.stat().st_size) for path in self._files]

    def named(self) -> None:
        """Be told that a state has been saved that names these files, and no other state will be used."""
        for path in self._replaced:
            if path not in self._pickled:
                path.unlink()
        self._replaced = []
        self._named = set(self._files)

    def restore(self, names: Sequence[tuple[int, int]], possible: Callable[[Chunk], bool]) -> bool:
        """Take up the files that a saved state names, and remove all others.

        Parameters
        ----------
        names : sequence of (int, int)
            As `names` gave them.
        possible : callable
            Whether a chunk can be one of this pass. A checksum tells what has been damaged, not what
            somebody has written on purpose.

        Returns
        -------
        bool
            Whether all of them are there, whole and possible: they are read once, as a damaged one would
            otherwise be found only in the middle of the run.
        """
        files = [self._path(number) for number, _ in names]
        sizes = [path.stat().st_size if path.exists() else -1 for path in files]
        if sizes != [size for _, size in names]:
            return False
        if not all(self._sound(path, possible) for path in files):
            return False
        for path in self._folder.glob("spool-*"):
            if path not in files:
                path.unlink()
        self._files = files
        self._named = set(files)
        self._next = max((number for number, _ in names), default=-1) + 1
        return True

    def _chunks(self, path: Path) -> Iterator[Chunk]:
        with _opened(path) as file:
            while (chunk := _read(file, path, self.pages)) is not None:
                yield chunk

    def _sound(self, path: Path, possible: Callable[[Chunk], bool]) -> bool:
        try:
            return all(map(possible, self._chunks(path)))
        # Beside damage: a line that somebody wrote, with a right checksum, may lack what a chunk has.
        except (OutputError, RunFormatError, KeyError, TypeError, ValueError):
            return False

    def _path(self, number: int) -> Path:
        return self._folder / f"spool-{number:06d}.bin"

    def _written(self, chunks: Iterable[Chunk]) -> Path:
        path = self._path(self._next)
        with replacing(path) as file:
            for chunk in chunks:
                _write(file, chunk)
        self._next += 1
        return path


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("spool-"))


_ANNOTATIONS = {
    "run_labels": ArraySpec("uint16", "r"),
    "run_lengths": ArraySpec("uint32", "r"),
    "plane_starts": ArraySpec("int64", "I"),
    "grid_of": ArraySpec("int64", "n"),
    "image_labels": ArraySpec("int64", "."),
    "image_label_starts": ArraySpec("int64", "I"),
    "has_category": ArraySpec("bool", "nG"),
}
_SPARSE_MAPS = {
    "image_starts": ArraySpec("int64", "I"),
    "units": ArraySpec("int32", "."),
    "starts": ArraySpec("int64", "."),
    "cells": ArraySpec("uint16|uint32", "."),
    "values": ArraySpec("float32", "."),
}


@lru_cache
def _schema(layers: int) -> Schema:
    """Give the schema of a chunk of so many layers."""
    maps = {f"{i}.{name}": spec for i in range(layers) for name, spec in _SPARSE_MAPS.items()}
    return Schema(_ANNOTATIONS | maps)


def _write(file: BinaryIO, chunk: Chunk) -> None:
    """Write a chunk as one block."""
    arrays = {name: getattr(chunk.annotations, name) for name in _ANNOTATIONS}
    for i, layer in enumerate(chunk.layers):
        arrays |= {f"{i}.{name}": getattr(layer, name) for name in _SPARSE_MAPS}
    facts = {"start": chunk.start, "maps": [layer.shape for layer in chunk.layers]}
    write_block(file, _schema(len(chunk.layers)), arrays, facts)


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise OutputError(
            f"{path}, a part of the spool, cannot be read: {error.strerror or error}",
            hint="a state that has spilled to disk can only go where its folder can be seen",
        ) from error


def _places(path: Path) -> Iterator[tuple[int, int]]:
    """First image and position of each chunk of a file."""
    at = 0
    with _opened(path) as file:
        while (facts := skip_block(file, path)) is not None:
            yield facts["start"], at
            at = file.tell()


def _read(file: BufferedReader, path: Path, pages: PagePool) -> Chunk | None:
    found = read_block(file, path, lambda facts: _schema(len(facts["maps"])), pages)
    if found is None:
        return None
    facts, arrays = found
    annotations = PackedAnnotations(**{name: arrays[name] for name in _ANNOTATIONS})
    layers = tuple(
        SparseMaps(shape=(h, w), **{name: arrays[f"{i}.{name}"] for name in _SPARSE_MAPS})
        for i, (h, w) in enumerate(facts["maps"])
    )
    return Chunk(facts["start"], annotations, layers)
