"""How certain the scores of each unit's top concepts are: ``intervals.npz`` of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats.arrays import Sizes
from onnxdissect.results.formats.tables import UNITS
from onnxdissect.statistics.intervals import LEVEL, TopConceptIntervals
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["INTERVALS", "Resampling", "missing_intervals", "read_intervals", "write_intervals"]

INTERVALS = "intervals.npz"

_AGAIN = "onnxdissect rescore makes the file anew"

# Axes are named as in `TopConceptIntervals`.
_SCHEMA = Schema(
    {
        "concept": ArraySpec("int64", "QKR"),
        "low": ArraySpec("float64", "QKR"),
        "high": ArraySpec("float64", "QKR"),
        "level": ArraySpec("float64", ""),
        "resamples": ArraySpec("int64", ""),
        "seed": ArraySpec("int64", ""),
        "scoring": ArraySpec("str", ""),
    },
    hint=_AGAIN,
)


@dataclass(frozen=True, slots=True)
class Resampling:
    """What intervals were made with.

    Attributes
    ----------
    resamples, seed : int
        As the run was asked for.
    scoring : str
        Convention of the IoU.
    """

    resamples: int
    seed: int
    scoring: str


def write_intervals(folder: Path, intervals: TopConceptIntervals, made_with: Resampling) -> None:
    """Write ``intervals.npz``; equal intervals give equal bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    intervals : TopConceptIntervals
        Of the layer.
    made_with : Resampling

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    arrays = {
        "concept": intervals.concept,
        "low": intervals.low,
        "high": intervals.high,
        "level": np.array(LEVEL),
        "resamples": np.array(made_with.resamples, np.int64),
        "seed": np.array(made_with.seed, np.int64),
        "scoring": np.array(made_with.scoring),
    }
    write_archive(folder / INTERVALS, _SCHEMA, arrays)


def missing_intervals(folder: Path) -> RunFormatError:
    """Give the error for a layer that was made with intervals and has no file of them.

    Parameters
    ----------
    folder : Path
        The layer's folder.

    Returns
    -------
    RunFormatError
    """
    return RunFormatError(f"{folder / INTERVALS} is missing, and {UNITS} has intervals", hint=_AGAIN)


def read_intervals(folder: Path, sizes: Sizes, made_with: Resampling) -> TopConceptIntervals | None:
    """Read ``intervals.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.
    made_with : Resampling
        What the run's other intervals were made with.

    Returns
    -------
    TopConceptIntervals or None
        None if the run was made without a bootstrap, or by a version that did not keep them.

    Raises
    ------
    RunFormatError
        If the file is damaged, does not belong to this run, or holds what cannot be an interval of an IoU.
    """
    path = folder / INTERVALS
    if not path.exists():
        return None
    arrays = read_archive(path, _SCHEMA, lengths={"Q": sizes.Q, "K": sizes.K}, most={"R": sizes.C})
    told = Resampling(int(arrays["resamples"]), int(arrays["seed"]), str(arrays["scoring"]))
    if told != made_with or float(arrays["level"]) != LEVEL:
        raise RunFormatError(
            f"{path} does not belong to this run: it is of {told.resamples} resamples, seed {told.seed}, "
            f"scoring {told.scoring[:20]!r} and level {float(arrays['level']):g}, the run of "
            f"{made_with.resamples}, {made_with.seed}, {made_with.scoring!r} and {LEVEL:g}",
            hint=_AGAIN,
        )
    found = TopConceptIntervals(arrays["concept"], arrays["low"], arrays["high"])
    if not _sound(found.concept, found.low, found.high, sizes.C):
        raise RunFormatError(
            f"{path} holds numbers that are no intervals of this run's concepts",
            hint=_AGAIN,
        )
    return found


def _sound(
    concept: NDArray[np.int64], low: NDArray[np.float64], high: NDArray[np.float64], concepts: int
) -> bool:
    """Whether concepts are the run's, each once, with an interval within 0 to 1, and nothing else has one."""
    if concept.shape[2] > concepts or ((concept < -1) | (concept >= concepts)).any():
        return False
    ordered = np.sort(concept, axis=2)
    if ((np.diff(ordered, axis=2) == 0) & (ordered[:, :, 1:] >= 0)).any():
        return False
    known = concept >= 0
    within = (low[known] >= 0) & (low[known] <= high[known]) & (high[known] <= 1)
    return bool(within.all() and np.isnan(low[~known]).all() and np.isnan(high[~known]).all())
