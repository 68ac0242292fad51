"""The rules: each looks at a comparison and says what it finds, place by place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.comparison import Comparison, LayerPair
from onnxdissect.check.config import LayerMinimum
from onnxdissect.check.paired import holm, share_p_value
from onnxdissect.check.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.verdict import Finding, Level, Status
from onnxdissect.check.wording import losses

__all__ = ["apply_rules"]

_SHOWN = 8
# What the baseline's detectors are called that must keep their label.
_TRUSTED = {
    "interval": "reliable detectors",
    "stability": "stable detectors",
    "unknown": "detectors (stability unknown)",
}
# Share of the reliable detectors that must be found at other places for a layer to be called reordered.
_REORDERED = 0.5


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
    # Concepts first: they are what the others are measured for.
    rules: tuple[Callable[[Comparison], Iterator[Finding]], ...] = (
        _layers,
        _minima,
        _concepts,
        _labels,
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


def _say(
    comparison: Comparison,
    rule: str,
    ok: bool | None,
    layer: str,
    message: str,
    evidence: Sequence[str] = (),
    subject: str = "",
) -> Finding:
    level: Level = "warning" if comparison.config.levels[rule] == "warning" else "error"
    status: Status = "untested" if ok is None else "passed" if ok else "failed"
    return Finding(rule, level, status, layer, message, tuple(evidence), subject)


def _untestable(pair: LayerPair, *, by_unit: bool = True) -> str:
    """Say why a rule on a pair of layers cannot be tested; empty if it can."""
    if pair.after is None:
        return "not tested: the candidate has no such layer"
    if by_unit and not pair.units_agree:
        return f"not tested: {pair.after.units} units cannot be compared with {pair.before.units} one by one"
    return ""


def _layers(c: Comparison) -> Iterator[Finding]:
    for pair in c.pairs:
        name, had = pair.before.name, pair.before.units
        if pair.after is None:
            there = [layer.name for layer in c.candidate.layers]
            message = "the candidate has no such layer, and none that looks like it"
            evidence = [f"dissected instead: {', '.join(there)}"]
            if name in c.refusals:
                message = "the candidate has a value of this name, which is no layer"
                evidence = [c.refusals[name], *evidence]
            yield _say(c, "layers", False, name, message, evidence)
            continue
        has = pair.after.units
        message = f"{has} units" if had == has else f"{has} units, where the baseline has {had}"
        yield _say(c, "layers", had == has, name, f"{message}; {_counted(c.baseline, pair.before)}")


def _counted(side: Snapshot, layer: LayerSnapshot) -> str:
    said = f"the baseline has {side.detectors(layer).sum()} detectors"
    return said if layer.trust != "interval" else f"{said}, {side.reliable(layer).sum()} of them reliable"


def _minima(c: Comparison) -> Iterator[Finding]:
    before, after = c.baseline.layers, c.candidate.layers
    totals = LayerMinimum(c.config.minimum_detectors, c.config.minimum_unique)
    yield from _minimum(c, "", totals, before, after)
    for name, minimum in c.config.layers.items():
        sides = (tuple(layer for layer in side if layer.name == name) for side in (before, after))
        yield from _minimum(c, name, minimum, *sides)
    labels = _detected(c.candidate, after)
    for name, least in c.config.categories.items():
        g = c.baseline.categories.index(name)
        have = sum(int(c.baseline.category_of[k]) == g for k in labels)
        message = f"distinct concepts of {name} in all layers: {have}, at least {least} asked for"
        gone = {k for k in _detected(c.baseline, before) - labels if int(c.baseline.category_of[k]) == g}
        yield _say(c, "categories", have >= least, "", message, _gone(c, gone), name)


def _minimum(
    c: Comparison,
    name: str,
    minimum: LayerMinimum,
    before: Sequence[LayerSnapshot],
    after: Sequence[LayerSnapshot],
) -> Iterator[Finding]:
    where = "" if name else " in all layers"
    if minimum.detectors:
        had, has = (
            {layer.name: int(side.detectors(layer).sum()) for layer in layers}
            for side, layers in ((c.baseline, before), (c.candidate, after))
        )
        have = sum(has.values())
        message = f"detectors{where}: {have}, at least {minimum.detectors} asked for"
        evidence = [f"{layer}: {has.get(layer, 0)}, the baseline has {had[layer]}" for layer in had]
        yield _say(c, "detectors", have >= minimum.detectors, name, message, evidence[:_SHOWN])
    if minimum.unique:
        labels = _detected(c.candidate, after)
        message = f"distinct concepts{where}: {len(labels)}, at least {minimum.unique} asked for"
        evidence = _gone(c, _detected(c.baseline, before) - labels)
        yield _say(c, "unique", len(labels) >= minimum.unique, name, message, evidence)


def _detected(side: Snapshot, layers: Sequence[LayerSnapshot]) -> set[int]:
    return set().union(*(side.detected(layer) for layer in layers))


def _gone(c: Comparison, concepts: set[int]) -> list[str]:
    names = [c.baseline.concepts[k] for k in sorted(concepts)]
    return [f"without a detector now: {_some(names)}"] if names else []


def _concepts(c: Comparison) -> Iterator[Finding]:
    for rule, names in (("required", c.config.required), ("forbidden", c.config.forbidden)):
        for name in names:
            concept = c.baseline.concepts.index(name)
            found = _best(c, concept, detectors=True)
            closest = [] if found or rule == "forbidden" else _best(c, concept, detectors=False)
            message = f"{name!r} has {len(found) or 'no'} detector{'s' if len(found) > 1 else ''}"
            evidence = found if rule == "forbidden" else [f"closest: {line}" for line in closest[:1]]
            if not found and not closest and rule == "required":
                evidence = ["no unit's masks overlap it anywhere"]
            ok = bool(found) == (rule == "required")
            yield _say(c, rule, ok, "", message, evidence[:_SHOWN], name)


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


# Share of resamples in which a label wins that is held to where no detector is reliable.
_STABLE_AT_LEAST = 0.9


def _labels(c: Comparison) -> Iterator[Finding]:
    least = c.config.labels_kept
    for pair in c.pairs:
        old, new = pair.before, pair.after
        why = _untestable(pair)
        if why or new is None:
            yield _say(c, "labels", None, old.name, why)
            continue
        stable = c.baseline.reliable(old, c.config.stable)
        kept = stable & (old.label == new.label)
        total, have = int(stable.sum()), int(kept.sum())
        what = _TRUSTED[old.trust]
        if not total and old.trust == "interval":
            # On few images no interval is narrow enough, and the rule would hold whatever had changed.
            detectors = c.baseline.detectors(old)
            stable = detectors & (old.stability > min(c.config.stable, _STABLE_AT_LEAST))
            kept = stable & (old.label == new.label)
            total, have = int(stable.sum()), int(kept.sum())
            what = "stable detectors (none is reliable)"
            if not total and detectors.any():
                why = (
                    f"not tested: none of {int(detectors.sum())} detectors is stable; more images would tell"
                )
                yield _say(c, "labels", None, old.name, why)
                continue
        message = f"{have} of {total} {what} keep their label, {least:.0%} must"
        lost = np.flatnonzero(stable & ~kept)
        before, after = c.baseline.names(old.label), c.candidate.names(new.label)
        lines = [
            f"unit {k}: {before[k]} {old.iou[k]:.3f} became "
            + (f"{after[k]} {new.iou[k]:.3f}" if after[k] else "nothing")
            for k in lost[np.argsort(-old.iou[lost], kind="stable")][:_SHOWN]
        ]
        ok = have >= least * total
        yield _say(c, "labels", ok, old.name, message, ([] if ok else _reordered(old, new, stable)) + lines)


def _reordered(old: LayerSnapshot, new: LayerSnapshot, stable: NDArray[np.bool_]) -> list[str]:
    """Say so if the units are there, but at other places."""
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


_COUNTS = (
    "not tested: counts by image are missing (a run or baseline made with --bootstrap 0), or all images are "
    "of one group, so that there is nothing to resample"
)


def _iou_loss(c: Comparison) -> Iterator[Finding]:
    for pair in c.pairs:
        old = pair.before
        why = _untestable(pair) or ("" if pair.sampled else _COUNTS)
        if why or pair.sampled is None or pair.after is None:
            yield _say(c, "iou-loss", None, old.name, why)
            continue
        one, two = pair.sampled
        labels = c.baseline.names(old.label)
        lost = [k for k, p in pair.p_values.items() if p <= c.config.significance]
        now = {k: _iou(pair.after, k, int(old.label[k]), float(two.iou[k, 0])) for k in lost}
        lines = [
            f"unit {k} {labels[k]}: IoU {old.iou[k]:.3f} became {now[k]:.3f}, "
            f"p {_p(pair.p_values[k])} (Holm), seen in {_images(int(one.images[k]))}"
            for k in sorted(lost, key=lambda k: now[k] - float(old.iou[k]))[:_SHOWN]
        ]
        unseen = pair.p_values.keys() - pair.noticeable - set(lost)
        margin, rate = c.config.iou_margin, c.config.significance
        message = losses(len(pair.p_values), len(lost), len(unseen), margin=margin, significance=rate)
        yield _say(c, "iou-loss", not lost, old.name, message, lines)


def _iou(layer: LayerSnapshot, unit: int, concept: int, otherwise: float) -> float:
    return otherwise if layer.scores is None else float(layer.scores[unit, concept])


def _images(number: int) -> str:
    return f"{number} image{'' if number == 1 else 's'}"


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 1e-6 else "< 1e-6"


def _unique_loss(c: Comparison) -> Iterator[Finding]:
    tested = [pair.sampled for pair in c.pairs if pair.sampled is not None]
    raw = [share_p_value(one.unique, two.unique, c.config.unique_margin) for one, two in tested]
    adjusted = iter(holm(raw))
    for pair in c.pairs:
        why = _untestable(pair, by_unit=False) or ("" if pair.sampled else _COUNTS)
        if why or pair.sampled is None:
            yield _say(c, "unique-loss", None, pair.before.name, why)
            continue
        p = next(adjusted)
        had, has = (int(side.unique[0]) for side in pair.sampled)
        message = (
            f"{had} unique detectors became {has}; that more than {c.config.unique_margin:.0%} were lost "
            f"has p {_p(p)} (Holm, all layers together)"
        )
        lost = c.baseline.detected(pair.before)
        lost -= set() if pair.after is None else c.candidate.detected(pair.after)
        lines = _gone(c, lost)
        yield _say(c, "unique-loss", p > c.config.significance, pair.before.name, message, lines)


def _dead(c: Comparison) -> Iterator[Finding]:
    for pair in c.pairs:
        name, why = pair.before.name, _untestable(pair)
        if why or pair.after is None:
            yield _say(c, "dead", None, name, why)
            continue
        if np.isnan(pair.before.highest).any() or np.isnan(pair.after.highest).any():
            yield _say(c, "dead", None, name, "not tested: a run without top images (--top 0)")
            continue
        if pair.before.rectified is None or (pair.after.levels is None and not pair.before.rectified):
            yield _say(c, "dead", None, name, "not tested: a run without samples of the activations")
            continue
        what = "never above zero" if pair.before.rectified else "the same everywhere"
        new = np.array([k for k, p in pair.deaths.items() if p <= c.config.significance], np.int64)
        message = (
            f"{pair.after.silent(pair.before.rectified).sum()} of {pair.after.units} units are {what}, "
            f"{len(new)} of them "
            f"newly so, {c.config.new_dead} may be"
        )
        if len(pair.deaths) > len(new):
            message += f"; {len(pair.deaths) - len(new)} more fired in too few images before to tell"
        yield _say(c, "dead", len(new) <= c.config.new_dead, name, message, _listed(new))


def _duplicates(c: Comparison) -> Iterator[Finding]:
    for pair in c.pairs:
        name, why = pair.before.name, _untestable(pair)
        if why or pair.after is None:
            yield _say(c, "duplicates", None, name, why)
            continue
        new = np.flatnonzero(pair.after.copies & ~pair.before.copies)
        message = (
            f"{pair.after.copies.sum()} of {pair.after.units} units do what another does, {len(new)} of them "
            f"newly so, {c.config.new_duplicates} may be"
        )
        lines = [f"unit {k} like unit {pair.after.twin[k]}" for k in new[:_SHOWN]]
        yield _say(c, "duplicates", len(new) <= c.config.new_duplicates, name, message, lines)


def _listed(units: NDArray[np.int64]) -> list[str]:
    return [f"units {_some([str(k) for k in units])}"] if len(units) else []


def _some(names: Sequence[str]) -> str:
    more = "" if len(names) <= 2 * _SHOWN else f" and {len(names) - 2 * _SHOWN} more"
    return ", ".join(names[: 2 * _SHOWN]) + more


def _drift(c: Comparison) -> Iterator[Finding]:
    for pair in c.pairs:
        name, why = pair.before.name, _untestable(pair)
        old, new = pair.before.levels, None if pair.after is None else pair.after.levels
        if not why and (old is None or new is None):
            why = "not tested: a run without samples of the activations"
        if why or old is None or new is None:
            yield _say(c, "drift", None, name, why)
            continue
        shift = quantile_shift(old, new)
        alive = np.flatnonzero(np.isfinite(shift))
        middle = float(np.median(shift[alive])) if alive.size else 0.0
        worst = alive[np.argsort(-shift[alive], kind="stable")][:_SHOWN]
        ok = middle <= c.config.drift
        lines = [
            f"unit {k}: {shift[k]:.1%}, T_k {pair.before.threshold[k]:.4g} became {_threshold(pair, k):.4g}"
            for k in worst
        ]
        message = (
            f"the median unit's activations moved by {middle:.1%} of their spread, "
            f"{c.config.drift:.1%} may be"
        )
        yield _say(c, "drift", ok, name, message, [] if ok else lines)


def _threshold(pair: LayerPair, unit: int) -> float:
    return float("nan") if pair.after is None else float(pair.after.threshold[unit])


def quantile_shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far each unit's distribution of activations moved.

    Parameters
    ----------
    before, after : ndarray of float64, shape (K, L)
        Activations at the same quantiles.

    Returns
    -------
    ndarray of float64, shape (K,)
        Root mean square of the differences over the standard deviation of `before`; NaN for units that
        were constant.
    """
    spread = before.std(axis=1)
    # The spread of a constant unit is not always exactly zero.
    steady = spread <= 1e-6 * np.abs(before).max(axis=1)
    moved = np.sqrt(np.square(after - before).mean(axis=1))
    shift = np.full(len(spread), np.nan)
    np.divide(moved, spread, out=shift, where=~steady)
    return shift
