"""The check: rules, the baseline file, and verdicts on real networks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from support.checking import MODEL, make_baseline, make_run, weights
from support.small_runs import broden

import onnxdissect
from onnxdissect.check.baseline.file import _checksum, open_baseline
from onnxdissect.check.baseline.packing import pack, unpack
from onnxdissect.check.baseline.snapshot import Snapshot, snapshot_of
from onnxdissect.check.comparing.comparison import changed_units, make_comparison
from onnxdissect.check.gate import check_model
from onnxdissect.check.rules.config import Config, LayerMinimum
from onnxdissect.check.rules.config_file import parse_config, read_config
from onnxdissect.check.rules.init import first_config
from onnxdissect.check.rules.rules import apply_rules
from onnxdissect.check.rules.wording import loss_sentence
from onnxdissect.check.verdict import ChangedUnit, Finding, Verdict
from onnxdissect.errors import ParameterError, RunFormatError, RunMismatchError
from onnxdissect.statistics.reliability import STABLE

Change = Callable[[NDArray[Any]], NDArray[Any]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("check"))


@pytest.fixture(scope="module")
def baseline(run: Path) -> Path:
    return make_baseline(run)


def compare(
    baseline: Snapshot, candidate: Snapshot, config: Config
) -> tuple[tuple[Finding, ...], tuple[ChangedUnit, ...]]:
    comparison = make_comparison(baseline, candidate, config)
    return apply_rules(comparison), changed_units(comparison)


def failed(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings if finding.status == "failed"}


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


def test_a_network_passes_against_itself(baseline: Path) -> None:
    verdict = check_model(MODEL, baseline)
    assert verdict.passed
    assert not failed(verdict)
    assert not verdict.changed


@pytest.mark.parametrize(
    ("change", "rules"),
    [("shuffled", {"labels"}), ("zeroed", {"labels", "dead"}), ("doubled", {"duplicates"})],
)
def test_damage_is_found_and_named(change: str, rules: set[str], baseline: Path, tmp_path: Path) -> None:
    verdict = check_model(weights(tmp_path / "changed.onnx", change), baseline)
    assert rules <= failed(verdict)
    assert verdict.passed == (change == "doubled")


def test_a_file_that_is_no_model_fails_the_check(baseline: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(MODEL.read_bytes()[:5000])
    verdict = check_model(broken, baseline)
    assert failed(verdict) == {"runnable"}


def test_baseline_file_says_what_the_run_says(run: Path, baseline: Path) -> None:
    one, two = open_baseline(run), open_baseline(baseline)
    # The file stands where the run stood; the candidate is always a run.
    assert compare(two, one, Config()) == compare(one, one, Config())
    assert one.layers[0].iou.tolist() == two.layers[0].iou.tolist()


def test_reliable_detectors_are_those_of_the_run(run: Path, baseline: Path, tmp_path: Path) -> None:
    told = [unit.reliable for unit in onnxdissect.load(run).units()]
    for snapshot in (open_baseline(run), open_baseline(baseline)):
        assert snapshot.reliable(snapshot.layers[0]).tolist() == told
    one = open_baseline(run)
    # Nothing of the candidate keeps its label.
    other = replace(one, layers=(replace(one.layers[0], label=np.full_like(one.layers[0].label, -1)),))
    (layers, labels) = (
        finding for finding in compare(one, other, Config())[0] if finding.rule in ("layers", "labels")
    )
    assert f"0 of {sum(map(bool, told))} reliable detectors keep" in labels.message
    assert f"detectors, {sum(map(bool, told))} of them reliable" in layers.message
    # A file of a version that kept no intervals: what is known of stability decides.
    unknown = np.full(one.layers[0].units, np.nan)
    older = replace(one, layers=(replace(one.layers[0], low=unknown, high=unknown),))
    stable = older.detectors(older.layers[0]) & (older.layers[0].stability > STABLE)
    (labels,) = (finding for finding in compare(older, other, Config())[0] if finding.rule == "labels")
    assert f"0 of {stable.sum()} stable detectors keep" in labels.message
    body = json.loads(baseline.read_text(encoding="utf-8"))
    arrays = unpack(body["arrays"])
    del body["format_version"], body["sha256"]
    # One version kept the lower ends alone.
    for missing in ("0/high", "0/low"):
        del arrays[missing]
        body["arrays"] = pack(arrays)
        sealed = {"format_version": 1, "sha256": _checksum(body), **body}
        (tmp_path / "older.json").write_text(json.dumps(sealed), encoding="utf-8")
        read = open_baseline(tmp_path / "older.json")
        assert read.layers[0].certainty == "stability"
        assert (read.reliable(read.layers[0]) == stable).all()


@pytest.mark.parametrize("damage", ["cut", "edited", "version"])
def test_damaged_baselines_are_refused(damage: str, baseline: Path, tmp_path: Path) -> None:
    text = baseline.read_text(encoding="utf-8")
    path = tmp_path / "baseline.json"
    changed = {
        "cut": text[: len(text) // 2],
        "edited": text.replace('"iou_threshold": 0.04', '"iou_threshold": 0.5'),
        "version": text.replace('"format_version": 1', '"format_version": 99', 1),
    }[damage]
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(
        RunFormatError, match={"cut": "cut short", "edited": "edited", "version": "99"}[damage]
    ):
        open_baseline(path)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("iou", lambda array: array.astype(np.float32), "iou is float32"),
        ("iou", lambda array: array[:-1], "iou is of shape"),
        ("top_masks", lambda array: array[:, :-1], "does not go with top_images"),
        ("evidence/image", lambda array: array[:-1], "does not go with evidence/image"),
        ("label", None, "0/label"),
    ],
)
def test_a_sealed_baseline_with_other_arrays_is_refused(
    name: str,
    change: Callable[[NDArray[Any]], NDArray[Any]] | None,
    said: str,
    baseline: Path,
    tmp_path: Path,
) -> None:
    body = json.loads(baseline.read_text(encoding="utf-8"))
    arrays = unpack(body["arrays"])
    held = arrays.pop(f"0/{name}")
    if change is not None:
        arrays[f"0/{name}"] = change(held)
    del body["format_version"], body["sha256"]
    body["arrays"] = pack(arrays)
    sealed = {"format_version": 1, "sha256": _checksum(body), **body}
    (tmp_path / "other.json").write_text(json.dumps(sealed), encoding="utf-8")
    with pytest.raises(RunFormatError, match=said):
        open_baseline(tmp_path / "other.json")


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


def untested(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings if finding.status == "untested"}


def test_what_cannot_be_tested_does_not_pass(tmp_path: Path) -> None:
    run = onnxdissect.dissect(MODEL, "tiny", ["relu6"], limit=20, bootstrap=0, null=0, out=tmp_path / "run")
    verdict = check_model(MODEL, run.path)
    assert untested(verdict) == {"iou-loss", "unique-loss"}
    assert not verdict.passed
    assert "--bootstrap 0" in verdict.errors[0].message
    soft = Config(levels={"iou-loss": "warning", "unique-loss": "off"})
    verdict = check_model(MODEL, run.path, soft)
    assert verdict.passed
    assert [finding.rule for finding in verdict.warnings] == ["iou-loss"]


def test_losses_are_significant_and_named(tmp_path: Path) -> None:
    # Sixty images are too few to be sure of the loss of any single unit.
    run = onnxdissect.dissect(MODEL, "tiny", ["relu6"], limit=500, null=0, out=tmp_path / "run")
    assert check_model(MODEL, run.path).passed
    verdict = check_model(weights(tmp_path / "zeroed.onnx", "zeroed"), run.path)
    assert {"iou-loss", "unique-loss"} <= failed(verdict)
    assert verdict.changed
    worst = verdict.changed[0]
    assert worst.iou_before > 0.04
    assert worst.iou_after == 0
    assert worst.p_value is not None
    assert worst.p_value <= 0.05
    # Every loss of everything that was announced as noticeable is found. Losses help each other (Holm), so
    # that some more are.
    (said,) = (finding.message for finding in verdict.findings if finding.rule == "iou-loss")
    counted = re.fullmatch(
        r"(\d+) of (\d+) detectors lost .*; the other (\d+) are seen in too few images.*", said
    )
    assert counted is not None
    lost, detectors, others = map(int, counted.groups())
    assert lost + others == detectors
    one, two = open_baseline(run.path), open_baseline(run.path)
    (pair,) = make_comparison(one, two, Config()).pairs
    assert 0.8 * lost <= len(pair.noticeable) <= lost


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


def test_a_value_that_is_no_layer_is_said_to_be_there(run: Path) -> None:
    one = open_baseline(run)
    comparison = make_comparison(one, replace(one, layers=()), Config(), {"relu6": "its layout is left open"})
    (found,) = (finding for finding in apply_rules(comparison) if finding.rule == "layers")
    assert "which is no layer" in found.message
    assert "its layout is left open" in found.evidence


def test_a_candidate_that_takes_bytes_is_given_bytes(run: Path, baseline: Path, tmp_path: Path) -> None:
    stated = open_baseline(run).preprocessing
    model = onnx.load(MODEL)
    (image,) = model.graph.input
    inner = image.name
    constants = {
        "scale": np.array(stated["scale"], np.float32),
        "mean": np.array(stated["mean"], np.float32).reshape(3, 1, 1),
        "std": np.array(stated["std"], np.float32).reshape(3, 1, 1),
    }
    model.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items())
    chain = [
        ("Cast", ["bytes"]),
        ("Mul", ["cast", "scale"]),
        ("Sub", ["mul", "mean"]),
        ("Div", ["sub", "std"]),
    ]
    for at, (op, inputs) in enumerate(chain):
        out = inner if op == "Div" else op.lower()
        model.graph.node.insert(at, onnx.helper.make_node(op, inputs, [out]))
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("to", onnx.TensorProto.FLOAT))
    image.name, image.type.tensor_type.elem_type = "bytes", onnx.TensorProto.UINT8
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "bytes.onnx")
    verdict = check_model(tmp_path / "bytes.onnx", baseline)
    assert verdict.passed, verdict.errors
    assert any("takes pixels as uint8" in statement for statement in verdict.statements)
    # What is asked for goes before what is found out.
    assert not check_model(tmp_path / "bytes.onnx", baseline, preset="caffe").passed
    assert "drift" in failed(check_model(MODEL, baseline, preset="raw"))


def test_two_models_directly(tmp_path: Path) -> None:
    """The same numbers under other names, and numbers that are three per cent off."""
    renamed, off = onnx.load(MODEL), onnx.load(MODEL)
    for node in renamed.graph.node:
        for values in (node.input, node.output):
            for i, name in enumerate(values):
                if name.startswith("relu"):
                    values[i] = f"other_{name}"
    onnx.save(renamed, tmp_path / "renamed.onnx")
    last = [node for node in off.graph.node if node.op_type == "Conv"][-1]
    for tensor in off.graph.initializer:
        if tensor.name in last.input:
            values = numpy_helper.to_array(tensor) * np.float32(1.03)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(off, tmp_path / "off.onnx")
    data = Path(onnxdissect.load(_short(tmp_path)).manifest["data"]["folder"])
    config = Config(parity=0.01, parity_images=3)
    same = check_model(tmp_path / "renamed.onnx", MODEL, config, data=data)
    assert same.passed
    assert [layer.relative_rms for layer in same.drift] == [0.0] * 3
    assert all(layer.cosine == pytest.approx(1) for layer in same.drift)
    assert len(same.statements) == 3
    moved = check_model(tmp_path / "off.onnx", MODEL, config, data=data)
    assert moved.passed, "parity is a warning by default"
    assert [layer.relative_rms > 0.01 for layer in moved.drift] == [False, False, True]
    assert moved.drift[2].relative_rms == pytest.approx(0.03, rel=1e-3)
    assert moved.drift[2].images == 3
    assert "parity" in failed(moved)


def _short(folder: Path) -> Path:
    """A run over a small data set that lies by itself."""
    broden(folder / "data", 12, seed=3)
    onnxdissect.dissect(MODEL, folder / "data", ["relu6"], preset="raw", out=folder / "short")
    return folder / "short"


def test_page_shows_changed_units_before_and_after(baseline: Path, tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    verdict = check_model(weights(tmp_path / "<b>zeroed.onnx", "zeroed"), baseline, page=page)
    text = page.read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "&lt;b&gt;zeroed.onnx" in text
    shown = verdict.changed[:24]
    assert text.count('<section class="unit">') == len(shown) > 0
    for change in shown:
        assert f"unit {change.unit}: {change.before} {change.iou_before:.3f} became" in text
    assert "never above zero" in text
    assert text.count("data:image/jpeg") >= 4
    assert not re.search(r'(src|href)="(?!data:)', text)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(MODEL.read_bytes()[:5000])
    check_model(broken, baseline, page=page)
    assert "runnable" in page.read_text(encoding="utf-8")


def test_candidates_are_read_as_they_are_told(tmp_path: Path) -> None:
    """A graph with a second input, which has no value of its own."""
    model = onnx.load(MODEL)
    graph = model.graph
    image = graph.input[0]
    graph.input.append(onnx.helper.make_tensor_value_info("gain", onnx.TensorProto.FLOAT, []))
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == image.name:
                node.input[i] = "gained"
    graph.node.insert(0, onnx.helper.make_node("Mul", [image.name, "gain"], ["gained"]))
    bound = tmp_path / "bound.onnx"
    onnx.save(model, bound)
    run = onnxdissect.dissect(MODEL, "tiny", ["relu6"], limit=30, null=0, out=tmp_path / "run")
    (unbound,) = check_model(bound, run.path).findings
    assert (unbound.rule, unbound.status) == ("runnable", "failed")
    assert "gain" in unbound.message
    command = [sys.executable, "-m", "onnxdissect", "check", str(bound), "--baseline", str(run.path)]
    done = subprocess.run([*command, "--bind", "gain=1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([*command, "--bind", "gain=0"], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
