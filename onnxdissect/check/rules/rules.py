"""The rules: functions from a comparison to findings, one for each layer or concept that a rule is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.baseline.snapshot import LayerSnapshot
from onnxdissect.check.comparing.comparison import Comparison, LayerPair
from onnxdissect.check.rules.findings import SHOWN, count_detectors, lost_concepts, make_finding, why_untested
from onnxdissect.check.rules.labels import labels_rule
from onnxdissect.check.rules.minima import concepts_rule, minima_rule
from onnxdissect.check.rules.wording import list_names, loss_sentence
from onnxdissect.check.verdict import Finding
from onnxdissect.statistics.corrections import holm
from onnxdissect.statistics.drift import quantile_shift
from onnxdissect.statistics.paired import unique_loss_p_value

__all__ = ["apply_rules"]


def apply_rules(comparison: Comparison) -> tuple[Finding, ...]:
    """Apply all rules that are not off.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    tuple of Finding
        At least one for each rule and place that the rule is about: passed, failed or untested.
    """
    # In this order they are printed: what the network detects, then how its units changed.
    rules: tuple[Callable[[Comparison], Iterator[Finding]], ...] = (
        _layers,
        minima_rule,
        concepts_rule,
        labels_rule,
        _iou_loss,
        _unique_loss,
        _dead,
        _duplicates,
        _drift,
    )
    return tuple(
        finding
        for rule in rules
        for finding in rule(comparison)
        if comparison.config.levels[finding.rule] != "off"
    )


def _layers(c: Comparison) -> Iterator[Finding]:
    """Ask that every layer is there, with as many units."""
    for pair in c.pairs:
        name, had = pair.before.name, pair.before.units
        if pair.after is None:
            there = [layer.name for layer in c.candidate.layers]
            message = "the candidate has no such layer, and none that looks like it"
            evidence = [f"dissected instead: {', '.join(there)}"]
            if name in c.refusals:
                message = "the candidate has a value of this name, which is no layer"
                evidence = [c.refusals[name], *evidence]
            yield make_finding(c, "layers", False, name, message, evidence)
            continue
        has = pair.after.units
        message = f"{has} units" if had == has else f"{has} units, where the baseline has {had}"
        yield make_finding(
            c, "layers", had == has, name, f"{message}; {count_detectors(c.baseline, pair.before)}"
        )


_COUNTS = (
    "not tested: counts by image are missing (a run or baseline made with --bootstrap 0), or all images are "
    "of one group, so that there is nothing to resample"
)


def _iou_loss(c: Comparison) -> Iterator[Finding]:
    """Ask that no detector lost more of its IoU than the margin, beyond chance."""
    for pair in c.pairs:
        old = pair.before
        why = why_untested(pair) or ("" if pair.resamples else _COUNTS)
        if why or pair.resamples is None or pair.after is None:
            yield make_finding(c, "iou-loss", None, old.name, why)
            continue
        one, two = pair.resamples
        labels = c.baseline.names(old.label)
        lost = [k for k, p in pair.p_values.items() if p <= c.config.significance]
        now = {k: _iou(pair.after, k, int(old.label[k]), float(two.iou[k, 0])) for k in lost}
        lines = [
            f"unit {k} {labels[k]}: IoU {old.iou[k]:.3f} became {now[k]:.3f}, "
            f"p {_p(pair.p_values[k])} (Holm), seen in {_images(int(one.images[k]))}"
            for k in sorted(lost, key=lambda k: now[k] - float(old.iou[k]))[:SHOWN]
        ]
        unseen = pair.p_values.keys() - pair.noticeable - set(lost)
        margin, rate = c.config.iou_margin, c.config.significance
        message = loss_sentence(len(pair.p_values), len(lost), len(unseen), margin=margin, significance=rate)
        yield make_finding(c, "iou-loss", not lost, old.name, message, lines)


def _iou(layer: LayerSnapshot, unit: int, concept: int, otherwise: float) -> float:
    return otherwise if layer.scores is None else float(layer.scores[unit, concept])


def _images(number: int) -> str:
    return f"{number} image{'' if number == 1 else 's'}"


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 1e-6 else "< 1e-6"


def _unique_loss(c: Comparison) -> Iterator[Finding]:
    """Ask that no layer lost more of its unique detectors than the margin, beyond chance."""
    tested = [pair.resamples for pair in c.pairs if pair.resamples is not None]
    raw = [unique_loss_p_value(one.unique, two.unique, c.config.unique_margin) for one, two in tested]
    adjusted = iter(holm(raw).tolist())
    for pair in c.pairs:
        why = why_untested(pair, by_unit=False) or ("" if pair.resamples else _COUNTS)
        if why or pair.resamples is None:
            yield make_finding(c, "unique-loss", None, pair.before.name, why)
            continue
        p = next(adjusted)
        had, has = (int(side.unique[0]) for side in pair.resamples)
        message = (
            f"{had} unique detectors became {has}; that more than {c.config.unique_margin:.0%} were lost "
            f"has p {_p(p)} (Holm, all layers together)"
        )
        lost = c.baseline.detected_concepts(pair.before)
        lost -= set() if pair.after is None else c.candidate.detected_concepts(pair.after)
        lines = lost_concepts(c, lost)
        yield make_finding(c, "unique-loss", p > c.config.significance, pair.before.name, message, lines)


def _dead(c: Comparison) -> Iterator[Finding]:
    """Ask that no more units have become silent than are allowed, beyond chance."""
    for pair in c.pairs:
        name, why = pair.before.name, why_untested(pair)
        if why or pair.after is None:
            yield make_finding(c, "dead", None, name, why)
            continue
        if np.isnan(pair.before.highest).any() or np.isnan(pair.after.highest).any():
            yield make_finding(c, "dead", None, name, "not tested: a run without top images (--top 0)")
            continue
        if pair.before.rectified is None or (pair.after.levels is None and not pair.before.rectified):
            yield make_finding(c, "dead", None, name, "not tested: a run without samples of the activations")
            continue
        what = "never above zero" if pair.before.rectified else "the same everywhere"
        new = np.array([k for k, p in pair.dead_p_values.items() if p <= c.config.significance], np.int64)
        message = (
            f"{pair.after.silent(pair.before.rectified).sum()} of {pair.after.units} units are {what}, "
            f"{len(new)} of them "
            f"newly so, {c.config.new_dead} may be"
        )
        if len(pair.dead_p_values) > len(new):
            message += f"; {len(pair.dead_p_values) - len(new)} more fired in too few images before to tell"
        yield make_finding(c, "dead", len(new) <= c.config.new_dead, name, message, _listed(new))


def _duplicates(c: Comparison) -> Iterator[Finding]:
    """Ask that no more units have become copies of others than are allowed."""
    for pair in c.pairs:
        name, why = pair.before.name, why_untested(pair)
        if why or pair.after is None:
            yield make_finding(c, "duplicates", None, name, why)
            continue
        new = np.flatnonzero(pair.after.copies & ~pair.before.copies)
        message = (
            f"{pair.after.copies.sum()} of {pair.after.units} units do what another does, {len(new)} of them "
            f"newly so, {c.config.new_duplicates} may be"
        )
        lines = [f"unit {k} like unit {pair.after.twin[k]}" for k in new[:SHOWN]]
        yield make_finding(c, "duplicates", len(new) <= c.config.new_duplicates, name, message, lines)


def _listed(units: NDArray[np.int64]) -> list[str]:
    return [f"units {list_names([str(k) for k in units])}"] if len(units) else []


def _drift(c: Comparison) -> Iterator[Finding]:
    """Ask that the activations of the median unit keep their distribution."""
    for pair in c.pairs:
        name, why = pair.before.name, why_untested(pair)
        old, new = pair.before.levels, None if pair.after is None else pair.after.levels
        if not why and (old is None or new is None):
            why = "not tested: a run without samples of the activations"
        if why or old is None or new is None:
            yield make_finding(c, "drift", None, name, why)
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
        yield make_finding(c, "drift", ok, name, message, [] if ok else lines)


def _threshold(pair: LayerPair, unit: int) -> float:
    return float("nan") if pair.after is None else float(pair.after.threshold[unit])
