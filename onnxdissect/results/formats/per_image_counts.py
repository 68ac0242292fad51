"""Counts by image: ``evidence.npz`` of a layer and ``truth.npz`` of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import Null, PerImageCounts, PerImageCountsPart, TruthCounts, spans
from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats.arrays import Sizes
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES
from onnxdissect.storage.archive_reader import open_archive, read_archive
from onnxdissect.storage.archive_writer import write_archive, writing_archive
from onnxdissect.storage.schema import ArraySpec, Schema

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
    "read_top_concepts",
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
# Axes are named as in `PerImageCounts`; S is Q*K + 1, E masks, B bytes of a bit for each category.
_SCHEMA = Schema(
    {
        _TOP_CONCEPTS: ArraySpec("int64", "QKR"),
        "starts": ArraySpec("int64", "S"),
        "image": ArraySpec("int32", "E"),
        "activation": ArraySpec("int32", "E"),
        "intersection": ArraySpec("int32", "ER"),
        "overlap": ArraySpec("uint8", "EB"),
    }
)
# I is one more than the images, n; P pairs of an image and a concept that it holds.
_TRUTH_SCHEMA = Schema(
    {
        "starts": ArraySpec("int64", "I"),
        "concept": ArraySpec("int32", "P"),
        "pixels": ArraySpec("int32", "P"),
        "categories": ArraySpec("bool", "nG"),
        "groups": ArraySpec("int64", "n", optional=True),
    }
)
# R rounds.
_NULL_SCHEMA = Schema(
    {"best": ArraySpec("float64", "RQK"), "surprise": ArraySpec("float64", "RQK", optional=True)}
)


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
    top_concepts: list[list[NDArray[np.int64]]] = []
    with writing_archive(folder / EVIDENCE, _SCHEMA) as archive:
        for part in parts:
            for name in _BY_MASK:
                archive.append(name, getattr(part.per_image, name))
            if part.quantile == len(top_concepts):
                top_concepts.append([])
            top_concepts[part.quantile].append(part.per_image.top_concepts[0])
        archive.write(_TOP_CONCEPTS, np.stack([np.concatenate(units) for units in top_concepts]))
        archive.write("starts", starts)


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
    held = {name: array for name, array in arrays.items() if array is not None}
    write_archive(folder / TRUTH, _TRUTH_SCHEMA, held)


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
    arrays = read_archive(path, _SCHEMA, lengths=_axis_lengths(sizes), most=_most(sizes))
    found = PerImageCounts(top_concepts=arrays.pop(_TOP_CONCEPTS), **arrays)
    sound = _fits(found.top_concepts, found.starts, found.image.size, sizes)
    if not sound or not _counted(found.image, found.activation, found.intersection, sizes):
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
    iterator of PerImageCountsPart, or None
        In the order of quantiles and units; None if the run was made without. Advancing it raises
        RunFormatError if the file is damaged, or does not belong to this run.
    """
    path = folder / EVIDENCE
    return _read_parts(path, sizes, masks) if path.exists() else None


def read_top_concepts(folder: Path, sizes: Sizes) -> NDArray[np.int64] | None:
    """Read which concepts were counted image by image, and none of the counts.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.

    Returns
    -------
    ndarray of int64, shape (Q, K, R), or None
        As in `PerImageCounts`; None if the run was made without.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / EVIDENCE
    if not path.exists():
        return None
    with open_archive(path, _SCHEMA, lengths=_axis_lengths(sizes), most=_most(sizes)) as archive:
        top_concepts: NDArray[np.int64] = archive.read(_TOP_CONCEPTS)
    if not _within(top_concepts + 1, sizes.C + 1):
        raise _foreign(path)
    return top_concepts


def _read_parts(path: Path, sizes: Sizes, most: int) -> Iterator[PerImageCountsPart]:
    with open_archive(path, _SCHEMA, lengths=_axis_lengths(sizes), most=_most(sizes)) as archive:
        top_concepts, starts = archive.read(_TOP_CONCEPTS), archive.read("starts")
        masks = {name: archive.shape(name) for name in _BY_MASK}["image"][0]
        if not _fits(top_concepts, starts, masks, sizes):
            raise _foreign(path)
        for quantile, units in spans(starts, sizes.K, most):
            first = quantile * sizes.K + units.start
            rows = starts[first : first + units.stop - units.start + 1] - starts[first]
            held = {name: archive.next_rows(name, int(rows[-1])) for name in _BY_MASK}
            if not _counted(held["image"], held["activation"], held["intersection"], sizes):
                raise _foreign(path)
            chosen = top_concepts[quantile : quantile + 1, units]
            yield PerImageCountsPart(quantile, units, PerImageCounts(chosen, rows, **held))


def _fits(top_concepts: NDArray[np.int64], starts: NDArray[np.int64], masks: int, sizes: Sizes) -> bool:
    return (
        top_concepts.shape[2] <= sizes.C and _climbs(starts, masks) and _within(top_concepts + 1, sizes.C + 1)
    )


def _counted(
    image: NDArray[np.int32], activation: NDArray[np.int32], intersection: NDArray[np.int32], sizes: Sizes
) -> bool:
    """Whether masks are in images of the run, and no more of one holds a concept than there is of it."""
    return (
        _within(image, sizes.images)
        and _within(activation, sizes.pixels + 1)
        and (intersection.size == 0 or bool(intersection.min() >= 0))
        and bool((intersection <= activation[:, None]).all())
    )


def _axis_lengths(sizes: Sizes) -> dict[str, int]:
    return {"Q": sizes.Q, "K": sizes.K, "S": sizes.Q * sizes.K + 1, "B": (sizes.G + 7) // 8}


def _most(sizes: Sizes) -> dict[str, int]:
    # A mask for each image, unit and quantile at the most.
    return {"R": sizes.C, "E": sizes.Q * sizes.K * sizes.images}


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
    lengths = {"I": images + 1, "n": images, "G": categories}
    most = {"P": images * concepts}
    found = TruthCounts(**read_archive(path, _TRUTH_SCHEMA, lengths=lengths, most=most))
    sound = (
        _climbs(found.starts, found.concept.size)
        and _within(found.concept, concepts)
        and (found.pixels.size == 0 or bool(found.pixels.min() >= 0))
        and (found.groups is None or _within(found.groups, images))
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
    write_archive(folder / NULL, _NULL_SCHEMA, arrays)


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
    most = {"R": MOST_RESAMPLES}
    arrays = read_archive(path, _NULL_SCHEMA, lengths={"Q": sizes.Q, "K": sizes.K}, most=most)
    if len(arrays["best"]) < 3 or not all(np.isfinite(scores).all() for scores in arrays.values()):
        raise _foreign(path)
    return Null(arrays["best"], arrays.get("surprise"))


def _climbs(starts: NDArray[np.int64], end: int) -> bool:
    return bool(starts[0] == 0 and starts[-1] == end and (np.diff(starts) >= 0).all())


def _within(positions: NDArray[Any], size: int) -> bool:
    return positions.size == 0 or bool(positions.min() >= 0 and positions.max() < size)
