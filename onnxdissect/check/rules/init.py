"""A first file of rules, from what a baseline shows."""

from __future__ import annotations

import json
from collections.abc import Iterator

from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.rules import RULES
from onnxdissect.storage.json_file import UNSEEN

__all__ = ["first_config"]

# How many concepts are required, and which share of the baseline's numbers the minima are.
_REQUIRED = 3
_KEPT = 0.9
_KEPT_OF_CATEGORY = 0.8


def first_config(baseline: Snapshot) -> str:
    """Write a commented ``onnxdissect.toml`` that names every setting.

    Parameters
    ----------
    baseline : Snapshot

    Returns
    -------
    str
        TOML that the baseline itself passes.
    """
    return "\n".join([*_settings(baseline), "", *_tables(baseline)]) + "\n"


def _settings(baseline: Snapshot) -> Iterator[str]:
    default = Config()
    best = _best(baseline)
    detectors = sum(int(baseline.detectors(layer).sum()) for layer in baseline.layers)
    strongest = [baseline.concepts[c] for c in sorted(best, key=lambda c: -best[c])[:_REQUIRED]]
    there = f"{detectors} detectors of {len(best)} concepts in {len(baseline.layers)} layers"
    yield f"# Rules of `onnxdissect check`, from a baseline with {there}."
    if any(layer.certainty == "interval" for layer in baseline.layers):
        reliable = sum(int(baseline.reliable(layer).sum()) for layer in baseline.layers)
        yield f"# {reliable} of the detectors are reliable."
    yield "# A setting behind a # has the value shown; take the # away to change it."
    yield ""
    yield f'#provider = "{default.provider}"  # execution provider that the model must run on'
    yield '#data = ""  # where the data lies; empty for where the baseline found it'
    yield ""
    yield "# How much there must be, over all layers."
    yield f"minimum-detectors = {int(_KEPT * detectors)}  # nine tenths of the baseline's units"
    yield f"minimum-unique = {int(_KEPT * len(best))}  # nine tenths of its concepts"
    yield f"required = {_toml(strongest)}  # must have a detector; here the strongest"
    yield "forbidden = []  # must have none, such as a watermark"
    yield ""
    yield "# What may change. The paired rules allow for chance, so margins can be small."
    yield f"labels-kept = {default.labels_kept}  # share of the reliable detectors that keep their label"
    yield f"#stable = {default.stable}  # reliable: the same label in more than this share of the resamples"
    yield f"iou-margin = {default.iou_margin}  # share of a unit's IoU that may go"
    yield f"unique-margin = {default.unique_margin}  # share of a layer's unique detectors that may go"
    yield f"significance = {default.significance}  # chance of a false alarm, for each paired rule"
    yield f"#resamples = {default.resamples}"
    yield f"#seed = {default.seed}"
    yield f"#new-dead = {default.new_dead}  # units of a layer that may have become silent"
    yield f"#new-duplicates = {default.new_duplicates}  # units of a layer that may have become copies"
    yield f"drift = {default.drift}  # how far activations may move, as a share of their spread"
    yield f"#parity = {default.parity}  # with --against: how far they may differ, as relative RMS"
    yield f"#parity-images = {default.parity_images}  # on so many images"


def _tables(baseline: Snapshot) -> Iterator[str]:
    best = _best(baseline)
    yield "# Least number of distinct concepts of a category, over all layers."
    yield "[categories]"
    for g, name in enumerate(baseline.categories):
        number = sum(int(baseline.category_of[c]) == g for c in best)
        if number:
            yield f"{_toml(name)} = {int(_KEPT_OF_CATEGORY * number)}  # of {number}"
    yield ""
    yield "# Least number of detectors, and of distinct concepts, of single layers."
    for layer in baseline.layers:
        units, concepts = int(baseline.detectors(layer).sum()), len(baseline.detected_concepts(layer))
        yield f"#[layers.{_toml(layer.name)}]  # has {units} detectors of {concepts} concepts"
        yield f"#minimum-detectors = {int(_KEPT * units)}"
        yield f"#minimum-unique = {int(_KEPT * concepts)}"
    yield ""
    yield "# error: the check fails; warning: it is said; off: it is not tested."
    yield "[levels]"
    for rule in RULES:
        if not rule.fixed:
            yield f'{rule.name} = "{rule.level}"  # {rule.asks}'


def _best(baseline: Snapshot) -> dict[int, float]:
    """Give the highest IoU of each concept that has a detector."""
    best: dict[int, float] = {}
    for layer in baseline.layers:
        for label, iou in _detector_ious(baseline, layer):
            best[label] = max(iou, best.get(label, 0.0))
    return best


def _detector_ious(baseline: Snapshot, layer: LayerSnapshot) -> Iterator[tuple[int, float]]:
    there = baseline.detectors(layer)
    yield from zip(layer.label[there].tolist(), layer.iou[there].tolist(), strict=True)


def _toml(value: object) -> str:
    # Strings and lists of JSON are strings and lists of TOML, but for what JSON leaves bare.
    text = json.dumps(value, ensure_ascii=False)
    return UNSEEN.sub(lambda found: f"\\U{ord(found[0]):08x}", text)
