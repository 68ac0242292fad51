"""What runs must have in common to be compared: data, and what makes a detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onnxdissect.errors import RunMismatchError, shown
from onnxdissect.experiments.comparison.selection import ComparedRun, Selected, Selection
from onnxdissect.wording import counted

__all__ = ["expect_comparable", "of_images"]

_HINT = "--anyway compares them all the same, and says so wherever the result is shown"
# Digits of a fingerprint that are shown.
_SHOWN = 12
# Runs that a message names for each value.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Definition:
    """Something in which runs may differ.

    Attributes
    ----------
    keys : tuple of str
        Of the manifest: who groups by one of them asks for runs that differ in it.
    what : str
        Its name in a message.
    told : callable
        From a run to its value, as text.
    refused : bool
        Whether runs that differ in it are refused; otherwise they are marked.
    """

    keys: tuple[str, ...]
    what: str
    told: Callable[[ComparedRun], str]
    refused: bool = True


_DATA = ("data.name", "data.folder", "data.spec", "data.fingerprint", "data.split", "data.limit")
_DEFINITIONS = (
    _Definition((*_DATA, "data.images"), "data", lambda run: of_images(run)),
    _Definition(("parameters.scoring",), "scoring", lambda run: run.dissection.scoring),
    _Definition(
        ("parameters.iou_threshold",), "IoU threshold", lambda run: f"{run.dissection.iou_threshold!r}"
    ),
    _Definition(
        ("parameters.min_images",), "smallest number of images", lambda run: f"{run.dissection.min_images}"
    ),
    _Definition(
        ("parameters.upsample",),
        "upsampling",
        lambda run: str(_parameters(run).get("upsample") or ""),
        refused=False,
    ),
)


def of_images(run: ComparedRun) -> str:
    """Tell which images a run is of, in words that are the same for runs of the same.

    Parameters
    ----------
    run : ComparedRun

    Returns
    -------
    str
    """
    data, images = run.data, len(run.dissection.images)
    parts = [str(data["name"]) if data.get("name") else "data without a name"]
    fingerprint = data.get("fingerprint")
    parts += [f"fingerprint {fingerprint[:_SHOWN]}"] if isinstance(fingerprint, str) else []
    parts += [f"split {data['split']}"] if data.get("split") else []
    parts += [f"limit {data['limit']}"] if data.get("limit") else []
    parts += [counted(images, "image") if images else "no images"]
    return ", ".join(parts)


def expect_comparable(
    runs: Sequence[ComparedRun], layers: Sequence[Selected], by: str, selection: Selection, *, anyway: bool
) -> tuple[str, ...]:
    """Refuse to compare what is defined otherwise, unless that was asked for.

    Parameters
    ----------
    runs : sequence of ComparedRun
    layers : sequence of Selected
        Of the runs.
    by : str
        What is grouped by; who groups by a definition asks for runs that differ in it.
    selection : Selection
    anyway : bool
        Compare them all the same.

    Returns
    -------
    tuple of str
        In what they differ, a sentence each.

    Raises
    ------
    RunMismatchError
        If they differ in data, scoring, IoU threshold, smallest number of images of a concept, or quantile.
    """
    refused: list[str] = []
    marks: list[str] = []
    for one in _DEFINITIONS:
        if by not in one.keys:
            said = _difference(one.what, [(_identity(one, run), one.told(run), run.label) for run in runs])
            (refused if one.refused else marks).extend([said] if said else [])
    if by not in _DEFINITIONS[0].keys and not refused:
        said = _other_pixels(runs)
        marks += [said] if said else []
    if by not in ("quantile", "parameters.quantiles") and len(selection.quantiles) < 2:
        told = [(layer.quantile, f"{layer.quantile:g}", layer.run.label) for layer in layers]
        said = _difference("quantile", told)
        refused += [said] if said else []
    if refused and not anyway:
        more = f"; {'; '.join(refused[1:])}" if refused[1:] else ""
        raise RunMismatchError(f"these runs are not comparable as they are: {refused[0]}{more}", hint=_HINT)
    return (*refused, *marks)


def _identity(one: _Definition, run: ComparedRun) -> Any:
    if one.what != "data":
        return one.told(run)
    # by what it holds and not by its name: data may lie in another folder
    data = run.data
    named = data.get("name") if data.get("fingerprint") is None else None
    kept = (data.get("fingerprint"), data.get("split"), data.get("limit"), named)
    return (*kept, len(run.dissection.images))


def _difference(what: str, told: Sequence[tuple[Any, str, str]]) -> str:
    """Say in a sentence which runs have which value; nothing if all have the same."""
    values: dict[Any, tuple[str, list[str]]] = {}
    for identity, said, label in told:
        if not said:  # results that were imported tell less
            continue
        labels = values.setdefault(identity, (said, []))[1]
        if label not in labels:
            labels.append(label)
    if len(values) < 2:
        return ""
    each = [f"{said} ({_listed(labels)})" for said, labels in values.values()]
    return f"the {what} differs: {'; '.join(each)}"


def _other_pixels(runs: Sequence[ComparedRun]) -> str:
    """Say of which concept imported results tell another number of pixels, if of any.

    They have no fingerprint, and their files do not name the data.
    """
    told: dict[tuple[str, str], list[tuple[Any, str, str]]] = {}
    for run in runs:
        for concept in run.dissection.concepts if run.dissection.imported else ():
            if concept.truth:
                value = concept.truth, f"{concept.truth:,} pixels", run.label
                told.setdefault((concept.name, concept.category), []).append(value)
    every = (
        _difference(f"truth of {shown(name)} ({category})", told[name, category]) for name, category in told
    )
    return next(filter(None, every), "")


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - _NAMED
    return ", ".join(labels[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _parameters(run: ComparedRun) -> dict[str, Any]:
    found: dict[str, Any] = run.dissection.manifest.get("parameters") or {}
    return found
