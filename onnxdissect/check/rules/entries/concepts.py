"""The rules `required` and `forbidden`: concepts that must, and must not, have a detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.findings import SHOWN, make_finding
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding

__all__ = ["FORBIDDEN", "REQUIRED"]


def _required(c: Comparison) -> Iterator[Finding]:
    """Ask that each concept on the list has a detector."""
    for name in c.config.required:
        concept = c.baseline.concepts.index(name)
        found = _best(c, concept, detectors=True)
        closest = [] if found else _best(c, concept, detectors=False)
        evidence = [f"closest: {line}" for line in closest[:1]]
        if not found and not closest:
            evidence = ["no unit's masks overlap it anywhere"]
        yield make_finding(c, REQUIRED, bool(found), "", _said(name, found), evidence, name)


def _forbidden(c: Comparison) -> Iterator[Finding]:
    """Ask that no concept on the list has a detector."""
    for name in c.config.forbidden:
        found = _best(c, c.baseline.concepts.index(name), detectors=True)
        yield make_finding(c, FORBIDDEN, not found, "", _said(name, found), found[:SHOWN], name)


def _said(name: str, found: Sequence[str]) -> str:
    return f"{name!r} has {len(found) or 'no'} detector{'s' if len(found) > 1 else ''}"


def _best(c: Comparison, concept: int, *, detectors: bool) -> list[str]:
    """Units of the candidate by falling IoU with a concept, as lines."""
    found: list[tuple[float, str]] = []
    for layer in c.candidate.layers:
        if detectors:
            units = np.flatnonzero(c.candidate.detectors(layer) & (layer.label == concept))
            scores = layer.iou
        else:
            scores = np.zeros(layer.units) if layer.scores is None else layer.scores[:, concept]
            units = np.flatnonzero(scores > 0)
        labels = c.candidate.names(layer.label)
        for k in units:
            line = f"{layer.name} unit {k}, IoU {scores[k]:.3f}"
            # A concept may exceed the threshold and still not be what the unit detects best.
            if not detectors and layer.label[k] != concept and labels[k]:
                line += f", whose label is {labels[k]} {layer.iou[k]:.3f}"
            found.append((float(scores[k]), line))
    return [line for _, line in sorted(found, key=lambda item: -item[0])]


REQUIRED = Rule(
    "required",
    level="error",
    asks="Each concept on the list has a detector.",
    remedy="The evidence names the unit that comes closest: one just below the IoU threshold has faded, "
    "one at zero is gone.",
    settings=("required",),
    find=_required,
)

FORBIDDEN = Rule(
    "forbidden",
    level="error",
    asks="No concept on the list has a detector.",
    remedy="The evidence names the units. Look at their top images: the training data may carry the cue.",
    settings=("forbidden",),
    find=_forbidden,
)
