"""Scaled units give what NumPy gives between head and tail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_ir.passes import PreconditionError
from support import models
from support.models import images, save
from support.transformers import transformer

from onnxdissect.errors import LayerCutError, LayerNotFoundError, ParameterError
from onnxdissect.model import load_network
from onnxdissect.model.runtime.inference import open_runtime
from onnxdissect.model.surgery.scale_units import ScaleUnits, scale_units
from onnxdissect.model.surgery.split import split_network

FACTORS: list[dict[int, float]] = [{0: 0.0}, {2: -1.5, 0: 0.25}, dict.fromkeys(range(3), 0.0), {1: 1.0}]


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (models.plain, "NCHW"),
        (models.frozen_batch, "NCHW"),
        (models.channels_last, "NHWC"),
        (lambda: transformer(1, 1), "NTC"),
        (lambda: transformer(2, 0, order="TNC"), "TNC"),
        (models.fully_connected, "NC"),
    ],
)
def test_scaled_units_are_numpys(
    tmp_path: Path, make: Callable[[], onnx.ModelProto], layout: str, factors: dict[int, float]
) -> None:
    network = load_network(save(make(), tmp_path / "model.onnx"))
    before = ir.to_proto(network.model).SerializeToString()
    batch = images(network, network.input.batch or 3)
    outputs = network.outputs
    candidates = [one for one in network.layers if one.layout == layout and one.name not in outputs]
    tried = 0
    for layer in candidates:
        try:
            head, tail = split_network(network, [layer])
        except LayerCutError:
            continue
        tried += 1
        (activations,) = open_runtime(head, optimise="none")({network.input.name: batch}, [layer.name])
        by_hand = activations.copy()
        for unit, factor in factors.items():
            by_hand[(slice(None),) * layout.index("C") + (unit,)] *= np.float32(factor)
        expected = open_runtime(tail, optimise="none")({layer.name: by_hand}, outputs)
        of_tail = open_runtime(scale_units(tail, layer, factors), optimise="none")
        whole = open_runtime(scale_units(network.model, layer, factors), optimise="none")
        for found in (
            of_tail({layer.name: activations}, outputs),
            whole({network.input.name: batch}, outputs),
        ):
            for got, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(got, wanted)
    assert tried
    assert ir.to_proto(network.model).SerializeToString() == before


def test_all_that_reads_the_layer_gets_the_scaled_one(tmp_path: Path) -> None:
    b = models.Builder()
    x = b.relu(b.conv(b.image, 4), name="stem")
    y = b.relu(b.conv(x, 4), name="inside")
    network = load_network(save(b.model(b.head(b.node("Add", x, y)), "stem"), tmp_path / "model.onnx"))
    batch = images(network, 2)
    (layer,) = network.select(["stem"])
    before, plain = open_runtime(network.path, optimise="none")({"image": batch}, ["logits", "stem"])
    scaled = open_runtime(scale_units(network.model, layer, {3: 0.0, 1: 2.0}), optimise="none")
    logits, stem = scaled({"image": batch}, ["logits", "stem"])
    np.testing.assert_array_equal(stem, plain * np.array([1, 2, 1, 0], np.float32)[:, None, None])
    assert not np.array_equal(logits, before)


def test_layers_of_integers_are_scaled_in_floating_point(tmp_path: Path) -> None:
    b = models.Builder(("N", 3, 16, 16), opset=19)
    scale, zero = b.constant(0.04), b.constant(3, np.uint8)
    kernel = b.constant(b.rng.integers(-90, 90, (3, 3, 3, 3)), np.int8)
    weight = (kernel, b.constant(0.01), b.constant(0, np.int8))
    x = b.node("QuantizeLinear", b.image, scale, zero, name="image_q")
    x = b.node("QLinearConv", x, scale, zero, *weight, scale, zero, pads=(1,) * 4, name="conv_q")
    b.node("DequantizeLinear", b.node("Transpose", x, perm=(0, 1, 3, 2)), scale, zero, name="out")
    network = load_network(save(b.model("out"), tmp_path / "model.onnx"))
    (layer,) = network.select(["conv_q"])
    batch = images(network, 2)
    (plain,) = open_runtime(network.path, optimise="none")({"image": batch}, ["out"])
    scaled = open_runtime(scale_units(network.model, layer, {1: 0.0, 2: 2.0}), optimise="none")
    (found,) = scaled({"image": batch}, ["out"])
    highest = np.float32(0.04) * (255 - 3)
    wanted = np.clip(plain * np.array([1, 0, 2], np.float32)[:, None, None], np.float32(-3 * 0.04), highest)
    assert plain.any(axis=(2, 3)).all()
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_units_that_cannot_be_scaled(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    (layer,) = network.select(["relu2"])
    for factors, said in (
        ({6: 0.0}, "lacks unit 6"),
        ({-1: 0.0}, "lacks unit -1"),
        ({}, "in no unit"),
        ({0: float("nan")}, "scaled by nan"),
    ):
        with pytest.raises(ParameterError, match=said):
            scale_units(network.model, layer, factors)
    _, tail = split_network(network, ["relu3"])
    with pytest.raises(LayerNotFoundError, match="no value 'relu2' to scale"):
        scale_units(tail, layer, {0: 0.0})
    _, tail = split_network(network, ["logits"])
    (last,) = network.select(["logits"])
    with pytest.raises(ParameterError, match="'logits' is an input and an output of this graph at once"):
        scale_units(tail, last, {0: 0.0})
    with pytest.raises(PreconditionError, match="an output without being computed"):
        ScaleUnits("logits", np.ones((1, 5), np.float32))(tail)
