"""The rule `unique-loss`: no layer lost unique detectors."""

from __future__ import annotations

from collections.abc import Iterator

from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.findings import NO_COUNTS, lost_concepts, make_finding, why_untested
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.rules.wording import p_value_text
from onnxdissect.check.verdict import Finding
from onnxdissect.statistics.corrections import holm
from onnxdissect.statistics.paired import unique_loss_p_value

__all__ = ["UNIQUE_LOSS"]


def _unique_loss(c: Comparison) -> Iterator[Finding]:
    """Ask that no layer lost more of its unique detectors than the margin, beyond chance."""
    tested = [pair.resamples for pair in c.pairs if pair.resamples is not None]
    raw = [unique_loss_p_value(one.unique, two.unique, c.config.unique_margin) for one, two in tested]
    adjusted = iter(holm(raw).tolist())
    for pair in c.pairs:
        why = why_untested(pair, by_unit=False) or ("" if pair.resamples else NO_COUNTS)
        if why or pair.resamples is None:
            yield make_finding(c, UNIQUE_LOSS, None, pair.before.name, why)
            continue
        p = next(adjusted)
        had, has = (int(side.unique[0]) for side in pair.resamples)
        message = (
            f"{had} unique detectors became {has}; that more than {c.config.unique_margin:.0%} were lost "
            f"has p {p_value_text(p)} (Holm, all layers together)"
        )
        lost = c.baseline.detected_concepts(pair.before)
        lost -= set() if pair.after is None else c.candidate.detected_concepts(pair.after)
        lines = lost_concepts(c, lost)
        yield make_finding(c, UNIQUE_LOSS, p > c.config.significance, pair.before.name, message, lines)


UNIQUE_LOSS = Rule(
    "unique-loss",
    level="error",
    asks="No layer lost more of its distinct concepts than the margin, beyond chance.",
    remedy="The evidence names the concepts that have no detector any more.",
    settings=("unique-margin", "significance", "resamples", "seed"),
    find=_unique_loss,
)
