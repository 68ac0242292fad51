"""A check against a baseline whose layers are under bases as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.checking import failed
from support.small_runs import Convolution, broden, dissect, network

from onnxdissect.check.baseline.file import write_baseline
from onnxdissect.check.baseline.snapshot import snapshot_of
from onnxdissect.check.gate import check_model
from onnxdissect.errors import ParameterError

UNDER = ("relu0/basis/permutation:seed=1", "relu0/basis/mine", "relu0/basis/pca:n=2")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 40, seed=2)
    np.save(tmp_path / "mine.npy", np.random.default_rng(0).normal(size=(4, 6)))
    return tmp_path


def test_a_network_passes_against_itself_under_every_basis(world: Path) -> None:
    baseline = dissect(world, bases=["permutation:seed=1", str(world / "mine.npy"), "pca:n=2"])
    # the run keeps the numbers
    (world / "mine.npy").unlink()
    verdict = check_model(world / "net.onnx", baseline.path)
    assert verdict.passed
    checked = {finding.layer for finding in verdict.findings if finding.rule == "labels"}
    assert checked >= {"relu0", *UNDER}
    assert {finding.status for finding in verdict.findings} == {"passed"}


def test_damage_shows_under_a_basis_whatever_the_layer_is_called(world: Path) -> None:
    baseline = dissect(world, bases=["permutation:seed=1"])
    model = onnx.load(world / "net.onnx")
    weights = numpy_helper.to_array(model.graph.initializer[0])[::-1].copy()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, model.graph.initializer[0].name))
    for node in model.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = "renamed" if name == "relu0" else name
    onnx.save(model, world / "other.onnx")
    verdict = check_model(world / "other.onnx", baseline.path)
    assert {"drift", "iou-loss"} <= failed(verdict)
    damaged = {finding.layer for finding in verdict.findings if finding.status == "failed"}
    assert damaged >= {"relu0", UNDER[0]}
    assert not [finding for finding in verdict.findings if finding.status == "untested"]


def test_a_baseline_file_says_that_it_lacks_the_numbers_of_a_basis(world: Path) -> None:
    baseline = dissect(world, bases=[str(world / "mine.npy")])
    write_baseline(world / "baseline.json", snapshot_of(baseline))
    with pytest.raises(ParameterError, match="under the basis 'mine', whose numbers") as caught:
        check_model(world / "net.onnx", world / "baseline.json")
    assert "run directory" in str(caught.value.hint)
    seeded = dissect(world, bases=["permutation:seed=1"], fresh=True)
    write_baseline(world / "baseline.json", snapshot_of(seeded))
    assert check_model(world / "net.onnx", world / "baseline.json").passed
