"""Detectors of compared layers in resampled images, the same for all layers that share images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCountsPart, TruthCounts
from onnxdissect.core.progress import Progress
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.comparison.selection import ComparedRun, Selected
from onnxdissect.results import Dissection
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES
from onnxdissect.results.label_units import primary_categories
from onnxdissect.statistics.paired_counts import FEWEST_RESAMPLES
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors
from onnxdissect.wording import counted

__all__ = ["ImageSets", "ResampledLayer", "resample_layers"]

# A truth value for each concept in each resample.
_MOST_BYTES = 2**30
# Runs that a message names.
_NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class ResampledLayer:
    """Counts of one layer in every resample.

    Attributes
    ----------
    detectors : ndarray of int64, shape (B,)
    unique : ndarray of int64, shape (1 + G, B)
        Unique detectors of all categories together, then of each in the order of the run.
    """

    detectors: NDArray[np.int64]
    unique: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _ImageSet:
    """Runs of the same images."""

    truth: TruthCounts
    runs: list[Dissection]


class ImageSets:
    """Which runs are of the same images, and why others cannot be resampled.

    Parameters
    ----------
    runs : sequence of ComparedRun
    resamples : int or None
        As asked for; None takes the smallest number that one of the runs was made with.

    Attributes
    ----------
    resamples : int
        As asked for, or that smallest number.

    Raises
    ------
    RunFormatError
        If files of a run are missing or damaged.
    ParameterError
        If so many resamples were asked for that they cannot be counted, or too few to tell anything.
    """

    def __init__(self, runs: Sequence[ComparedRun], resamples: int | None) -> None:
        self._found: list[_ImageSet] = []
        self._of: dict[int, _ImageSet] = {}
        self._why: dict[int, str] = {}
        different = list({id(run.dissection): run for run in runs}.values())
        for run in different:
            self._add(run)
        drawn = [run.resampling().resamples for run in self.runs]
        self.resamples = (min(drawn, default=0) if resamples is None else resamples) if drawn else 0
        for one in self.runs:
            _check_resamples(resamples, one)
        if resamples and not self.runs:
            said = "; ".join(f"{run.label} {self._why[id(run.dissection)]}" for run in different[:_NAMED])
            raise ParameterError(f"there is nothing to resample: {said}", hint="without --resamples")

    @property
    def runs(self) -> list[Dissection]:
        """All that can be resampled."""
        return [run for found in self._found for run in found.runs]

    def __iter__(self) -> Iterator[tuple[Resamples, list[Dissection]]]:
        """Draw the resamples of one set of images after another, if any, with the runs that are of them."""
        for found in self._found:
            first = found.runs[0]
            category_of = primary_categories(first.concepts, first.categories)
            # whichever of them is named first, the same is drawn
            seed = min(run.resampling().seed for run in found.runs)
            yield Resamples(found.truth, category_of, self.drawn, seed), found.runs

    @property
    def drawn(self) -> int:
        """How many resamples are made: none where there are too few to tell anything."""
        return self.resamples if self.resamples >= FEWEST_RESAMPLES else 0

    def why_unpaired(self, first: ComparedRun, second: ComparedRun) -> str:
        """Say why two runs are not resampled with the same images.

        Parameters
        ----------
        first, second : ComparedRun

        Returns
        -------
        str
            Empty if they are.
        """
        for run in (first, second):
            if id(run.dissection) in self._why:
                return f"{run.label} {self._why[id(run.dissection)]}"
        if self._of[id(first.dissection)] is not self._of[id(second.dissection)]:
            return "they are not of the same images, grouped alike"
        if not self.resamples:
            return "no resamples were asked for"
        if not self.drawn:
            return (
                f"{counted(self.resamples, 'resample')} are too few to tell a difference from luck, "
                f"which takes {FEWEST_RESAMPLES}"
            )
        return ""

    def _add(self, run: ComparedRun) -> None:
        found = run.dissection
        if not found.images:
            self._why[id(found)] = "holds no images, only counts over all of them"
            return
        truth = found.truth_counts() if found.resampling().resamples else None
        if truth is None:
            self._why[id(found)] = "was made without a bootstrap, and holds no counts image by image"
            return
        if truth.one_group:
            self._why[id(found)] = "has all of its images in one group: every resample is the same"
            return
        for known in self._found:
            if _same_images(known.runs[0], found) and known.truth.same(truth):
                known.runs.append(found)
                self._of[id(found)] = known
                return
        self._found.append(_ImageSet(truth, [found]))
        self._of[id(found)] = self._found[-1]


def resample_layers(
    sets: ImageSets, layers: Sequence[Selected], progress: Progress
) -> dict[tuple[int, str, int], ResampledLayer]:
    """Count the detectors of all compared layers in every resample.

    Parameters
    ----------
    sets : ImageSets
        Of the runs.
    layers : sequence of Selected
    progress : Progress
        Told of one phase, ``comparison``, that counts layers of runs.

    Returns
    -------
    dict
        By `id` of the run's dissection, name of the layer and position of the quantile; without layers that
        cannot be resampled.

    Raises
    ------
    RunFormatError
        If files of a run are missing or damaged.
    """
    asked: dict[tuple[int, str], list[int]] = {}
    for one in layers:
        places = asked.setdefault((id(one.run.dissection), one.info.name), [])
        if one.place not in places:
            places.append(one.place)
    found: dict[tuple[int, str, int], ResampledLayer] = {}
    if not sets.drawn:
        return found
    resampled = {id(run) for run in sets.runs}
    progress.start("comparison", sum(of in resampled for of, _ in asked))
    for resamples, runs in sets:
        for run in runs:
            for (of, name), places in asked.items():
                if of == id(run):
                    counts = _resample(run, name, places, resamples)
                    found |= {(of, name, place): one for place, one in zip(places, counts, strict=True)}
                    progress.advance(1)
    progress.finish()
    return found


def _check_resamples(resamples: int | None, run: Dissection) -> None:
    """Refuse more resamples than can be counted, or fewer than tell anything."""
    most = min(MOST_RESAMPLES, _MOST_BYTES // max(1, len(run.concepts)))
    if resamples and not FEWEST_RESAMPLES <= resamples <= most:
        raise ParameterError(
            f"{resamples:,} resamples cannot be compared: {FEWEST_RESAMPLES} to {most:,} can, or 0 for none",
            hint="--resamples 1000",
        )


def _resample(
    run: Dissection, name: str, places: Sequence[int], resamples: Resamples
) -> list[ResampledLayer]:
    unique = UniqueDetectors(len(places), resamples, run.iou_threshold)
    detectors = np.zeros((len(places), resamples.size), np.int64)
    for units in resamples.walk(_parts(run, name, places), run.scoring):
        unique.add(units)
        detectors[units.quantile] += (units.best > run.iou_threshold).sum(axis=0)
    category_of = primary_categories(run.concepts, run.categories)
    by_category = unique.counts_by_category(category_of, len(run.categories))
    counts = np.concatenate([unique.counts()[:, None], by_category], axis=1)
    return [ResampledLayer(*of_quantile) for of_quantile in zip(detectors, counts, strict=True)]


def _parts(run: Dissection, name: str, places: Sequence[int]) -> Iterator[PerImageCountsPart]:
    """Give only what is of the quantiles that are compared, numbered among these."""
    for part in run.per_image_parts(name) or ():
        if part.quantile in places:
            yield replace(part, quantile=places.index(part.quantile))


def _same_images(one: Dissection, other: Dissection) -> bool:
    """Tell whether two runs are of the same images and concepts, by manifests and tables."""
    told = [
        (*(run.manifest["data"].get(key) for key in ("fingerprint", "split", "limit")), run.categories)
        for run in (one, other)
    ]
    if told[0] != told[1] or (one is not other and told[0][0] is None):
        return False
    named = [[(concept.name, concept.category) for concept in run.concepts] for run in (one, other)]
    return named[0] == named[1] and one.images == other.images
