"""Networks that give something else each time they are run, or in every batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from support import models
from support.commands import called
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


def test_cells_that_are_drawn_stay_in_order_and_are_refused_for_being_drawn(tmp_path: Path) -> None:
    b = Builder()
    x = b.node("Bernoulli", b.node("Sigmoid", b.conv("image", 8)), name="drawn", dtype=1)
    b.units[x] = 8
    model = b.model(b.head(b.relu(b.conv(x, 8), name="r2")))
    with pytest.raises(ModelRuntimeError, match=r"Bernoulli \(drawn/node\) draws numbers"):
        verify(model, tmp_path, "r2")


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
    done = called(tmp_path, "run", path, "--limit", 4, "--out", "run")
    assert done.returncode == 2
    assert "gives something else each time it is run" in done.stderr
    assert "Traceback" not in done.stderr


# --------------------------------------------------------------------------- normalised by the whole batch


def normalised(
    opset: int, *, training: bool, wanted: bool = False, batch: int | str = "N"
) -> onnx.ModelProto:
    b = Builder((batch, 3, 16, 16), opset=opset)
    x = b.relu(b.conv("image", 4), name="r1")
    stored = [b.constant(np.ones(4)) for _ in range(4)]
    old = opset < 14
    names = ["bn", "m", "v", "sm", "sv"][: (5 if old else 3) if training else 1]
    b.nodes(
        "BatchNormalization", x, *stored, names=names, **({} if old else {"training_mode": int(training)})
    )
    return b.model(b.head(b.relu(b.conv("bn", 4), name="r2")), *(["m"] if wanted and training else []))


@pytest.mark.parametrize("opset", [9, 13, 14, 17])
@pytest.mark.parametrize("batch", ["N", 1, 2])
def test_normalisation_by_the_batch_is_named(tmp_path: Path, opset: int, batch: int | str) -> None:
    model = normalised(opset, training=True, wanted=opset == 17, batch=batch)
    with pytest.raises(ModelRuntimeError, match=r"depends on the other images in its batch") as found:
        verify(model, tmp_path, "r2")
    assert "BatchNormalization (bn/node) is in training mode" in str(found.value)
    assert found.value.hint == "export the network with model.eval()"
    # what comes before it is the same in every batch
    verify(model, tmp_path, "r1")


@pytest.mark.parametrize("opset", [9, 14, 17])
def test_normalisation_by_stored_numbers_is_none_of_its_business(tmp_path: Path, opset: int) -> None:
    verify(normalised(opset, training=False), tmp_path, "r2")


def test_several_normalisations_are_counted(tmp_path: Path) -> None:
    b = Builder(("N", 3, 16, 16))
    x = "image"
    for i in range(5):
        x = b.conv(x, 4)
        stored = [b.constant(np.ones(4)) for _ in range(4)]
        (x, _, _) = b.nodes(
            "BatchNormalization", x, *stored, names=[f"bn{i}", f"m{i}", f"v{i}"], training_mode=1
        )
        b.units[x] = 4
    with pytest.raises(ModelRuntimeError, match=r"\(bn2/node\), 2 more are in training mode"):
        verify(b.model(b.relu(x, name="r2")), tmp_path, "r2")


def test_images_among_the_units_are_normalised_each_by_itself(tmp_path: Path) -> None:
    """Instance normalisation, as it is exported where an operator for it is lacking."""
    b = Builder(("N", 3, 16, 16))
    x = b.conv("image", 4, name="c1")
    y = b.node("Reshape", x, b.constant([1, -1, 16, 16], np.int64))
    ones, zeros = ([b.constant(np.full(4, number)) for _ in range(2)] for number in (1, 0))
    (y, _, _) = b.nodes(
        "BatchNormalization", y, ones[0], zeros[0], zeros[1], ones[1], names=["bn", "m", "v"], training_mode=1
    )
    y = b.node("Reshape", y, b.node("Shape", x))
    b.units[y] = 4
    verify(b.model(b.head(b.relu(b.conv(y, 4), name="r2"))), tmp_path, "r2")


def test_the_command_says_that_images_change_each_other(tmp_path: Path) -> None:
    path = save(normalised(17, training=True), tmp_path / "m.onnx")
    done = called(tmp_path, "run", path, "--limit", 4, "--out", "run")
    assert done.returncode == 2
    assert "BatchNormalization (bn/node) is in training mode" in done.stderr
    assert "Traceback" not in done.stderr
