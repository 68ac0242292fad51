"""Layouts that a person has to state: what follows from them, and which cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.commands import run_command
from support.models import Builder, images, run_whole, save
from support.networks import load, named
from support.small_runs import broden
from support.transformers import GRID, SIZE, UNITS, as_map, patches, with_tokens

from onnxdissect.errors import LayerLayoutError, LayerNotFoundError, ParameterError
from onnxdissect.model import open_session


def windows() -> onnx.ModelProto:
    """Tokens taken apart into windows, whose way back is not followed."""
    b = Builder(("N", 3, SIZE, SIZE))
    x = with_tokens(b, patches(b, "conv"), 1, 0)
    x = b.node("Reshape", x, b.constant((0, 2, 5, UNITS), np.int64), name="windows")
    # takes everything, but what a Slice does to windows is not looked into
    x = b.node("Slice", x, *(b.constant([n], np.int64) for n in (0, 9, 1)))
    x = b.node("Reshape", x, b.constant((0, 10, UNITS), np.int64), name="lost")
    x = b.relu(x, name="after")
    return b.model(b.node("MatMul", x, b.weight((UNITS, UNITS)), name="product"))


@pytest.mark.parametrize("layout", ["NTC", "ntc:1", "NTC:1:3x3"])
@pytest.mark.parametrize("value", ["lost", "lost/node"])
def test_a_stated_layout_is_followed_on(tmp_path: Path, layout: str, value: str) -> None:
    with pytest.raises(LayerLayoutError, match="leaves open which axes are tokens") as caught:
        load(windows(), tmp_path).select(["after"])
    assert caught.value.candidates == ("NTC", "TNC")
    assert "--layout after=NTC" in str(caught.value.hint)
    network = load(windows(), tmp_path, layouts={value: layout})
    assert "as asked for" in named(network, "lost").reason
    for name in ("lost", "after", "product"):
        layer = named(network, name)
        assert (layer.layout, layer.grid, layer.skipped) == ("NTC", GRID, (1, 0))
    batch = images(network, 2)
    (maps,) = open_session(network, network.select(["after"]), verify=batch)(batch)
    (whole,) = run_whole(network.path, ["after"], batch)
    np.testing.assert_allclose(maps, as_map(whole, "NTC", 1, GRID), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layout", "error", "said"),
    [
        ("nowhere", "NTC", LayerNotFoundError, "nowhere"),
        ("lost", "NCT", ParameterError, "no layout"),
        ("lost", "NCHW", LayerLayoutError, "has 4 axes, and 'lost' has the shape"),
        ("lost", "NC", LayerLayoutError, "NTC"),
        ("lost", "NC:1", ParameterError, "no layout"),
        ("lost", "NTC:x", ParameterError, "no number of tokens"),
        ("lost", "NTC:1:3", ParameterError, "no grid"),
        ("lost", "NTC:1:9x9", LayerLayoutError, "fill no grid"),
        ("lost", "NTC:8", LayerLayoutError, "fill no grid"),
        # 3 before leave 7: a grid of 2x2 and three more is none that the network has
        ("lost", "NTC:3", LayerLayoutError, "7 of them behind the first 3, which fill no grid"),
        ("lost", "NTC:3", LayerLayoutError, "candidates: NTC:1:3x3"),
    ],
)
def test_layouts_that_cannot_be(
    tmp_path: Path, name: str, layout: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        load(windows(), tmp_path, layouts={name: layout})
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["relu1", "first/node"])
def test_a_layout_is_stated_by_value_node_or_alias_alike(tmp_path: Path, name: str) -> None:
    b = Builder(("N", 3, SIZE, SIZE))
    x = b.node("Relu", b.conv("image", 4, name="c"), name="first")
    network = load(b.model(b.conv(x, 4)), tmp_path, layouts={name: "NCHW"})
    layer = named(network, "first")
    assert (layer.alias, layer.layout, layer.reason) == ("relu1", "NCHW", "as asked for")


def test_one_value_takes_one_stated_layout(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'lost' and 'lost/node' are one value"):
        load(windows(), tmp_path, layouts={"lost": "NTC", "lost/node": "TNC"})


def test_a_run_with_a_stated_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(windows(), tmp_path / "net.onnx")
    broden(tmp_path / "data", 3, seed=5)
    quick = ("--no-report", "--bootstrap", 0, "--null", 0)
    run = ("run", "net.onnx", "--data", "data", "--layer", "after", *quick)
    assert run_command(monkeypatch, *run, "--out", "run") == 2
    assert "--layout after=NTC" in capsys.readouterr().err
    assert run_command(monkeypatch, *run, "--out", "run", "--layout", "lost=NTC:1") == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"]["layouts"] == {"lost": "NTC:1"}
    # another layout is another run
    assert run_command(monkeypatch, *run, "--out", "run", "--layout", "lost=NTC:0") == 2
    assert "layouts" in capsys.readouterr().err
