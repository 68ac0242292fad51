"""Inputs beside the picture, which are given values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support.commands import run_command
from support.models import Builder, images, save
from support.networks import load
from support.small_runs import SIZE, broden

from onnxdissect.errors import ImageInputError, ParameterError
from onnxdissect.model import load_network, open_session


def scaled(
    shape: tuple[int | str, ...] = (), kind: int = TensorProto.FLOAT, batch: int | str = "N"
) -> onnx.ModelProto:
    """A second input by which the maps are multiplied; detectors take the image's size like this."""
    b = Builder((batch, 3, SIZE, SIZE))
    x = b.conv(b.image, 4, name="conv")
    factor = b.node("Cast", "factor", to=TensorProto.FLOAT)
    if len(shape) == 2:
        factor = b.node("Reshape", factor, b.constant((-1, 1, 1, 1), np.int64))
    b.units[factor] = 0
    x = b.relu(b.node("Mul", x, factor), name="relu")
    b.units[x] = 4
    model = b.model(b.head(x))
    model.graph.input.append(helper.make_tensor_value_info("factor", kind, list(shape)))
    return model


def whole(path: Path, feed: dict[str, Any]) -> Any:
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name="relu"))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["relu"], feed)[0]


@pytest.mark.parametrize(
    ("shape", "kind", "given", "value"),
    [
        ((), TensorProto.FLOAT, "2.5", np.float32(2.5)),
        ((), TensorProto.FLOAT, 2, np.float32(2)),
        ((1,), TensorProto.INT64, "3", np.array([3], np.int64)),
        ((), TensorProto.BOOL, "true", np.bool_(True)),
        (
            (4, 1, 1),
            TensorProto.FLOAT,
            np.arange(4.0).reshape(4, 1, 1),
            np.arange(4, dtype="f4").reshape(4, 1, 1),
        ),
        (("N", 1), TensorProto.FLOAT, "0.5", np.array([[0.5]], np.float32)),
    ],
)
def test_bound_inputs(
    tmp_path: Path, shape: tuple[int | str, ...], kind: int, given: Any, value: Any
) -> None:
    path = save(scaled(shape, kind), tmp_path / "model.onnx")
    network = load_network(path, bind={"factor": given})
    assert network.input.name == "image"
    batch = images(network, 3)
    session = open_session(network, network.select(["relu"]), verify=batch[:2])
    expected = [whole(path, {"image": batch[i : i + 1], "factor": np.asarray(value)}) for i in range(3)]
    np.testing.assert_allclose(session(batch)[0], np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_a_bound_array_is_read_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "factor.npy", np.arange(4.0).reshape(4, 1, 1))
    network = load(scaled((4, 1, 1)), tmp_path, bind={"factor": str(tmp_path / "factor.npy")})
    assert network.bindings["factor"].dtype == np.float32
    (tmp_path / "factor.npy").write_bytes(b"\x93NUMPY nothing")
    with pytest.raises(ParameterError, match="cannot be read"):
        load(scaled((4, 1, 1)), tmp_path, bind={"factor": str(tmp_path / "factor.npy")})


@pytest.mark.parametrize(
    ("bind", "said"),
    [
        ({"faktor": "1"}, "no input 'faktor'"),
        ({"factor": "one"}, "neither numbers nor the path"),
        ({"factor": "1,2,3"}, r"takes the shape \[4, 1, 1\], not \[1, 1, 3\]"),
        ({"factor": np.zeros((2, 1, 1))}, r"not \[2, 1, 1\]"),
    ],
)
def test_bindings_that_do_not_fit(tmp_path: Path, bind: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        load(scaled((4, 1, 1)), tmp_path, bind=bind)


def test_whole_numbers_are_not_cut(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"int64, which cannot hold 0\.5"):
        load(scaled((), TensorProto.INT64), tmp_path, bind={"factor": "0.5"})


def test_an_input_without_a_value_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ImageInputError, match="beside the image input 'image'") as caught:
        load(scaled(), tmp_path)
    assert caught.value.hint == "give them values: --bind factor=VALUE"


def test_runs_with_other_values_are_other_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(scaled(), tmp_path / "net.onnx")
    broden(tmp_path / "data", 3, seed=6)
    quick = ("--no-report", "--bootstrap", 0, "--null", 0, "--out", "run")
    run = ("run", "net.onnx", "--data", "data", *quick)
    assert run_command(monkeypatch, *run) == 2
    assert "--bind factor=VALUE" in capsys.readouterr().err
    assert run_command(monkeypatch, *run, "--bind", "factor=2") == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"]["bind"] == {"factor": {"dtype": "float32", "shape": [], "value": 2.0}}
    assert run_command(monkeypatch, *run, "--bind", "factor=2") == 0
    assert run_command(monkeypatch, *run, "--bind", "factor=3") == 2
    assert run_command(monkeypatch, *run, "--bind", "factor") == 2
    assert "takes a name and what it is given" in capsys.readouterr().err
