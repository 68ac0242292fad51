"""Layers turned and turned back before the pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from support.rotations import Phases, rotated, small_world

import onnxdissect
from onnxdissect.errors import ModelRuntimeError, ParameterError


def test_outputs_stay_what_they_are_up_to_rounding(tmp_path: Path) -> None:
    small_world(tmp_path)
    said: list[str] = []
    found = rotated(tmp_path, layers=["relu0", "relu1"], verify=True, notify=said.append)
    assert [each.layer for each in found.verification] == ["relu0", "relu1"]
    for each in found.verification:
        assert (each.basis, each.images) == ("rotation:seed=0,alpha=1", 4)
        (deviation,) = each.outputs
        assert deviation.output == "out" and deviation.error < 1e-5 < each.tolerance
        line = (
            f"verified: layer {each.layer} turned and turned back, output out is off by {deviation.error:.2g}"
        )
        # before anything else is said
        assert said.index(line) < 2
    assert found.verification[1].outputs[0].error > 0
    assert onnxdissect.load_rotation(found.path) == found


def test_a_layer_that_no_output_is_computed_from(tmp_path: Path) -> None:
    small_world(tmp_path)
    model = onnx.load(tmp_path / "net.onnx")
    model.graph.node.append(helper.make_node("Sigmoid", ["relu0"], ["beside"], name="beside"))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ParameterError, match=r"no output of net\.onnx is computed from layer 'beside'"):
        rotated(tmp_path, layers=["beside"], verify=True)
    assert not (tmp_path / "run").exists()


def test_an_output_that_jumps_is_refused_before_the_pass(tmp_path: Path) -> None:
    small_world(tmp_path)
    model = onnx.load(tmp_path / "net.onnx")
    # What rounding leaves of the difference of two sums of the same numbers is all that this output has.
    model.graph.node.extend(
        [
            helper.make_node("Conv", ["relu0", "seventh"], ["a"]),
            helper.make_node("Conv", ["relu0", "shifted"], ["b"]),
            helper.make_node("Sub", ["a", "b"], ["rest"]),
            helper.make_node("ReduceMax", ["rest"], ["jumping"], keepdims=0),
        ]
    )
    ones = np.full((1, 6, 1, 1), 1 / 7, np.float32)
    shifted = ones * np.float32(1 + 2**-22)
    for name, weight in (("seventh", ones), ("shifted", shifted)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight, name))
    model.graph.output.append(helper.make_tensor_value_info("jumping", onnx.TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "net.onnx")
    phases = Phases()
    with pytest.raises(ModelRuntimeError) as caught:
        rotated(tmp_path, verify=True, progress=phases)
    assert "changes the output 'jumping' by" in caught.value.message
    assert "where rounding explains" in caught.value.message
    assert "pass" not in phases.begun
    assert not (tmp_path / "run").exists()
    # without it the rotations are dissected all the same
    assert rotated(tmp_path).verification == ()
