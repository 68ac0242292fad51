"""The rule `labels`: reliable detectors keep their label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.baseline.snapshot import LayerSnapshot
from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.findings import DETECTOR_NAMES, SHOWN, make_finding, why_untested
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding

__all__ = ["LABELS"]

# A layer is called reordered if this share of its reliable detectors has moved to units of other numbers.
_REORDERED = 0.5

# Where no detector is reliable, labels that win in more than this share of the resamples must be kept.
_STABLE_AT_LEAST = 0.9


def _labels(c: Comparison) -> Iterator[Finding]:
    """Count the reliable detectors that keep their label."""
    least = c.config.labels_kept
    for pair in c.pairs:
        old, new = pair.before, pair.after
        why = why_untested(pair)
        if why or new is None:
            yield make_finding(c, LABELS, None, old.name, why)
            continue
        stable = c.baseline.reliable(old, c.config.stable)
        kept = stable & (old.label == new.label)
        total, have = int(stable.sum()), int(kept.sum())
        what = DETECTOR_NAMES[old.certainty]
        if not total and old.certainty == "interval":
            # With few images no interval is narrow enough, and the rule would be met whatever had changed.
            detectors = c.baseline.detectors(old)
            stable = detectors & (old.stability > min(c.config.stable, _STABLE_AT_LEAST))
            kept = stable & (old.label == new.label)
            total, have = int(stable.sum()), int(kept.sum())
            what = "stable detectors (none is reliable)"
            if not total and detectors.any():
                why = f"none of {int(detectors.sum())} detectors is stable, so no label can be asked for"
                yield make_finding(c, LABELS, True, old.name, f"{why}; more images would tell")
                continue
        message = f"{have} of {total} {what} keep their label, {least:.0%} must"
        lost = np.flatnonzero(stable & ~kept)
        before, after = c.baseline.names(old.label), c.candidate.names(new.label)
        lines = [
            f"unit {k}: {before[k]} {old.iou[k]:.3f} became "
            + (f"{after[k]} {new.iou[k]:.3f}" if after[k] else "nothing")
            for k in lost[np.argsort(-old.iou[lost], kind="stable")][:SHOWN]
        ]
        ok = have >= least * total
        yield make_finding(
            c, LABELS, ok, old.name, message, ([] if ok else _reordered(old, new, stable)) + lines
        )


def _reordered(old: LayerSnapshot, new: LayerSnapshot, stable: NDArray[np.bool_]) -> list[str]:
    """Say so if the units have the same labels and IoUs as before, but other numbers."""
    places = {
        (int(c), round(float(v), 9)): k for k, (c, v) in enumerate(zip(new.label, new.iou, strict=True))
    }
    moved = {}
    for k in np.flatnonzero(stable).tolist():
        place = places.get((int(old.label[k]), round(float(old.iou[k]), 9)))
        if place is not None and place != k:
            moved[k] = place
    if not moved or len(moved) < _REORDERED * stable.sum():
        return []
    one, place = next(iter(moved.items()))
    return [
        f"the units were reordered: {len(moved)} of {int(stable.sum())} reliable detectors are at another "
        f"place with the same IoU, unit {one} at {place}"
    ]


LABELS = Rule(
    "labels",
    level="error",
    asks="Enough of the baseline's reliable detectors keep their label.",
    remedy="Units that all kept their IoU at other places were reordered, which is harmless if the next "
    "layer was reordered alike. Otherwise the network was trained anew, or computes something else.",
    settings=("labels-kept", "stable"),
    find=_labels,
)
