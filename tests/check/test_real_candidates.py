"""Real gates: the shipped network as exporters, quantisers and their usual mistakes leave it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline, write_baseline
from onnxdissect.check.gate import check_model
from onnxdissect.check.verdict import Verdict

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "tiny_scenes.onnx"
EXPORTS = ROOT / "tests" / "exports"
IMAGES = 240


@pytest.fixture(scope="module")
def benchmark() -> Callable[[str], Any]:
    """The benchmark's modules, which make the candidates."""
    sys.path.append(str(ROOT / "benchmarks"))
    return import_module


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> onnxdissect.Dissection:
    out = tmp_path_factory.mktemp("gates") / "run"
    return onnxdissect.dissect(MODEL, "tiny", ["relu3", "relu6"], limit=IMAGES, null=0, out=out)


@pytest.fixture(scope="module")
def held(run: onnxdissect.Dissection) -> Callable[[Callable[[Path], None]], Verdict]:
    """Write a candidate and hold it against the baseline."""
    baseline = run.path.parent / "baseline.json"
    write_baseline(baseline, open_baseline(run.path))

    def hold(write: Callable[[Path], None]) -> Verdict:
        path = run.path.parent / "candidate.onnx"
        write(path)
        return check_model(path, baseline)

    return hold


Hold = Callable[[Callable[[Path], None]], Verdict]


def not_met(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.errors}


def found(verdict: Verdict, rule: str, layer: str) -> str:
    """What a rule says of a layer."""
    (finding,) = [f for f in verdict.findings if (f.rule, f.layer) == (rule, layer)]
    return finding.text


@pytest.mark.parametrize(
    "options", [{}, {"per_channel": True}, {"per_channel": True, "sixteen": True}], ids=str
)
def test_static_quantisation_passes_under_other_names(
    options: dict[str, bool], benchmark: Callable[[str], Any], held: Hold
) -> None:
    verdict = held(partial(benchmark("quantised").static, **options))
    assert not not_met(verdict)
    assert "layer relu6 is taken to be relu6_DequantizeLinear_Output" in "\n".join(verdict.statements)


def test_half_precision_and_weights_of_eight_bits_pass(benchmark: Callable[[str], Any], held: Hold) -> None:
    for write in (benchmark("quantised").half, benchmark("quantised").dynamic):
        verdict = held(write)
        assert not not_met(verdict)
        assert not verdict.statements


def test_images_with_channels_last_make_no_difference(benchmark: Callable[[str], Any], held: Hold) -> None:
    write = benchmark("damaged").mistaken(("Transpose", (0, 3, 1, 2)), channels_last=True)
    verdict = held(write)
    assert not not_met(verdict)
    assert not verdict.changed


@pytest.mark.parametrize("dynamo", [False, True])
def test_pytorch_s_exporters_pass(dynamo: bool, benchmark: Callable[[str], Any], held: Hold) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    pytest.importorskip("onnxscript", exc_type=ImportError)
    verdict = held(partial(benchmark("exporters").by_pytorch, dynamo=dynamo))
    assert not not_met(verdict)
    assert not verdict.changed
    assert len(verdict.statements) == 2


def test_other_frameworks_files_pass_and_their_layers_are_found(
    benchmark: Callable[[str], Any], tmp_path: Path
) -> None:
    """One small network in the files of six exporters, channels first and last."""
    first = EXPORTS / "pytorch_torchscript.onnx"
    onnxdissect.dissect(first, "tiny", preset="tf", limit=100, null=0, out=tmp_path / "run")
    for candidate in benchmark("exporters").shared():
        candidate.write(tmp_path / "candidate.onnx")
        verdict = check_model(tmp_path / "candidate.onnx", tmp_path / "run")
        assert not not_met(verdict), candidate.title
        assert not verdict.changed, candidate.title
        assert len(verdict.statements) == 3, candidate.title


def test_blue_first_is_found_by_what_is_red(benchmark: Callable[[str], Any], held: Hold) -> None:
    verdict = held(benchmark("damaged").changed(benchmark("damaged").blue_first))
    assert {"labels", "iou-loss"} <= not_met(verdict)
    assert "flame" in found(verdict, "iou-loss", "relu6")


