"""The rules between two snapshots: what they find, how they say it, and which settings will not do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.checking import compare, failed

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline
from onnxdissect.check.baseline.snapshot import snapshot_of
from onnxdissect.check.comparing import comparison
from onnxdissect.check.comparing.comparison import make_comparison
from onnxdissect.check.rules.config import Config, LayerMinimum
from onnxdissect.check.rules.config_file import parse_config, read_config
from onnxdissect.check.rules.init import first_config
from onnxdissect.check.rules.rules import apply_rules
from onnxdissect.check.rules.wording import loss_sentence
from onnxdissect.check.verdict import Verdict
from onnxdissect.errors import ParameterError, RunMismatchError
from onnxdissect.statistics.resamples import Resamples

SEEN = "the images suffice to notice a complete loss in"
UNSEEN = "seen in too few images to notice even a complete loss"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 0, 0), "the baseline has no detector here, so that none can lose IoU"),
        ((1, 0, 0), f"the one detector has not lost {{its}}; {SEEN} it"),
        ((1, 0, 1), f"the one detector has not lost {{its}}; it is {UNSEEN}"),
        ((1, 1, 0), "the one detector lost {its}"),
        ((9, 0, 0), f"none of 9 detectors lost {{its}}; {SEEN} each of the 9"),
        ((9, 0, 9), f"none of 9 detectors lost {{its}}; the 9 are {UNSEEN}"),
        ((9, 3, 0), f"3 of 9 detectors lost {{their}}; {SEEN} each of the other 6"),
        ((9, 3, 2), f"3 of 9 detectors lost {{their}}; of the other 6, 2 are {UNSEEN}"),
        ((9, 8, 1), f"8 of 9 detectors lost {{their}}; the other 1 is {UNSEEN}"),
        ((9, 9, 0), "9 of 9 detectors lost {their}"),
    ],
)
def test_losses_in_words(counts: tuple[int, int, int], said: str) -> None:
    share = "more than 10% of {} IoU beyond chance (error rate 0.05 for all units together)"
    wanted = said.format(its=share.format("its"), their=share.format("their"))
    assert loss_sentence(*counts, margin=0.1, significance=0.05) == wanted


def test_rules_name_layers_by_value_node_or_alias(run: Path, baseline: Path) -> None:
    (node,) = (layer.node for layer in onnxdissect.load(run).layers)
    snapshot = open_baseline(baseline)
    assert node and [layer.node for layer in snapshot.layers] == [node]
    assert onnxdissect.load(run).layer(node).node == node
    assert all(layer.alias for layer in snapshot.layers)
    first, *others = snapshot.layers
    snapshot = replace(snapshot, layers=(replace(first, alias="short1", node="made/it"), *others))
    said = []
    for name in (first.name, "short1", "made/it"):
        config = Config(layers={name: LayerMinimum(detectors=first.units, unique=0)})
        findings = apply_rules(make_comparison(snapshot, snapshot, config))
        said.append([(f.rule, f.status, f.layer, f.message) for f in findings])
    assert said[0] == said[1] == said[2]
    assert ("detectors", "failed", first.name) in {line[:3] for line in said[0]}
    with pytest.raises(ParameterError, match="twice"):
        both = {name: LayerMinimum(detectors=1, unique=0) for name in (first.name, "short1")}
        make_comparison(snapshot, snapshot, Config(layers=both))


def test_other_data_and_unit_counts(run: Path) -> None:
    one = open_baseline(run)
    with pytest.raises(RunMismatchError, match="fingerprint"):
        compare(one, replace(one, data=one.data | {"fingerprint": "0"}), Config())
    layer = one.layers[0]
    names = ("label", "iou", "threshold", "stability", "highest", "twin")
    fewer = replace(layer, per_image=None, **{name: getattr(layer, name)[:-1] for name in names})
    findings, _ = compare(one, replace(one, layers=(fewer,)), Config())
    assert any(f.rule == "layers" and f.status == "failed" and "127 units" in f.message for f in findings)
    findings, _ = compare(one, replace(one, layers=()), Config())
    assert any("no such layer" in f.message for f in findings)


def test_minima_and_named_concepts(run: Path) -> None:
    one = open_baseline(run)
    detected = next(
        one.concepts[c] for c, iou in zip(one.layers[0].label, one.layers[0].iou, strict=True) if iou > 0.04
    )
    config = Config(
        minimum_detectors=128,
        minimum_unique=128,
        categories={"object": 71},
        layers={"relu6": LayerMinimum(detectors=128)},
        forbidden=(detected,),
    )
    verdict = Verdict("m", "b", *compare(one, one, config))
    assert failed(verdict) == {"detectors", "unique", "categories", "forbidden"}
    assert all(finding.evidence for finding in verdict.errors if finding.rule in ("detectors", "forbidden"))
    assert not failed(Verdict("m", "b", *compare(one, one, Config(required=(detected,)))))
    for impossible, reason in (
        (Config(required=("no such thing",)), "does not have"),
        (Config(layers={"relu7": LayerMinimum()}), "relu6"),
        (Config(categories={"object": 999}), "the data has 71"),
        (Config(categories={"object": 71}, forbidden=("wheel", "train")), "1 are forbidden"),
        (Config(minimum_detectors=129), "the baseline has 128 units"),
        (Config(minimum_unique=129), "the baseline has 128 units"),
        (Config(required=one.concepts[:129]), "required asks for 129, the baseline has 128 units"),
        (Config(layers={"relu6": LayerMinimum(detectors=129)}), "which has 128 units"),
    ):
        with pytest.raises(ParameterError) as caught:
            compare(one, one, impossible)
        assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"minimum-detector": 3}, "candidates: minimum-detectors"),
        ({"levels": {"drft": "off"}}, "candidates: drift"),
        ({"levels": {"drift": "fatal"}}, "level"),
        ({"required": ["a"], "forbidden": ["a"]}, "both required and forbidden"),
        ({"minimum-detectors": 3, "minimum-unique": 4}, "contradicts"),
        ({"significance": 2.0}, "0..1"),
        ({"stable": 1.0}, "below 1"),
        ({"resamples": 1}, "from 100"),
        ({"required": "wheel"}, "list"),
    ],
)
def test_rules_that_will_not_do(table: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_config(table, "onnxdissect.toml")
    assert message in str(caught.value)


def test_first_rules_pass_their_own_baseline(run: Path, tmp_path: Path) -> None:
    snapshot = snapshot_of(onnxdissect.load(run))
    path = tmp_path / "onnxdissect.toml"
    path.write_text(first_config(snapshot), encoding="utf-8")
    config = read_config(path)
    assert config.minimum_detectors > 0
    assert not failed(Verdict("m", "b", *compare(snapshot, snapshot, config)))


def test_death_is_told_from_chance(run: Path) -> None:
    one = open_baseline(run)
    layer = one.layers[0]
    assert layer.per_image is not None
    images = np.diff(layer.per_image.starts)
    often, seldom = int(np.argmax(images)), int(np.argmin(np.where(images > 0, images, 10**9)))
    # 128 units of 2**-m are below 0.05 from 12 images on.
    assert images[often] >= 12 > images[seldom]
    for unit, status in ((often, "failed"), (seldom, "passed")):
        highest = layer.highest.copy()
        highest[unit] = 0
        findings, _ = compare(one, replace(one, layers=(replace(layer, highest=highest),)), Config())
        (found,) = (finding for finding in findings if finding.rule == "dead")
        assert found.status == status
        assert ("too few images" in found.message) == (status == "passed")
    uncounted = replace(one, layers=(replace(layer, per_image=None),))
    after = replace(one, layers=(replace(layer, highest=highest, per_image=None),))
    findings, _ = compare(uncounted, after, Config(levels={"iou-loss": "off"}))
    assert [finding.status for finding in findings if finding.rule == "dead"] == ["failed"]


def test_images_are_resampled_once_for_both_sides(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = open_baseline(run), open_baseline(run)
    assert one.truth is not None and one.truth is not two.truth
    drawn: list[object] = []

    class Recorded(Resamples):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            drawn.append(self)

    monkeypatch.setattr(comparison, "Resamples", Recorded)
    expected = make_comparison(one, one, Config())
    found = make_comparison(one, two, Config())
    assert len(drawn) == 2
    truth = replace(one.truth, pixels=one.truth.pixels + 1)
    make_comparison(one, replace(two, truth=truth), Config())
    assert len(drawn) == 4
    for old, new in zip(expected.pairs, found.pairs, strict=True):
        assert old.p_values == new.p_values


def test_a_value_that_is_no_layer_is_said_to_be_there(run: Path) -> None:
    one = open_baseline(run)
    compared = make_comparison(one, replace(one, layers=()), Config(), {"relu6": "its layout is left open"})
    (found,) = (finding for finding in apply_rules(compared) if finding.rule == "layers")
    assert "which is no layer" in found.message
    assert "its layout is left open" in found.evidence
