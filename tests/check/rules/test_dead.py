"""`dead` means never above zero behind a ReLU, and the same everywhere where units may be negative."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.datasets import random_broden, write_broden

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline
from onnxdissect.check.comparing.comparison import make_comparison
from onnxdissect.check.gate import check_model
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.rules import apply_rules

SIZE = 12


def network(path: Path, kind: str, bias: list[float], slope: list[float]) -> Path:
    """Four units of the pixels' first channel behind SiLU or ReLU."""
    weight = np.zeros((4, 3, 1, 1), np.float32)
    weight[:, 0, 0, 0] = np.array(slope, np.float32) / 255
    nodes = [helper.make_node("Conv", ["image", "w", "b"], ["c"], kernel_shape=[1, 1])]
    if kind == "silu":
        nodes += [helper.make_node("Sigmoid", ["c"], ["s"]), helper.make_node("Mul", ["c", "s"], ["y"])]
    else:
        nodes += [helper.make_node("Relu", ["c"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "units",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(np.array(bias, np.float32), "b"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


ALIVE = ([-1.0, -1.0, -2.0, 0.0], [2.0, 2.0, 2.0, 1.0])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    broden = random_broden(np.random.default_rng(0), pictures=16)
    return write_broden(tmp_path_factory.mktemp("data") / "broden", broden)


@pytest.mark.parametrize(
    ("kind", "bias", "slope", "status", "message"),
    [
        # the first unit has become negative everywhere: of SiLU it still tells images apart
        (
            "silu",
            [-3.0, -1.0, -2.0, 0.0],
            [2.0, 2.0, 2.0, 1.0],
            "passed",
            "0 of 4 units are the same everywhere",
        ),
        ("relu", [-3.0, -1.0, -2.0, 0.0], [2.0, 2.0, 2.0, 1.0], "failed", "units are never above zero, 1 of"),
        # or its weights are gone
        (
            "silu",
            [-1.0, -1.0, -2.0, 0.0],
            [0.0, 2.0, 2.0, 1.0],
            "failed",
            "1 of 4 units are the same everywhere",
        ),
        (
            "silu",
            [5.0, -1.0, -2.0, 0.0],
            [0.0, 2.0, 2.0, 1.0],
            "failed",
            "1 of 4 units are the same everywhere",
        ),
    ],
)
def test_what_is_dead_depends_on_the_kind_of_layer(
    tmp_path: Path, data: Path, kind: str, bias: list[float], slope: list[float], status: str, message: str
) -> None:
    run = onnxdissect.dissect(
        network(tmp_path / "before.onnx", kind, *ALIVE),
        data,
        ["y"],
        preset="raw",
        quantiles=[0.2],
        bootstrap=20,
        null=0,
        out=tmp_path / "run",
    )
    candidate = network(tmp_path / "after.onnx", kind, bias, slope)
    (found,) = (f for f in check_model(candidate, run.path).findings if f.rule == "dead")
    assert found.status == status
    assert message in found.message
    if status == "failed":
        assert found.evidence == ("units 0",)


def test_without_samples_a_layer_that_may_be_negative_is_not_tested(tmp_path: Path, data: Path) -> None:
    run = onnxdissect.dissect(
        network(tmp_path / "m.onnx", "silu", *ALIVE),
        data,
        ["y"],
        preset="raw",
        quantiles=[0.2],
        bootstrap=20,
        null=0,
        out=tmp_path / "run",
    )
    one = open_baseline(run.path)
    (layer,) = one.layers
    bare = replace(one, layers=(replace(layer, levels=None),))
    relu = replace(one, layers=(replace(layer, levels=None, op="Relu"),))
    for side, status in ((one, "passed"), (bare, "untested"), (relu, "passed")):
        findings = apply_rules(make_comparison(side, side, Config()))
        assert [f.status for f in findings if f.rule == "dead"] == [status]
