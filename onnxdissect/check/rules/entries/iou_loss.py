"""The rule `iou-loss`: no detector lost IoU."""

from __future__ import annotations

from collections.abc import Iterator

from onnxdissect.check.baseline.snapshot import LayerSnapshot
from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.findings import NO_COUNTS, SHOWN, make_finding, why_untested
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.rules.wording import loss_sentence, p_value_text
from onnxdissect.check.verdict import Finding

__all__ = ["IOU_LOSS"]


def _iou_loss(c: Comparison) -> Iterator[Finding]:
    """Ask that no detector lost more of its IoU than the margin, beyond chance."""
    for pair in c.pairs:
        old = pair.before
        why = why_untested(pair) or ("" if pair.resamples else NO_COUNTS)
        if why or pair.resamples is None or pair.after is None:
            yield make_finding(c, IOU_LOSS, None, old.name, why)
            continue
        one, two = pair.resamples
        labels = c.baseline.names(old.label)
        lost = [k for k, p in pair.p_values.items() if p <= c.config.significance]
        now = {k: _iou(pair.after, k, int(old.label[k]), float(two.iou[k, 0])) for k in lost}
        lines = [
            f"unit {k} {labels[k]}: IoU {old.iou[k]:.3f} became {now[k]:.3f}, "
            f"p {p_value_text(pair.p_values[k])} (Holm), seen in {_images(int(one.images[k]))}"
            for k in sorted(lost, key=lambda k: now[k] - float(old.iou[k]))[:SHOWN]
        ]
        unseen = pair.p_values.keys() - pair.noticeable - set(lost)
        margin, rate = c.config.iou_margin, c.config.significance
        message = loss_sentence(len(pair.p_values), len(lost), len(unseen), margin=margin, significance=rate)
        yield make_finding(c, IOU_LOSS, not lost, old.name, message, lines)


def _iou(layer: LayerSnapshot, unit: int, concept: int, otherwise: float) -> float:
    return otherwise if layer.scores is None else float(layer.scores[unit, concept])


def _images(number: int) -> str:
    return f"{number} image{'' if number == 1 else 's'}"


IOU_LOSS = Rule(
    "iou-loss",
    level="error",
    asks="No detector lost more of its IoU than the margin, beyond chance.",
    remedy="The evidence names unit, concept and p-value. A loss in all units points to preprocessing or "
    "precision, in a few to training or pruning.",
    settings=("iou-margin", "significance", "resamples", "seed"),
    find=_iou_loss,
)
