"""Counts by image: ``evidence.npz`` of a layer and ``truth.npz`` of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import Null, PerImageCounts, PerImageCountsPart, TruthCounts, spans
from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.results.formats.arrays import Sizes
from onnxdissect.storage.archives import read_archive, reading_rows
from onnxdissect.storage.files import PARTIAL_SUFFIX, write_npz

__all__ = [
    "EVIDENCE",
    "NULL",
    "TRUTH",
    "Null",
    "PerImageCounts",
    "PerImageCountsPart",
    "TruthCounts",
    "read_null",
    "read_per_image_counts",
    "read_per_image_parts",
    "read_truth",
    "write_null",
    "write_per_image_counts",
    "write_truth",
]

EVIDENCE = "evidence.npz"
NULL = "null.npz"
TRUTH = "truth.npz"

# Masks in memory at a time, some 50 bytes each.
_PART_MASKS = 2_000_000
_BY_MASK = ("image", "activation", "intersection", "overlap")

# The name that the file has had from the first.
_TOP_CONCEPTS = "contenders"
_SCHEMA = {
    _TOP_CONCEPTS: ("int64", 3),
    "starts": ("int64", 1),
    "image": ("int32", 1),
    "activation": ("int32", 1),
    "intersection": ("int32", 2),
    "overlap": ("uint8", 2),
}
_TRUTH_SCHEMA = {
    "starts": ("int64", 1),
    "concept": ("int32", 1),
    "pixels": ("int32", 1),
    "categories": ("bool", 2),
    "groups": ("int64", 1),
}

_NULL_SCHEMA = {"best": ("float64", 3), "surprise": ("float64", 3)}


def write_per_image_counts(
    folder: Path, starts: NDArray[np.int64], parts: Iterable[PerImageCountsPart]
) -> None:
    """Write ``evidence.npz``; equal counts give equal bytes, however they are cut into parts.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    starts : ndarray of int64, shape (Q*K + 1,)
        Of the whole layer, as in `PerImageCounts`.
    parts : iterable of PerImageCountsPart
        All of it, in order; only one at a time is held.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    path = folder / EVIDENCE
    top_concepts: list[list[NDArray[np.int64]]] = []
    with contextlib.ExitStack() as stack:
        columns: dict[str, tuple[Path, BinaryIO]] = {}
        try:
            for part in parts:
                rows = {name: getattr(part.per_image, name) for name in _BY_MASK}
                if not columns:
                    columns = {
                        name: stack.enter_context(_column(path, name, int(starts[-1]), array))
                        for name, array in rows.items()
                    }
                for name, array in rows.items():
                    columns[name][1].write(np.ascontiguousarray(array).data)
                if part.quantile == len(top_concepts):
                    top_concepts.append([])
                top_concepts[part.quantile].append(part.per_image.top_concepts[0])
            for _, file in columns.values():
                file.close()
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        chosen = np.stack([np.concatenate(units) for units in top_concepts])
        whole = {_TOP_CONCEPTS: chosen, "starts": starts}
        write_npz(path, whole | {name: held for name, (held, _) in columns.items()})


@contextlib.contextmanager
def _column(path: Path, name: str, rows: int, like: NDArray[Any]) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a file of an array that grows row by row, and remove it in the end."""
    held = path.with_name(f"{path.name}.{name}{PARTIAL_SUFFIX}")
    try:
        with held.open("wb") as file:
            header = np.lib.format.header_data_from_array_1_0(like[:0])
            np.lib.format.write_array_header_1_0(file, header | {"shape": (rows, *like.shape[1:])})
            yield held, file
    finally:
        with contextlib.suppress(OSError):
            held.unlink()


def write_truth(folder: Path, truth: TruthCounts) -> None:
    """Write ``truth.npz``; equal counts give equal bytes.

    Parameters
    ----------
    folder : Path
        The run directory.
    truth : TruthCounts

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    arrays = {field.name: getattr(truth, field.name) for field in fields(truth)}
    write_npz(folder / TRUTH, {name: array for name, array in arrays.items() if array is not None})


