"""Verdicts of the check on real networks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.checking import MODEL, failed, weights
from support.small_runs import broden

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline
from onnxdissect.check.comparing.comparison import make_comparison
from onnxdissect.check.gate import check_model
from onnxdissect.check.rules.config import Config
from onnxdissect.check.verdict import Verdict


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
