"""A check of a vision transformer, whose units are read from tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from support.models import save
from support.small_runs import broden
from support.transformers import transformer

import onnxdissect
from onnxdissect.check.gate import check_model


def perturbed(model: onnx.ModelProto, scale: float) -> onnx.ModelProto:
    """The same network with noise on its weights, in shares of their spread."""
    other: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    random = np.random.default_rng(3)
    for tensor in other.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size > 1:
            noisy = array + scale * array.std() * random.normal(size=array.shape)
            tensor.CopyFrom(numpy_helper.from_array(noisy.astype(np.float32), tensor.name))
    return other


def test_a_transformer_passes_against_itself_and_fails_when_it_is_changed(tmp_path: Path) -> None:
    model = transformer(before=1)
    path = save(model, tmp_path / "vit.onnx")
    broden(tmp_path / "data", 40, seed=4)
    run = onnxdissect.dissect(
        path,
        tmp_path / "data",
        ["block", "final"],
        out=tmp_path / "run",
        quantiles=(0.2,),
        null=0,
        bootstrap=200,
    )
    assert sum(summary.detectors for summary in run.summary()) > 0
    same = check_model(path, run.path)
    assert same.passed and not same.changed
    assert {f.status for f in same.findings if f.rule == "labels"} == {"passed"}
    little = check_model(save(perturbed(model, 1e-6), tmp_path / "little.onnx"), run.path)
    assert little.passed
    changed = check_model(save(perturbed(model, 1.0), tmp_path / "changed.onnx"), run.path)
    failed = {finding.rule for finding in changed.findings if finding.status == "failed"}
    assert failed and changed.changed
    # Units behind no ReLU are negative half of the time, which is not death.
    assert "dead" not in failed
