"""What is compared: runs by path or glob, of each of them layers, bases and quantiles."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from onnxdissect.errors import (
    LayerNotFoundError,
    ParameterError,
    RunNotFoundError,
    nearest,
    shown_path,
)
from onnxdissect.experiments.comparison.naming import distinct, layer_names, run_labels
from onnxdissect.results import Dissection, LayerInfo, LayerSummary, load
from onnxdissect.results.formats.manifest import MANIFEST

__all__ = ["ComparedRun", "Selected", "Selection", "open_runs", "select"]

_DIGITS = re.compile(r"(\d+)")
# Of names in candidates.
_FEW = 5


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRun:
    """One run of a comparison; a run that is given twice is two of them.

    Attributes
    ----------
    given : str
        The path, as it was given.
    label : str
        The shortest end of the path that tells it from the others.
    dissection : Dissection
    """

    given: str
    label: str
    dissection: Dissection

    @property
    def model(self) -> str:
        """File name of the network, without its ending; empty where the manifest names none."""
        path = (self.dissection.manifest.get("model") or {}).get("path")
        return Path(path).stem if isinstance(path, str) else ""

    @property
    def data(self) -> dict[str, Any]:
        """What the manifest says of the data."""
        found: dict[str, Any] = self.dissection.manifest.get("data") or {}
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """One layer of one run at one quantile.

    Attributes
    ----------
    run : ComparedRun
    info : LayerInfo
    own_alias : str
        Short name of the layer whose units a basis makes others of; its own where it is under none.
    depth : int
        Which of the run's own layers that is, from 0.
    place : int
        Position of the quantile in the run.
    summary : LayerSummary
    name : str
        What tells it from all others of the comparison.
    """

    run: ComparedRun
    info: LayerInfo
    own_alias: str
    depth: int
    place: int
    summary: LayerSummary
    name: str = ""

    @property
    def quantile(self) -> float:
        """The level tau."""
        return self.summary.quantile

    @property
    def basis(self) -> str | None:
        """Name of the basis that it is under; None if it is under none."""
        return None if self.info.basis is None else str(self.info.basis["name"])


@dataclass(frozen=True, slots=True)
class Selection:
    """What of the runs is compared.

    Attributes
    ----------
    layers : tuple of str
        Names, aliases, globs over them, or ``last``; all layers if there are none.
    quantiles : tuple of float
        The first of each run if there are none.
    bases : tuple of str
        Names of bases or globs over them; layers under a basis are left out if there are none.
    every_quantile : bool
        All quantiles of a run, where none are named.
    """

    layers: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = ()
    bases: tuple[str, ...] = ()
    every_quantile: bool = False


def open_runs(runs: Iterable[str | Path | Dissection]) -> list[ComparedRun]:
    """Open the runs that are to be compared.

    Parameters
    ----------
    runs : iterable of (str, Path or Dissection)
        Run directories, globs of such, or runs that have been opened.

    Returns
    -------
    list of ComparedRun
        As they were given; those of a glob by name, where numbers count as such.

    Raises
    ------
    RunNotFoundError
        If there is no such folder, it is no run directory, or no run directory fits a glob.
    RunIncompleteError
        If a run was not finished.
    RunFormatError
        If it is of another format version, or damaged.
    ParameterError
        If no run is given.
    """
    opened: dict[str, Dissection] = {}
    found: list[tuple[str, Dissection]] = []
    for run in runs:
        if isinstance(run, Dissection):
            found.append((str(run.path), run))
            continue
        for path in _expanded(str(run)):
            if path not in opened:
                opened[path] = load(path)
            found.append((path, opened[path]))
    if not found:
        raise ParameterError("no run is given to compare", hint="onnxdissect compare RUN RUN")
    labels = run_labels([path for path, _ in found])
    return [ComparedRun(path, label, run) for (path, run), label in zip(found, labels, strict=True)]


def select(runs: Sequence[ComparedRun], selection: Selection) -> list[Selected]:
    """Choose the layers that are compared.

    Parameters
    ----------
    runs : sequence of ComparedRun
    selection : Selection

    Returns
    -------
    list of Selected
        By run, layer and quantile.

    Raises
    ------
    LayerNotFoundError
        If a run holds no layer that was asked for, or a selector fits none in any run.
    ParameterError
        If a run was not made at a quantile that was asked for, or has no basis of a name.
    """
    chosen = [one for run in runs for one in _of_run(run, selection)]
    _expect_used(runs, selection)
    names = layer_names([(one.run.label, one.info.alias, one.info.name, one.quantile) for one in chosen])
    return [replace(one, name=name) for one, name in zip(chosen, distinct(names), strict=True)]


def _expanded(path: str) -> list[str]:
    """Name the run directories that a path stands for."""
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    start, pattern = _parted(path)
    fitting = [str(found.parent) for found in start.glob(f"{pattern}/{MANIFEST}")]
    if not fitting:
        raise RunNotFoundError(f"no run directory fits {shown_path(path)}", candidates=_runs_beside(path))
    return sorted(fitting, key=_natural)


def _runs_beside(path: str) -> tuple[str, ...]:
    """Name runs in the folder that the glob begins in."""
    start, pattern = _parted(path)
    runs = {str(found.parent): found.parent.name for found in sorted(start.glob(f"*/{MANIFEST}"))}
    near = nearest(pattern.strip("*?[]"), runs.values())
    ranked = sorted(runs, key=lambda run: near.index(runs[run]) if runs[run] in near else len(near))
    return tuple(ranked[:_FEW])


def _parted(path: str) -> tuple[Path, str]:
    """Part a glob into the folder that it begins in and the rest."""
    parts = Path(path).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:fixed]), "/".join(parts[fixed:])


def _natural(path: str) -> list[tuple[bool, int, str]]:
    """Put ``run-20`` before ``run-100``."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in _DIGITS.split(path)]


