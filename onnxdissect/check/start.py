"""A first file of rules, from what a baseline shows."""

from __future__ import annotations

import json

from onnxdissect.check.snapshot import Snapshot

__all__ = ["first_config"]


def first_config(baseline: Snapshot) -> str:
    """Write a commented ``onnxdissect.toml``.

    Parameters
    ----------
    baseline : Snapshot

    Returns
    -------
    str
        TOML that the baseline itself passes.
    """
    detectors = 0
    best: dict[int, float] = {}
    for layer in baseline.layers:
        for label, iou in zip(layer.label.tolist(), layer.iou.tolist(), strict=True):
            if label >= 0 and iou > baseline.iou_threshold:
                detectors += 1
                best[label] = max(iou, best.get(label, 0.0))
    counts = [
        (name, sum(baseline.category_of[c] == g for c in best)) for g, name in enumerate(baseline.categories)
    ]
    strongest = sorted(best, key=lambda c: -best[c])[:3]
    names = json.dumps([baseline.concepts[c] for c in strongest], ensure_ascii=False)
    lines = [
        f"# Rules of `onnxdissect check`: the baseline has {detectors} detectors of {len(best)} concepts.",
        f"minimum-detectors = {int(0.9 * detectors)}  # nine tenths of them, over all layers",
        f"minimum-unique = {int(0.9 * len(best))}  # distinct concepts",
        f"required = {names}  # must have a detector; here the strongest three",
        "forbidden = []  # must have none, such as a watermark",
        "labels-kept = 0.8  # share of the stable detectors that keep their label",
        "significance = 0.05  # chance of a false alarm, per paired rule",
        "iou-margin = 0.1  # share of a unit's IoU that may go",
        "unique-margin = 0.05  # share of a layer's unique detectors that may go",
        "drift = 0.1  # median relative shift of a layer's thresholds",
        "",
        "[categories]  # least number of distinct concepts",
        *(f"{json.dumps(name, ensure_ascii=False)} = {int(0.8 * n)}" for name, n in counts if n),
        "",
        "[levels]  # error, warning or off",
        'duplicates = "warning"',
        'drift = "warning"',
    ]
    return "\n".join(lines) + "\n"
