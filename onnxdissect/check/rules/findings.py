"""Findings of rules: how they are made, and sentences that several rules share."""

from __future__ import annotations

from collections.abc import Sequence

from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.comparing.comparison import Comparison, LayerPair
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.rules.wording import list_names
from onnxdissect.check.verdict import Finding, Status

__all__ = [
    "DETECTOR_NAMES",
    "NO_COUNTS",
    "SHOWN",
    "count_detectors",
    "lost_concepts",
    "make_finding",
    "why_untested",
]

SHOWN = 8
"""How many lines of evidence a finding has at most."""

DETECTOR_NAMES = {
    "interval": "reliable detectors",
    "stability": "stable detectors",
    "unknown": "detectors (stability unknown)",
}
"""What the detectors that must keep their label are called in messages, by `LayerSnapshot.certainty`."""

NO_COUNTS = (
    "not tested: counts by image are missing (a run or baseline made with --bootstrap 0), or all images are "
    "of one group, so that there is nothing to resample"
)
"""Why a rule that resamples images cannot be tested."""


def make_finding(
    comparison: Comparison,
    rule: Rule,
    ok: bool | None,
    layer: str,
    message: str,
    evidence: Sequence[str] = (),
    subject: str = "",
) -> Finding:
    """Make a finding at the level that the rule has.

    Parameters
    ----------
    comparison : Comparison
    rule : Rule
    ok : bool or None
        Whether the rule is met; None if that could not be tested.
    layer : str
        Where; empty for the whole network.
    message : str
    evidence : sequence of str
        Lines that show it.
    subject : str
        What the rule is about there, such as a concept.

    Returns
    -------
    Finding
    """
    status: Status = "untested" if ok is None else "passed" if ok else "failed"
    level = rule.finding_level(comparison.config)
    return Finding(rule.name, level, status, layer, message, tuple(evidence), subject)


def why_untested(pair: LayerPair, *, by_unit: bool = True) -> str:
    """Say why a rule on a pair of layers cannot be tested; empty if it can.

    Parameters
    ----------
    pair : LayerPair
    by_unit : bool
        Whether the rule compares unit with unit.

    Returns
    -------
    str
    """
    if pair.after is None:
        return "not tested: the candidate has no such layer"
    if by_unit and not pair.units_agree:
        return f"not tested: {pair.after.units} units cannot be compared with {pair.before.units} one by one"
    return ""


def count_detectors(baseline: Snapshot, layer: LayerSnapshot) -> str:
    """Say how many detectors a layer of the baseline has, and how many of them are reliable if that is known.

    Parameters
    ----------
    baseline : Snapshot
    layer : LayerSnapshot

    Returns
    -------
    str
    """
    said = f"the baseline has {baseline.detectors(layer).sum()} detectors"
    return (
        said
        if layer.certainty != "interval"
        else f"{said}, {baseline.reliable(layer).sum()} of them reliable"
    )


def lost_concepts(comparison: Comparison, concepts: set[int]) -> list[str]:
    """Name concepts that have no detector any more, as a line of evidence.

    Parameters
    ----------
    comparison : Comparison
    concepts : set of int
        Their positions.

    Returns
    -------
    list of str
        Empty if there are none.
    """
    names = [comparison.baseline.concepts[concept] for concept in sorted(concepts)]
    return [f"without a detector now: {list_names(names)}"] if names else []
