"""A comparison of runs as one call with flat keywords."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.comparison.concepts import (
    LayerConcepts,
    changes,
    concept_matrix,
    label_overlap,
    layer_concepts,
)
from onnxdissect.experiments.comparison.definitions import expect_comparable
from onnxdissect.experiments.comparison.differences import (
    adjusted,
    compared_groups,
    compared_layer,
    layer_differences,
)
from onnxdissect.experiments.comparison.grouping import check_by, group_layers, usual_by
from onnxdissect.experiments.comparison.pairing import pair_layers
from onnxdissect.experiments.comparison.records import ComparedPair, UnitMatching
from onnxdissect.experiments.comparison.resampling import ImageSets, ResampledLayer, resample_layers
from onnxdissect.experiments.comparison.result import ComparisonResult
from onnxdissect.experiments.comparison.saturation import saturation_warnings
from onnxdissect.experiments.comparison.selection import (
    ComparedRun,
    Selected,
    Selection,
    open_runs,
    select,
)
from onnxdissect.experiments.matching.match import check_matched_by, match_units
from onnxdissect.results import Dissection
from onnxdissect.storage.memory import explained_memory

__all__ = ["compare"]

_Value = TypeVar("_Value")
_Resampled = dict[tuple[int, str, int], ResampledLayer]


@checked_arguments()
@explained_memory("fewer layers, quantiles or --resamples take less")
def compare(
    runs: Iterable[str | Path | Dissection] | str | Path | Dissection,
    *,
    layers: Sequence[str] | str = (),
    quantiles: Sequence[float] | float = (),
    bases: Sequence[str] | str = (),
    by: str | None = None,
    series: bool = False,
    against: str | None = None,
    resamples: int | None = None,
    anyway: bool = False,
    match: str | None = None,
    progress: Progress | None = None,
) -> ComparisonResult:
    """Put layers, networks, checkpoints, quantiles or bases side by side (arXiv 1711.05611, 4.3 to 4.6).

    Parameters
    ----------
    runs : iterable of (str, Path or Dissection)
        Run directories, globs of such, or runs that have been opened. A run that is given twice is compared
        with itself.
    layers : sequence of str
        Value names, aliases, globs over them, or ``last``; all by default.
    quantiles : sequence of float
        The levels tau; by default the first of each run, grouped by quantile all.
    bases : sequence of str
        Names of bases, or globs over them: layers under them are compared as well. All by default where
        layers are grouped by basis.
    by : str, optional
        What layers are grouped by: ``layer``, ``network``, ``run``, ``quantile``, ``basis``, ``number`` (the
        last in the name of the run directory) or a key of the manifest, such as ``parameters.min_images``.
        By default the first of run, basis, quantile and layer that there are several of; in a series of
        runs the number.
    series : bool
        Groups stand in an order, such as checkpoints of a training, and have a position in it.
    against : str, optional
        What each group is compared with: ``first`` (the default), ``previous`` (the default in a series),
        ``all``, or the name of a group or layer.
    resamples : int, optional
        Of the images, for intervals; by default as many as the run with the fewest was made with. 0 for none.
    anyway : bool
        Also compare runs of different data or definitions; the result says in what they differ.
    match : {"masks", "profiles"}, optional
        Match the units of every pair one to one, as `onnxdissect.experiments.matching.match_units` does.
    progress : Progress, optional
        Told of the phases ``comparison``, which counts layers of runs, and ``matching`` for every pair.

    Returns
    -------
    ComparisonResult
        Nothing is written.

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    RunIncompleteError
        If a run was not finished.
    RunFormatError
        If a run is of another format version, or damaged.
    RunMismatchError
        If runs are of different data or definitions, unless they are to be compared anyway; or if the masks
        of runs are to be matched that are not of the same images.
    LayerNotFoundError
        If a run holds no layer that was asked for.
    ParameterError
        If there is nothing to compare, or another parameter is out of range.
    """
    if match is not None:
        check_matched_by(match)
    opened = open_runs([runs] if isinstance(runs, str | Path | Dissection) else runs)
    selection = Selection(
        (layers,) if isinstance(layers, str) else tuple(layers),
        (float(quantiles),) if isinstance(quantiles, int | float) else tuple(map(float, quantiles)),
        (bases,) if isinstance(bases, str) else tuple(bases),
        every_quantile=by == "quantile",
    )
    if by == "basis" and not selection.bases:
        selection = replace(selection, bases=("*",) if _has_bases(opened) else ())
    chosen = select(opened, selection)
    _expect_several(chosen, opened)
    by = check_by(usual_by(chosen, series=series) if by is None else by, chosen)
    marks = expect_comparable(opened, chosen, by, selection, anyway=anyway)
    grouping = group_layers(chosen, by, series=series)
    usual = "previous" if series else "first"
    pairs = pair_layers(chosen, grouping, usual if against is None else against)
    # refuses what cannot be resampled, before units are matched, which may take minutes
    sets = ImageSets(opened, resamples)
    matchings = _matchings(chosen, pairs, match, progress or Silent())
    resampled = resample_layers(sets, chosen, progress or Silent())
    categories = tuple(dict.fromkeys(name for run in opened for name in run.dissection.categories))
    concepts = _concepts(chosen)
    compared = tuple(
        compared_layer(one, group, grouping.positions[group], categories, _counts(resampled, one))
        for one, group in zip(chosen, grouping.of_layer, strict=True)
    )
    return ComparisonResult(
        by=by,
        series=series,
        categories=categories,
        iou_threshold=_common([run.dissection.iou_threshold for run in opened]),
        scoring=_common([run.dissection.scoring for run in opened]),
        resamples=sets.drawn if resampled else 0,
        marks=marks,
        warnings=tuple(saturation_warnings(chosen)),
        layers=compared,
        groups=compared_groups(compared, grouping),
        pairs=adjusted(
            [
                _pair((chosen[i], chosen[j]), (concepts[i], concepts[j]), categories, sets, resampled)
                for i, j in pairs
            ]
        ),
        concepts=concept_matrix(concepts, categories),
        matchings=matchings,
    )


def _expect_several(chosen: Sequence[Selected], opened: Sequence[ComparedRun]) -> None:
    if len(chosen) > 1:
        return
    (one,) = chosen
    found = one.run.dissection
    other = [info.alias for info in found.layers if info.name != one.info.name]
    raise ParameterError(
        f"there is nothing to compare: of {one.run.label} only layer {one.info.alias} at quantile "
        f"{one.quantile:g} was chosen",
        candidates=other[:5],
        hint="name another run, or another layer, quantile (--by quantile) or basis (--by basis) of this one",
    )


def _concepts(chosen: Sequence[Selected]) -> list[LayerConcepts]:
    """Find what every layer knows of concepts, once for those that are compared twice."""
    found: dict[tuple[int, str, int], LayerConcepts] = {}
    for one in chosen:
        key = _key(one)
        if key not in found:
            found[key] = layer_concepts(one)
    return [found[_key(one)] for one in chosen]


def _pair(
    pair: tuple[Selected, Selected],
    concepts: tuple[LayerConcepts, LayerConcepts],
    categories: Sequence[str],
    sets: ImageSets,
    resampled: _Resampled,
) -> ComparedPair:
    first, second = pair
    reason = sets.why_unpaired(first.run, second.run)
    counts = None if reason else (resampled[_key(first)], resampled[_key(second)])
    found, changed = layer_differences(pair, categories, counts), changes(*concepts, categories)
    return ComparedPair(
        first=first.name,
        second=second.name,
        paired=not reason,
        reason=reason,
        unique=found.unique,
        share=found.share,
        unique_by_category=found.unique_by_category,
        gained=changed.gained,
        lost=changed.lost,
        kept=changed.kept,
        overlap=label_overlap(*concepts),
    )


def _matchings(
    chosen: Sequence[Selected], pairs: Sequence[tuple[int, int]], by: str | None, progress: Progress
) -> tuple[UnitMatching, ...]:
    """Match the units of each pair, if that was asked for."""
    if by is None:
        return ()
    found = []
    for first, second in ((chosen[i], chosen[j]) for i, j in pairs):
        matching = match_units(
            *(first.run.dissection, first.info.name, second.run.dissection, second.info.name),
            quantile=(first.quantile, second.quantile),
            by=by,
            progress=progress,
        )
        found.append(replace(matching, first=first.name, second=second.name))
    return tuple(found)


def _key(one: Selected) -> tuple[int, str, int]:
    return id(one.run.dissection), one.info.name, one.place


def _counts(resampled: _Resampled, one: Selected) -> ResampledLayer | None:
    return resampled.get(_key(one))


def _has_bases(opened: Sequence[ComparedRun]) -> bool:
    return any(info.basis is not None for run in opened for info in run.dissection.layers)


def _common(values: Sequence[_Value]) -> _Value | None:
    """Give the value that all have; None if there is none."""
    return values[0] if all(value == values[0] for value in values) else None
