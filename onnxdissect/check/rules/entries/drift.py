"""The rule `drift`: activations keep their distribution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxdissect.check.comparing.comparison import Comparison, LayerPair
from onnxdissect.check.rules.findings import SHOWN, make_finding, why_untested
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding
from onnxdissect.statistics.drift import quantile_shift

__all__ = ["DRIFT"]


def _drift(c: Comparison) -> Iterator[Finding]:
    """Ask that the activations of the median unit keep their distribution."""
    for pair in c.pairs:
        name, why = pair.before.name, why_untested(pair)
        old, new = pair.before.levels, None if pair.after is None else pair.after.levels
        if not why and (old is None or new is None):
            why = "not tested: a run without samples of the activations"
        if why or old is None or new is None:
            yield make_finding(c, DRIFT, None, name, why)
            continue
        shift = quantile_shift(old, new)
        alive = np.flatnonzero(np.isfinite(shift))
        middle = float(np.median(shift[alive])) if alive.size else 0.0
        worst = alive[np.argsort(-shift[alive], kind="stable")][:SHOWN]
        ok = middle <= c.config.drift
        lines = [
            f"unit {k}: {shift[k]:.1%}, T_k {pair.before.threshold[k]:.4g} became {_threshold(pair, k):.4g}"
            for k in worst
        ]
        message = (
            f"the median unit's activations moved by {middle:.1%} of their spread, "
            f"{c.config.drift:.1%} may be"
        )
        yield make_finding(c, DRIFT, ok, name, message, [] if ok else lines)


def _threshold(pair: LayerPair, unit: int) -> float:
    return float("nan") if pair.after is None else float(pair.after.threshold[unit])


DRIFT = Rule(
    "drift",
    level="warning",
    asks="The activations of each layer keep their distribution.",
    remedy="Calibrate a quantised model on images like the baseline's, and compare the preprocessing.",
    settings=("drift",),
    find=_drift,
)