def read_per_image_counts(folder: Path, sizes: Sizes) -> PerImageCounts | None:
    """Read ``evidence.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.

    Returns
    -------
    PerImageCounts or None
        None if the run was made without.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / EVIDENCE
    if not path.exists():
        return None
    arrays = read_archive(path, _SCHEMA)
    found = PerImageCounts(top_concepts=arrays.pop(_TOP_CONCEPTS), **arrays)
    masks = found.image.size
    sound = (
        _fits(found.top_concepts, found.starts, masks, sizes)
        and found.activation.shape == (masks,)
        and found.intersection.shape == (masks, found.top_concepts.shape[2])
        and found.overlap.shape == (masks, (sizes.G + 7) // 8)
        and _within(found.image, sizes.images)
    )
    if not sound:
        raise _foreign(path)
    return found


def read_per_image_parts(
    folder: Path, sizes: Sizes, masks: int = _PART_MASKS
) -> Iterator[PerImageCountsPart] | None:
    """Read ``evidence.npz`` part by part, never all of it at once.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.
    masks : int
        Most masks of a part, unless a single unit has more.

    Returns
    -------
    iterator of EvidencePart, or None
        In the order of quantiles and units; None if the run was made without. Advancing it raises
        RunFormatError if the file is damaged, or does not belong to this run.
    """
    path = folder / EVIDENCE
    return _read_parts(path, sizes, masks) if path.exists() else None


def _read_parts(path: Path, sizes: Sizes, most: int) -> Iterator[PerImageCountsPart]:
    whole = read_archive(path, {name: _SCHEMA[name] for name in (_TOP_CONCEPTS, "starts")})
    top_concepts, starts = whole[_TOP_CONCEPTS], whole["starts"]
    schema = {name: _SCHEMA[name] for name in _BY_MASK}
    with reading_rows(path, schema) as (shapes, read):
        masks = shapes["image"][0]
        agree = (
            _fits(top_concepts, starts, masks, sizes)
            and shapes["activation"] == (masks,)
            and shapes["intersection"] == (masks, top_concepts.shape[2])
            and shapes["overlap"] == (masks, (sizes.G + 7) // 8)
        )
        if not agree:
            raise _foreign(path)
        for quantile, units in spans(starts, sizes.K, most):
            first = quantile * sizes.K + units.start
            rows = starts[first : first + units.stop - units.start + 1] - starts[first]
            held = {name: read(name, int(rows[-1])) for name in _BY_MASK}
            if not _within(held["image"], sizes.images):
                raise _foreign(path)
            chosen = top_concepts[quantile : quantile + 1, units]
            yield PerImageCountsPart(quantile, units, PerImageCounts(chosen, rows, **held))


def _fits(top_concepts: NDArray[np.int64], starts: NDArray[np.int64], masks: int, sizes: Sizes) -> bool:
    return (
        top_concepts.shape == (sizes.Q, sizes.K, min(top_concepts.shape[2], sizes.C))
        and starts.shape == (sizes.Q * sizes.K + 1,)
        and _climbs(starts, masks)
        and _within(top_concepts + 1, sizes.C + 1)
    )


def _foreign(path: Path) -> RunFormatError:
    return RunFormatError(f"{path} does not belong to this run", hint="dissect again with --fresh")


def read_truth(folder: Path, concepts: int, categories: int, images: int) -> TruthCounts | None:
    """Read ``truth.npz``.

    Parameters
    ----------
    folder : Path
        The run directory.
    concepts, categories, images : int
        How many the run has.

    Returns
    -------
    TruthCounts or None
        None if the run was made without.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / TRUTH
    if not path.exists():
        return None
    found = TruthCounts(**read_archive(path, _TRUTH_SCHEMA, optional=("groups",)))
    sound = (
        found.starts.shape == (images + 1,)
        and _climbs(found.starts, found.concept.size)
        and found.pixels.shape == found.concept.shape
        and found.categories.shape == (images, categories)
        and _within(found.concept, concepts)
        and (found.groups is None or (found.groups.shape == (images,) and _within(found.groups, images)))
    )
    if not sound:
        raise _foreign(path)
    return found


def write_null(folder: Path, null: Null) -> None:
    """Write ``null.npz``; equal scores give equal bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    null : Null
        Of the layer.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    arrays = {"best": null.best}
    if null.surprise is not None:
        arrays["surprise"] = null.surprise
    write_npz(folder / NULL, arrays)


def read_null(folder: Path, sizes: Sizes) -> Null | None:
    """Read ``null.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.

    Returns
    -------
    Null or None
        None if the run was made without shuffles.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / NULL
    if not path.exists():
        return None
    arrays = read_archive(path, _NULL_SCHEMA, optional=("surprise",))
    best, surprise = arrays["best"], arrays.get("surprise")
    for scores in (best, best if surprise is None else surprise):
        shape = (*best.shape[:1], sizes.Q, sizes.K)
        if best.shape[0] < 3 or scores.shape != shape or not np.isfinite(scores).all():
            raise _foreign(path)
    return Null(best, surprise)


def _climbs(starts: NDArray[np.int64], end: int) -> bool:
    return bool(starts[0] == 0 and starts[-1] == end and (np.diff(starts) >= 0).all())


def _within(positions: NDArray[Any], size: int) -> bool:
    return positions.size == 0 or bool(positions.min() >= 0 and positions.max() < size)
