"""How a rule says what it finds."""

from __future__ import annotations

from collections.abc import Sequence

from onnxdissect.check.comparing.comparison import Comparison, LayerPair
from onnxdissect.check.verdict import Finding, Level, Status

__all__ = ["SHOWN", "TRUSTED", "say", "untestable"]


SHOWN = 8

# What the baseline's detectors are called that must keep their label.
TRUSTED = {
    "interval": "reliable detectors",
    "stability": "stable detectors",
    "unknown": "detectors (stability unknown)",
}


def say(
    comparison: Comparison,
    rule: str,
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
    rule : str
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
    level: Level = "warning" if comparison.config.levels[rule] == "warning" else "error"
    status: Status = "untested" if ok is None else "passed" if ok else "failed"
    return Finding(rule, level, status, layer, message, tuple(evidence), subject)


def untestable(pair: LayerPair, *, by_unit: bool = True) -> str:
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
