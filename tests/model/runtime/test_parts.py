"""Head and tail, run apart, are the network; units can be set in any layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from support import models
from support.models import Builder, images, run_whole, save
from support.transformers import transformer

import onnxdissect.model.runtime.parts.opening as opening
from onnxdissect.errors import (
    LayerCutError,
    LayerNotFoundError,
    ModelRuntimeError,
    NonFiniteError,
    ParameterError,
    ProviderError,
)
from onnxdissect.model import load_network, open_session, provider_states
from onnxdissect.model.runtime.difference import same_output
from onnxdissect.model.runtime.parts.opening import open_parts
from onnxdissect.model.runtime.verification import tolerance
from onnxdissect.model.surgery.split import split_network


def doubles() -> onnx.ModelProto:
    b = Builder(("N", 3, 8, 8), dtype=np.float64)
    hidden = b.relu(b.node("Gemm", b.node("Flatten", b.image), b.weight((192, 7))), name="hidden")
    return b.model(b.node("Gemm", hidden, b.weight((7, 4)), name="logits"))


MODELS = Path(__file__).parents[3] / "models"
Make = Callable[[], onnx.ModelProto]
NETWORKS: dict[str, tuple[Make, str]] = {
    "NCHW": (models.plain, "relu2"),
    "NHWC": (models.channels_last, "relu0"),
    "NTC": (transformer, "block"),
    "TNC": (lambda: transformer(2, 1, order="TNC"), "block"),
    "NC": (models.fully_connected, "hidden"),
    "float16": (lambda: models.plain(dtype=np.float16), "relu2"),
    "float64": (doubles, "hidden"),
    "integers": (models.quantised, "relu0/rounded"),
    "frozen": (models.frozen_batch, "relu1"),
    "frozen at 4": (lambda: models.frozen_batch(4), "relu1"),
    "mixes its batch": (models.mixes_batch, "relu2"),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_tail_of_the_head_is_the_network(tmp_path: Path, kind: str) -> None:
    make, name = NETWORKS[kind]
    path = save(make(), tmp_path / "model.onnx")
    network = load_network(path)
    (layer,) = network.select([name])
    parts = open_parts(network, layer, provider="cpu")
    batch = images(network, 5, seed=1)
    frozen = network.input.batch or 5
    run = [
        run_whole(path, network.outputs, np.resize(batch[i : i + frozen], (frozen, *batch.shape[1:])))[0]
        for i in range(0, 5, frozen)
    ]
    whole = np.concatenate(run)[:5]
    activations = parts.activations(batch)
    (got,) = parts.run_tail(activations)
    assert parts.outputs == network.outputs and got.shape == whole.shape
    assert same_output(got, whole, tolerance(network))
    assert parts.units_first(activations).shape[:2] == (5, layer.units)
    session = open_session(network, [layer], provider="cpu")
    np.testing.assert_allclose(parts.maps(activations), session(batch)[0], rtol=1e-5, atol=1e-6)
    # one at a time, and a batch that is no multiple of any
    one_by_one = np.concatenate([parts.run_tail(parts.activations(batch[i : i + 1]))[0] for i in range(5)])
    assert same_output(one_by_one, got, tolerance(network))


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_unit_is_set_whatever_the_layout(tmp_path: Path, kind: str) -> None:
    make, name = NETWORKS[kind]
    network = load_network(save(make(), tmp_path / "model.onnx"))
    (layer,) = network.select([name])
    parts = open_parts(network, layer, provider="cpu")
    activations = parts.activations(images(network, 3))
    parts.units_first(activations)[1, 2] = 7
    maps = parts.maps(activations)
    assert (maps[1, 2] == 7).all() and not (maps[0, 2] == 7).all() and not (maps[1, 1] == 7).all()
    assert activations.dtype == ("float64" if kind == "float64" else "float32")


def test_only_what_is_asked_for_has_to_pass_the_layer(tmp_path: Path) -> None:
    b = Builder(("N", 3, 12, 12))
    deep = b.relu(b.conv(b.image, 6), name="deep")
    side = b.relu(b.conv(b.image, 2), name="side")
    network = load_network(save(b.model(b.head(deep), side), tmp_path / "model.onnx"))
    (layer,) = network.select(["deep"])
    with pytest.raises(LayerCutError, match="goes around to 'side'"):
        open_parts(network, layer, provider="cpu")
    parts = open_parts(network, layer, outputs=["logits"], provider="cpu")
    batch = images(network, 2)
    (whole,) = run_whole(network.path, ["logits"], batch)
    np.testing.assert_allclose(parts.run_tail(parts.activations(batch))[0], whole, rtol=1e-5, atol=1e-6)
    assert network.outputs == ("logits", "side")
    before = ir.to_proto(network.model).SerializeToString()
    open_parts(network, layer, outputs=["logits"], provider="cpu")
    assert ir.to_proto(network.model).SerializeToString() == before


def test_a_batch_that_cannot_be_freed_is_told_and_filled_up(tmp_path: Path) -> None:
    network = load_network(save(models.mixes_batch(), tmp_path / "model.onnx"))
    (late,) = network.select(["relu2"])
    parts = open_parts(network, late, provider="cpu")
    assert (parts.head_batch, parts.tail_batch) == (1, None)
    assert "the head insists on batches of 1" in parts.warnings[0]
    (early,) = network.select(["relu1"])
    parts = open_parts(network, early, provider="cpu")
    assert (parts.head_batch, parts.tail_batch) == (None, 1)
    assert "the tail insists on batches of 1" in parts.warnings[0]
    freed = load_network(save(models.frozen_batch(4), tmp_path / "frozen.onnx"))
    parts = open_parts(freed, freed.select(["relu1"])[0], provider="cpu")
    assert (parts.head_batch, parts.tail_batch, parts.warnings) == (None, None, ())


def test_float16_tails_keep_small_changes(tmp_path: Path) -> None:
    network = load_network(save(models.plain(dtype=np.float16), tmp_path / "model.onnx"))
    (layer,) = network.select(["relu3"])
    parts = open_parts(network, layer, provider="cpu")
    activations = parts.activations(images(network, 1))
    changed = activations * np.float32(1 + 1e-5)
    moved = parts.run_tail(changed)[0] - parts.run_tail(activations)[0]
    assert 0 < np.abs(moved).max() < 1e-3


def test_the_shipped_network_is_split_at_every_layer(tmp_path: Path) -> None:
    network = load_network(MODELS / "tiny_scenes.onnx")
    batch = images(network, 2)
    (whole,) = run_whole(network.path, network.outputs, batch)
    for layer in network.select(["stages"]):
        parts = open_parts(network, layer, provider="cpu", verify=batch)
        assert same_output(parts.run_tail(parts.activations(batch))[0], whole, tolerance(network))


# ---------------------------------------------------------------------------------------------- refusals


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    other = load_network(save(models.residual(), tmp_path / "other.onnx"))
    with pytest.raises(LayerNotFoundError, match="no value 'block1'"):
        open_parts(network, other.select(["block1"])[0], provider="cpu")
    (layer,) = network.select(["relu2"])
    with pytest.raises(LayerNotFoundError, match="no value 'scores'"):
        open_parts(network, layer, outputs=["scores"], provider="cpu")
    with pytest.raises(ParameterError, match="unknown provider"):
        open_parts(network, layer, provider="gpu")
    for state in provider_states():
        if state.name == "cuda" and not state.available:
            with pytest.raises(ProviderError, match="cuda provider is not to be had"):
                open_parts(network, layer, provider="cuda")


def test_parts_that_compute_something_else_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    (layer,) = network.select(["relu2"])
    split = split_network

    def broken(given: Any, layers: Any) -> Any:
        head, tail = split(given, layers)
        for node in head.graph:
            if node.op_type == "Relu":
                node.op_type = "Abs"
        return head, tail

    monkeypatch.setattr(opening, "split_network", broken)
    with pytest.raises(
        ModelRuntimeError, match="splitting the network at 'relu2' changes it: output 'logits'"
    ):
        open_parts(network, layer, provider="cpu")


def test_numbers_that_are_not_finite_are_told(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    (layer,) = network.select(["conv1"])
    parts = open_parts(network, layer, provider="cpu")
    batch = images(network, 1)
    batch[0, 0, 4, 4] = np.inf
    with pytest.raises(NonFiniteError, match=r"layer 'conv1': unit \d is not finite"):
        parts.activations(batch)


def test_a_network_that_draws_numbers_is_refused(tmp_path: Path) -> None:
    b = Builder()
    x = b.relu(b.conv(b.image, 4), name="deep")
    noise = b.node("RandomNormalLike", x)
    x = b.node("Add", x, noise, name="noisy")
    b.units[x] = 4
    network = load_network(save(b.model(b.head(x)), tmp_path / "model.onnx"))
    (layer,) = network.select(["deep"])
    with pytest.raises((ModelRuntimeError, LayerCutError), match=r"each time it is run|does not cut"):
        open_parts(network, layer, provider="cpu")
    assert cast(Any, layer).units == 4