def _of_run(run: ComparedRun, selection: Selection) -> list[Selected]:
    found = run.dissection
    depths = {name: i for i, name in enumerate(dict.fromkeys(info.own_layer for info in found.layers))}
    aliases = {info.name: info.alias for info in found.layers}
    summaries = {(summary.layer, summary.quantile): summary for summary in found.summary()}
    places = _quantiles(run, selection)
    return [
        Selected(
            run,
            info,
            aliases.get(info.own_layer, info.alias),
            depths[info.own_layer],
            place,
            summaries[info.name, found.quantiles[place]],
        )
        for info in _layers(run, selection)
        for place in places
    ]


def _quantiles(run: ComparedRun, selection: Selection) -> list[int]:
    known = run.dissection.quantiles
    if not selection.quantiles:
        return list(range(len(known))) if selection.every_quantile else [0]
    for quantile in selection.quantiles:
        if quantile not in known:
            raise ParameterError(
                f"the run {shown_path(run.given)} was not made at quantile {quantile:g}",
                candidates=[repr(one) for one in known],
            )
    return [known.index(quantile) for quantile in dict.fromkeys(selection.quantiles)]


def _layers(run: ComparedRun, selection: Selection) -> list[LayerInfo]:
    found = _asked(run, selection)
    if not found:
        raise _no_layer(run, " or ".join(map(repr, selection.layers)) or "of its own")
    return found


def _asked(run: ComparedRun, selection: Selection) -> list[LayerInfo]:
    layers = run.dissection.layers
    own = [info for info in layers if info.basis is None]
    offered = [
        info
        for info in layers
        if info.basis is None or any(fnmatchcase(str(info.basis["name"]), name) for name in selection.bases)
    ]
    last = own[-1].name if own else None
    return [
        info
        for info in layers
        if (info in offered and not selection.layers)
        or any(
            _named(info, name)
            or (info in offered and (_fits(info, name) or (name == "last" and info.own_layer == last)))
            for name in selection.layers
        )
    ]


def _named(info: LayerInfo, name: str) -> bool:
    return name in (info.name, info.alias, info.slug) or (bool(info.node) and name == info.node)


def _fits(info: LayerInfo, pattern: str) -> bool:
    """Tell whether a layer fits; one under a basis fits what its own layer does."""
    names = {info.name, info.alias, info.own_layer, info.node} - {""}
    if info.basis is not None:
        names.add(info.alias.removesuffix(f"/{info.basis['name']}"))
    return pattern == "all" or any(fnmatchcase(name, pattern) for name in names)


def _expect_used(runs: Sequence[ComparedRun], selection: Selection) -> None:
    """Refuse what fits nothing in any run: it would be left out without a word."""
    for name in selection.layers:
        if not any(_asked(run, replace(selection, layers=(name,))) for run in runs):
            raise _no_layer(runs[0], repr(name))
    bases = [
        str(info.basis["name"]) for run in runs for info in run.dissection.layers if info.basis is not None
    ]
    for name in selection.bases:
        if not any(fnmatchcase(basis, name) for basis in bases):
            known = list(dict.fromkeys(bases))
            raise ParameterError(
                f"no run has a layer under a basis {name!r}",
                candidates=nearest(name, known) or known[:_FEW],
                hint="onnxdissect run ... --basis SPEC puts layers under bases",
            )


def _no_layer(run: ComparedRun, asked: str) -> LayerNotFoundError:
    known = [name for info in run.dissection.layers for name in (info.alias, info.name) if info.basis is None]
    names = list(dict.fromkeys(known))
    return LayerNotFoundError(
        f"the run {shown_path(run.given)} holds no layer {asked}",
        candidates=nearest(asked.strip("'"), names) or names[:_FEW],
        hint="--layer takes value names, aliases, globs over them, and last",
    )
