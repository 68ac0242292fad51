"""Rules applied: a candidate's snapshot held against the baseline's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.config import Config
from onnxdissect.check.paired import LayerResamples, Resampler, holm, loss_p_values, share_p_value
from onnxdissect.check.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.verdict import ChangedUnit, Finding, Level
from onnxdissect.errors import ParameterError, RunMismatchError, nearest

__all__ = ["compare"]

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Pair:
    before: LayerSnapshot
    after: LayerSnapshot
    sampled: tuple[LayerResamples, LayerResamples] | None


def compare(
    baseline: Snapshot, candidate: Snapshot, config: Config
) -> tuple[tuple[Finding, ...], tuple[ChangedUnit, ...]]:
    """Apply all rules that are not off.

    Parameters
    ----------
    baseline, candidate : Snapshot
        Of the same data. A layer of the candidate belongs to the baseline's of the same name.
    config : Config

    Returns
    -------
    findings : tuple of Finding
    changed : tuple of ChangedUnit
        Detectors of the baseline that lost their IoU or changed their label, largest loss first.

    Raises
    ------
    RunMismatchError
        If the runs are of different data or definitions.
    ParameterError
        If the rules name a concept or category that the data does not have.
    """
    for what in ("fingerprint", "split", "limit", "images"):
        if baseline.data.get(what) != candidate.data.get(what):
            raise RunMismatchError(
                f"the baseline's data has {what} {baseline.data.get(what)!r}, the candidate's "
                f"{candidate.data.get(what)!r}: nothing can be compared",
                hint="use the data the baseline was made with, or write the baseline again",
            )
    for what in ("iou_threshold", "scoring"):
        if getattr(baseline, what) != getattr(candidate, what):
            raise RunMismatchError(
                f"the baseline was made with {what} {getattr(baseline, what)!r}, "
                f"the candidate with {getattr(candidate, what)!r}"
            )
    _check_names(config, baseline)
    comparison = _Comparison(baseline, candidate, config)
    return tuple(comparison.findings()), comparison.changed()


def _check_names(config: Config, baseline: Snapshot) -> None:
    for kind, names, known in (
        ("concept", (*config.required, *config.forbidden), baseline.concepts),
        ("category", tuple(config.categories), baseline.categories),
    ):
        for name in names:
            if name not in known:
                raise ParameterError(
                    f"a rule names the {kind} {name!r}, which the data does not have",
                    candidates=nearest(name, known),
                )


class _Comparison:
    def __init__(self, baseline: Snapshot, candidate: Snapshot, config: Config) -> None:
        self._baseline, self._candidate, self._config = baseline, candidate, config
        self._pairs = self._pair()
        self._p = self._unit_p_values()

    def _pair(self) -> list[_Pair]:
        base, config = self._baseline, self._config
        after = {layer.name: layer for layer in self._candidate.layers}
        wanted = any(config.levels[rule] != "off" for rule in ("iou-loss", "unique-loss"))
        resampler = None
        # The counts by image are those of the paper's denominator.
        if wanted and base.truth is not None and base.scoring == "paper":
            resampler = Resampler(base.truth, base.category_of, resamples=config.resamples, seed=config.seed)
        pairs = []
        for layer in base.layers:
            other = after.get(layer.name)
            if other is None or len(other.label) != len(layer.label):
                continue
            sampled = None
            if resampler is not None and layer.evidence is not None and other.evidence is not None:
                one, two = (
                    resampler.layer(e, layer.label, quantile=0, iou_threshold=base.iou_threshold)
                    for e in (layer.evidence, other.evidence)
                )
                sampled = (one, two)
            pairs.append(_Pair(layer, other, sampled))
        return pairs

    def _unit_p_values(self) -> dict[tuple[str, int], float]:
        keys: list[tuple[str, int]] = []
        raw: list[float] = []
        for pair in self._pairs:
            if pair.sampled is None:
                continue
            one, two = pair.sampled
            p = loss_p_values(one.iou, two.iou, one.images, self._config.iou_margin)
            for k in np.flatnonzero(self._detectors(pair.before)):
                keys.append((pair.before.name, int(k)))
                raw.append(float(p[k]))
        return dict(zip(keys, holm(raw), strict=True))

    def _detectors(self, layer: LayerSnapshot) -> NDArray[np.bool_]:
        return (layer.iou > self._baseline.iou_threshold) & (layer.label >= 0)

    def _names(self, labels: Sequence[int] | NDArray[np.int64]) -> list[str]:
        return ["" if c < 0 else self._baseline.concepts[c] for c in labels]

    def _labels(self) -> set[int]:
        return {int(c) for layer in self._candidate.layers for c in layer.label[self._detectors(layer)]}

    def changed(self) -> tuple[ChangedUnit, ...]:
        found = []
        for pair in self._pairs:
            old, new = pair.before, pair.after
            names_before, names_after = self._names(old.label), self._names(new.label)
            for k in np.flatnonzero(self._detectors(old)):
                p = self._p.get((old.name, int(k)))
                same = old.label[k] == new.label[k]
                lost = p is not None and p <= self._config.significance
                if same and not lost:
                    continue
                after = float(new.iou[k]) if same else 0.0
                if not same and pair.sampled is not None:
                    after = float(pair.sampled[1].iou[k, 0])
                found.append(
                    ChangedUnit(
                        old.name, int(k), names_before[k], names_after[k], float(old.iou[k]), after, p
                    )
                )
        return tuple(sorted(found, key=lambda unit: unit.iou_after - unit.iou_before))

    def findings(self) -> Iterator[Finding]:
        for rule in (
            self._layers,
            self._minimum,
            self._concepts,
            self._kept,
            self._iou_loss,
            self._unique_loss,
            self._units,
            self._drift,
        ):
            for finding in rule():
                if self._config.levels[finding.rule] != "off":
                    yield finding

    def _say(
        self, rule: str, ok: bool | None, layer: str, message: str, evidence: Sequence[str] = ()
    ) -> Finding:
        level: Level = "warning" if self._config.levels[rule] == "warning" else "error"
        status = "untested" if ok is None else "passed" if ok else "failed"
        return Finding(rule, level, status, layer, message, tuple(evidence))  # type: ignore[arg-type]

    def _layers(self) -> Iterator[Finding]:
        after = {layer.name: layer for layer in self._candidate.layers}
        for layer in self._baseline.layers:
            other = after.get(layer.name)
            if other is None:
                yield self._say("layers", False, layer.name, "the candidate has no such layer", [*after])
                continue
            had, has = len(layer.label), len(other.label)
            yield self._say("layers", had == has, layer.name, f"{has} units, where the baseline has {had}")

    def _minimum(self) -> Iterator[Finding]:
        config, labels = self._config, self._labels()
        detectors = sum(int(self._detectors(layer).sum()) for layer in self._candidate.layers)
        for rule, have, least in (
            ("detectors", detectors, config.minimum_detectors),
            ("unique", len(labels), config.minimum_unique),
        ):
            yield self._say(rule, have >= least, "", f"{have} of at least {least} over all layers")
        for name, least in config.categories.items():
            g = self._baseline.categories.index(name)
            have = sum(self._baseline.category_of[c] == g for c in labels)
            yield self._say("categories", bool(have >= least), "", f"{name}: {have} of at least {least}")

    def _concepts(self) -> Iterator[Finding]:
        found = set(self._names(sorted(self._labels())))
        for name in self._config.required:
            have = name in found
            yield self._say("required", have, "", f"{name!r} has {'a' if have else 'no'} detector")
        for name in self._config.forbidden:
            have = name in found
            where = [
                f"{layer.name} unit {k}, IoU {layer.iou[k]:.3f}"
                for layer in self._candidate.layers
                for k in np.flatnonzero(self._detectors(layer))
                if self._baseline.concepts[layer.label[k]] == name
            ]
            message = f"{name!r} has {'a' if have else 'no'} detector"
            yield self._say("forbidden", not have, "", message, where[:_SHOWN])

    def _kept(self) -> Iterator[Finding]:
        least = self._config.labels_kept
        for pair in self._pairs:
            stability = pair.before.stability
            stable = self._detectors(pair.before) & ~(stability < self._config.stable)
            kept = stable & (pair.before.label == pair.after.label)
            total, have = int(stable.sum()), int(kept.sum())
            ok = total == 0 or have >= least * total
            message = f"{have} of {total} stable detectors keep their label, {least:.0%} must"
            lost = np.flatnonzero(stable & ~kept)
            before, after = self._names(pair.before.label), self._names(pair.after.label)
            lines = [f"unit {k}: {before[k]} became {after[k] or 'nothing'}" for k in lost[:_SHOWN]]
            yield self._say("labels", ok, pair.before.name, message, lines)

    def _untested(self, rule: str, pair: _Pair) -> Finding:
        return self._say(
            rule, None, pair.before.name, "not tested: a run without counts by image, or not scored as paper"
        )

    def _iou_loss(self) -> Iterator[Finding]:
        config = self._config
        for pair in self._pairs:
            name = pair.before.name
            if pair.sampled is None:
                yield self._untested("iou-loss", pair)
                continue
            one, two = pair.sampled
            labels = self._names(pair.before.label)
            tested = [k for layer, k in self._p if layer == name]
            lost = [k for k in tested if self._p[name, k] <= config.significance]
            lines = [
                f"unit {k} {labels[k]}: IoU {one.iou[k, 0]:.3f} became {two.iou[k, 0]:.3f}, "
                f"p = {self._p[name, k]:.2g} (Holm), {one.images[k]} images"
                for k in sorted(lost, key=lambda k: two.iou[k, 0] - one.iou[k, 0])[:_SHOWN]
            ]
            message = (
                f"{len(lost)} of {len(tested)} detectors lost more than {config.iou_margin:.0%} of their IoU "
                f"(level {config.significance:g}, all units together)"
            )
            yield self._say("iou-loss", not lost, name, message, lines)

    def _unique_loss(self) -> Iterator[Finding]:
        config = self._config
        tested = [pair for pair in self._pairs if pair.sampled is not None]
        raw = [
            share_p_value(p.sampled[0].unique, p.sampled[1].unique, config.unique_margin)
            for p in tested
            if p.sampled is not None
        ]
        adjusted = {pair.before.name: p for pair, p in zip(tested, holm(raw), strict=True)}
        for pair in self._pairs:
            if pair.sampled is None:
                yield self._untested("unique-loss", pair)
                continue
            p = adjusted[pair.before.name]
            had, has = (int(side.unique[0]) for side in pair.sampled)
            message = f"{had} unique detectors became {has}, p = {p:.2g} (Holm) for losing more than "
            message += f"{config.unique_margin:.0%}"
            yield self._say("unique-loss", p > config.significance, pair.before.name, message)

    def _units(self) -> Iterator[Finding]:
        for pair in self._pairs:
            for rule, allowed, before, after in (
                ("dead", self._config.new_dead, pair.before.dead, pair.after.dead),
                ("duplicates", self._config.new_duplicates, _copies(pair.before), _copies(pair.after)),
            ):
                new = np.flatnonzero(after & ~before)
                message = f"{len(new)} units newly so, {allowed} may be (baseline {before.sum()})"
                units = ["units " + ", ".join(map(str, new[:_SHOWN]))] if len(new) else []
                yield self._say(rule, len(new) <= allowed, pair.before.name, message, units)

    def _drift(self) -> Iterator[Finding]:
        for pair in self._pairs:
            old, new = pair.before.threshold, pair.after.threshold
            alive = (old != 0) & ~pair.before.dead
            shift = np.abs(new[alive] - old[alive]) / np.abs(old[alive])
            middle = float(np.median(shift)) if len(shift) else 0.0
            message = f"thresholds moved by {middle:.1%} in the median, {self._config.drift:.1%} may be"
            yield self._say("drift", middle <= self._config.drift, pair.before.name, message)


def _copies(layer: LayerSnapshot) -> NDArray[np.bool_]:
    return np.not_equal(layer.twin, np.arange(len(layer.twin)))
