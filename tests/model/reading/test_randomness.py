"""Networks that give something else each time they are run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from support import models
from support.models import Builder, save

from onnxdissect.errors import ModelRuntimeError
from onnxdissect.model import load_network, open_session


def dropout(*, training: bool, ratio: float = 0.5, computed: bool = False) -> onnx.ModelProto:
    b = Builder()
    mode = b.constant(np.array(training), bool, name="training")
    if computed:
        mode = b.node("Not", b.node("Not", mode))
    x = b.node("Dropout", b.relu(b.conv("image", 8)), b.constant(ratio), mode, name="drop")
    return b.model(b.head(b.relu(b.conv(x, 8), name="r2")))


def noise(where: str) -> onnx.ModelProto:
    b = Builder()
    x = b.relu(b.conv("image", 8), name="r1")
    if where == "trunk":
        x = b.node("Add", x, b.node("RandomNormalLike", x, name="noise"))
    x = b.relu(b.conv(x, 8), name="r2")
    out = b.head(x)
    if where == "head":
        out = b.node("Add", out, b.node("RandomUniformLike", out, name="noise"))
    return b.model(out)


def verify(model: onnx.ModelProto, folder: Path, layer: str) -> None:
    network = load_network(save(model, folder / "m.onnx"))
    open_session(network, network.select([layer]), provider="cpu", verify=models.images(network))


@pytest.mark.parametrize("computed", [False, True])
def test_dropout_in_training_mode_is_named(tmp_path: Path, computed: bool) -> None:
    with pytest.raises(ModelRuntimeError, match=r"Dropout \(drop/node\) is in training mode") as found:
        verify(dropout(training=True, computed=computed), tmp_path, "r2")
    assert found.value.hint == "export the network with model.eval()"


@pytest.mark.parametrize("model", [dropout(training=False), dropout(training=True, ratio=0.0)])
def test_dropout_that_drops_nothing_is_none_of_its_business(tmp_path: Path, model: onnx.ModelProto) -> None:
    verify(model, tmp_path, "r2")


def test_noise_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelRuntimeError, match=r"RandomNormalLike \(noise/node\) draws numbers"):
        verify(noise("trunk"), tmp_path, "r2")


@pytest.mark.parametrize(("where", "layer"), [("trunk", "r1"), ("head", "r2")])
def test_layers_before_the_noise_are_dissected(tmp_path: Path, where: str, layer: str) -> None:
    verify(noise(where), tmp_path, layer)


def test_noise_inside_a_subgraph_is_found(tmp_path: Path) -> None:
    b = Builder()
    x = b.relu(b.conv("image", 8))
    shape = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    other = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)
    noisy = helper.make_graph(
        [
            helper.make_node("RandomNormalLike", [x], ["n"], name="inner"),
            helper.make_node("Add", [x, "n"], ["y"]),
        ],
        "then",
        [],
        [shape],
    )
    plain = helper.make_graph([helper.make_node("Identity", [x], ["z"])], "else", [], [other])
    x = b.node("If", b.constant(np.array(True), bool), then_branch=noisy, else_branch=plain)
    b.units[x] = 8
    with pytest.raises(ModelRuntimeError, match=r"RandomNormalLike \(inner\) draws numbers"):
        verify(b.model(b.head(b.relu(b.conv(x, 8), name="r2"))), tmp_path, "r2")


def test_the_command_says_it(tmp_path: Path) -> None:
    path = save(dropout(training=True), tmp_path / "m.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "onnxdissect", "run", path, "--limit", "4", "--out", tmp_path / "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "gives something else each time it is run" in done.stderr
    assert "Traceback" not in done.stderr
