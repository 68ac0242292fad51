"""A layer turned and turned back leaves the outputs what they are; turned otherwise it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_ir.passes import PreconditionError
from support import models
from support.models import images, save
from support.transformers import transformer

from onnxdissect.errors import LayerNotFoundError, ParameterError
from onnxdissect.model import load_network
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.layers.basis import basis_layers
from onnxdissect.model.runtime.inference import open_runtime
from onnxdissect.model.runtime.round_trip import round_trip_errors
from onnxdissect.model.runtime.verification import tolerance
from onnxdissect.model.surgery.round_trip import RoundTrip, round_trip

PLACES: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "NCHW": (models.plain, "NCHW"),
    "NCHW, frozen batch": (models.frozen_batch, "NCHW"),
    "NCHW, float16": (lambda: models.plain(dtype=np.float16), "NCHW"),
    "NHWC": (models.channels_last, "NHWC"),
    "NTC": (lambda: transformer(2, 1), "NTC"),
    "TNC": (lambda: transformer(1, 0, order="TNC"), "TNC"),
    "NC": (models.fully_connected, "NC"),
    "quantised": (models.quantised, "NCHW"),
}


@pytest.mark.parametrize("place", PLACES)
def test_outputs_stay_what_they_are(tmp_path: Path, place: str) -> None:
    make, layout = PLACES[place]
    network = load_network(save(make(), tmp_path / "model.onnx"))
    before = ir.to_proto(network.model).SerializeToString()
    batch = images(network, 3)
    layers = [one for one in network.layers if one.layout == layout and one.part != "unused"]
    allowed = tolerance(network)
    assert layers
    moved = 0.0
    for layer in layers:
        for basis in (Basis.rotation(layer.units, 1, 0.7), Basis.permutation(layer.units, 2)):
            errors = round_trip_errors(network, layer, basis, batch)
            assert list(errors) == list(network.outputs)
            assert max(errors.values()) <= allowed, (layer.name, errors)
            # the same matrix once more in place of its inverse is no way back
            wrong = RoundTrip(layer, basis.matrix, basis.matrix)
            if place != "quantised":
                feed = {network.input.name: np.repeat(batch[:1], network.input.batch or 1, axis=0)}
                expected = open_runtime(network.model, optimise="none")(feed, network.outputs)
                found = open_runtime(wrong(network.model).model, optimise="none")(feed, network.outputs)
                moved = max(
                    moved, *(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
                )
    assert moved > 0.01 or place == "quantised"
    assert ir.to_proto(network.model).SerializeToString() == before


def test_a_permutation_costs_no_bit(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    for layer in network.select(["all"]):
        errors = round_trip_errors(network, layer, Basis.permutation(layer.units, 3), images(network, 2))
        assert set(errors.values()) == {0.0}


def test_what_reads_the_layer_and_what_is_an_output_gets_the_turned_one(tmp_path: Path) -> None:
    b = models.Builder()
    x = b.relu(b.conv(b.image, 4), name="stem")
    y = b.relu(b.conv(x, 4), name="inside")
    network = load_network(save(b.model(b.head(b.node("Add", x, y)), "stem"), tmp_path / "model.onnx"))
    (layer,) = network.select(["stem"])
    double = 2 * np.eye(4, dtype=np.float32)
    turned = RoundTrip(layer, double, double)(network.model).model
    feed = {"image": images(network, 2)}
    plain = open_runtime(network.model, optimise="none")(feed, ["stem", "logits"])
    found = open_runtime(turned, optimise="none")(feed, ["stem", "logits"])
    np.testing.assert_array_equal(found[0], 4 * plain[0])
    # two convolutions without bias and a sum hand a factor on; the head adds its own bias
    bias = network.model.graph.node("logits/node").inputs[2]
    assert bias is not None and bias.const_value is not None
    shift = bias.const_value.numpy()
    np.testing.assert_allclose(found[1] - shift, 4 * (plain[1] - shift), rtol=1e-4, atol=1e-5)


def test_an_integer_output_is_compared_by_what_differs(tmp_path: Path) -> None:
    b = models.Builder()
    logits = b.head(b.relu(b.conv(b.image, 4), name="stem"))
    network = load_network(
        save(b.model(logits, b.node("ArgMax", logits, axis=1, keepdims=0, name="class")), tmp_path / "m.onnx")
    )
    (layer,) = network.select(["stem"])
    errors = round_trip_errors(network, layer, Basis.rotation(4, 0), images(network, 4))
    assert errors["class"] == 0 and 0 < errors["logits"] < 1e-5


def test_bases_that_cannot_be_undone(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    (layer,) = network.select(["relu2"])
    square = Basis.rotation(layer.units, 1).matrix
    unfit = [
        (Basis.directions(layer.units, layer.units, 1), "differs by .* from an orthogonal matrix"),
        (Basis.directions(layer.units, 3, 1), r"has the shape \[3, 6\]"),
        (Basis.of("biased", square, np.ones(layer.units)), "has a bias"),
        (Basis.of("bent", square, None, "relu"), "has the activation relu"),
        (Basis.identity(layer.units + 1), "fits the 6 units"),
    ]
    for basis, said in unfit:
        with pytest.raises(ParameterError, match=said):
            round_trip(network.model, layer, basis)
    identity = Basis.identity(layer.units)
    with pytest.raises(ParameterError, match="is beside the network, which does not read it"):
        round_trip(network.model, basis_layers(layer, [identity])[0], identity)
    with pytest.raises(LayerNotFoundError, match="no value 'elsewhere' to turn"):
        round_trip(network.model, replace(layer, name="elsewhere"), identity)
    with pytest.raises(PreconditionError, match="no node computes"):
        RoundTrip(replace(layer, name="elsewhere"), square, square)(network.model)
    with pytest.raises(
        ParameterError, match="is computed from layer 'relu2', so turning it cannot be verified"
    ):
        round_trip_errors(network, replace(layer, part="unused"), identity, images(network, 1))