def test_forgotten_preprocessing_is_found(benchmark: Callable[[str], Any], held: Hold) -> None:
    forgotten = held(benchmark("damaged").mistaken(("Mul", 0.25), ("Add", 0.45)))
    assert {"labels", "iou-loss", "unique-loss", "dead"} <= not_met(forgotten)
    twice = held(benchmark("damaged").mistaken(("Add", -0.45), ("Mul", 4.0)))
    assert "iou-loss" in not_met(twice)
    assert {finding.rule for finding in twice.warnings} == {"drift"}


def test_wrong_calibration_is_found(benchmark: Callable[[str], Any], held: Hold) -> None:
    verdict = held(partial(benchmark("quantised").static, prepared=False))
    assert {"labels", "iou-loss", "unique-loss"} <= not_met(verdict)


def test_a_layer_without_weights_is_found_behind_it(benchmark: Callable[[str], Any], held: Hold) -> None:
    damaged = benchmark("damaged")
    verdict = held(damaged.changed(partial(damaged.zeroed, layer="conv4")))
    assert {finding.layer for finding in verdict.errors} == {"relu6"}
    assert {"labels", "dead", "iou-loss", "unique-loss"} <= not_met(verdict)


@pytest.mark.parametrize("followed", [False, True])
def test_reordered_units_are_told_from_lost_ones(
    followed: bool, benchmark: Callable[[str], Any], held: Hold
) -> None:
    damaged = benchmark("damaged")
    verdict = held(damaged.changed(partial(damaged.shuffled, followed=followed)))
    assert not_met(verdict) == {"labels", "iou-loss"}
    assert "the units were reordered" in found(verdict, "labels", "relu6")


def test_a_tenth_of_the_detectors_destroyed(
    benchmark: Callable[[str], Any], run: onnxdissect.Dissection, held: Hold
) -> None:
    detectors = sorted((u for u in run.units("relu6") if u.detector), key=lambda u: -u.iou)
    lost = [unit.unit for unit in detectors[::10]]
    verdict = held(benchmark("damaged").destroyed(lost))
    assert not_met(verdict) == {"iou-loss"}
    assert {(unit.layer, unit.unit) for unit in verdict.changed} <= {("relu6", unit) for unit in lost}


def test_pruning_passes_while_it_is_gentle(benchmark: Callable[[str], Any], held: Hold) -> None:
    damaged = benchmark("damaged")
    assert not not_met(held(damaged.changed(partial(damaged.pruned, share=0.1))))
    assert "iou-loss" in not_met(held(damaged.changed(partial(damaged.pruned, share=0.7))))


def test_a_network_taught_another_task_is_written_with_its_own_classes(
    benchmark: Callable[[str], Any], tmp_path: Path
) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    retrained = benchmark("retrained")
    retrained.write_network(retrained.network_of(MODEL), tmp_path / "same.onnx")
    assert values(tmp_path / "same.onnx") == values(MODEL)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (retrained.HELD_BACK + 64, 3, 112, 112), np.uint8)
    scenes = random.integers(0, 12, len(images))
    lesson = retrained.Lesson("rooms", "fails", 256, 1e-3, retrained.indoors, 2)
    retrained.teach(MODEL, lesson, images, scenes, tmp_path / "taught.onnx")
    onnx.checker.check_model(str(tmp_path / "taught.onnx"), full_check=True)
    taught, before = values(tmp_path / "taught.onnx"), values(MODEL)
    assert {name for name in before if taught[name] != before[name]} == set(before)
    assert onnx.load(tmp_path / "taught.onnx").graph.output[0].type.tensor_type.shape.dim[1].dim_value == 2


def values(path: Path) -> dict[str, bytes]:
    return {t.name: numpy_helper.to_array(t).tobytes() for t in onnx.load(path).graph.initializer}


def test_the_benchmark_prints_its_table_and_says_which_verdict_is_not_wanted() -> None:
    # Sixty images are too few to miss one unit.
    options = ["--limit", "60", "--no-training", "--only", "the strongest of"]
    command = [sys.executable, str(ROOT / "benchmarks/gates.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "detectors destroyed | passed (!) |" in done.stdout
    assert "not as wanted: the strongest of" in done.stdout
