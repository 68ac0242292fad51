"""A basis with a bias and an activation gives what loops over places give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from naive import bases as naive
from numpy.typing import NDArray
from support import models
from support.models import images, save
from support.transformers import transformer

from onnxdissect.model import load_network, open_session
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.moments import Moments
from onnxdissect.model.layers.basis import basis_layers
from onnxdissect.model.runtime.difference import relative_error
from onnxdissect.model.runtime.verification import worst_deviation
from onnxdissect.model.surgery.describe import surgery_steps

ACTIVATIONS = ["", "relu", "topk:1", "topk:3", "topk:9"]


def small(opset: int = 17) -> onnx.ModelProto:
    b = models.Builder(("N", 3, 12, 12), opset=opset)
    return b.model(b.relu(b.conv(b.image, 5, stride=3), name="stem"))


# TopK takes k as an attribute before opset 10, and Less has changed at 9
@pytest.mark.parametrize("opset", [8, 9, 10, 11, 13, 17, 21])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_those_of_loops(tmp_path: Path, opset: int, activation: str) -> None:
    network = load_network(save(small(opset), tmp_path / "model.onnx"))
    (layer,) = network.select(["stem"])
    rng = np.random.default_rng(opset)
    bases = [
        Basis.of("with", rng.normal(size=(9, 5)), rng.normal(size=9), activation),
        Basis.of("without", rng.normal(size=(9, 5)), None, activation),
    ]
    batch = images(network, 3)
    session = open_session(
        network, [layer, *basis_layers(layer, bases)], provider="cpu", threads=1, verify=batch[:2]
    )
    plain, *found = session(batch)
    for got, basis in zip(found, bases, strict=True):
        expected = naive.change(plain, basis.matrix, basis.bias, activation)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
        if activation.startswith("topk:"):
            assert (np.count_nonzero(got, axis=1) <= int(activation[5:])).all()
            assert got.any()


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (models.channels_last(), "NHWC"),
        (transformer(2, 1), "NTC"),
        (models.fully_connected(), "NC"),
        (models.plain(dtype=np.float16), "NCHW"),
        (models.quantised(), "NCHW"),
    ],
    ids=["NHWC", "tokens", "NC", "float16", "quantised"],
)
def test_activations_in_every_layout(tmp_path: Path, model: onnx.ModelProto, value: str) -> None:
    network = load_network(save(model, tmp_path / "model.onnx"))
    layer = [one for one in network.select(["all"]) if one.layout == value][-1]
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(7, layer.units)).astype(np.float32)
    bias = rng.normal(size=7).astype(np.float32)
    under = basis_layers(
        layer,
        [Basis.identity(layer.units), Basis.of("topk", matrix, bias, "topk:2"), Basis.of("b", matrix, bias)],
    )
    plain, topk, linear = open_session(network, under, provider="cpu", threads=1)(images(network, 2))
    scale = np.abs(linear).max()
    expected = naive.change(plain, matrix, bias, "")
    np.testing.assert_allclose(linear, expected, rtol=1e-4, atol=1e-5 * scale)
    # what is kept is what was there before, and the two largest where these are positive
    positive = np.maximum(linear, 0)
    kept = positive >= np.sort(positive, axis=1)[:, -2:-1]
    np.testing.assert_allclose(topk, np.where(kept, positive, 0), rtol=1e-4, atol=1e-5 * scale)


def test_units_that_rounding_lets_change_places_are_no_difference(tmp_path: Path) -> None:
    # integers: optimised, the graph rounds otherwise, and of nearly equal units another one is kept
    network = load_network(save(models.quantised(), tmp_path / "model.onnx"))
    layer = [one for one in network.select(["all"]) if one.layout == "NCHW"][-1]
    rows = np.random.default_rng(0).normal(size=(40, layer.units))
    (linear,) = basis_layers(layer, [Basis.of("linear", rows, None, "relu")])
    (under,) = basis_layers(layer, [Basis.of("topk", rows, None, "topk:3")])
    batch = images(network, 2)
    (expected,) = open_session(network, [under], provider="cpu", threads=1)(batch)
    (positive,) = open_session(network, [linear], provider="cpu", threads=1)(batch)
    # the third and the fourth change places everywhere
    order = np.argsort(-positive, axis=1, kind="stable")
    third, fourth = (np.take_along_axis(positive, order[:, i : i + 1], axis=1) for i in (2, 3))
    swapped = np.where(expected == third, 0, expected) + np.where(positive == fourth, fourth, 0)
    assert relative_error(swapped, expected) > 0.2
    assert worst_deviation(network, [under], [swapped], [expected]) is None
    # but what is kept has to be the same, and something has to be kept
    wrong: list[NDArray[Any]] = [1.5 * swapped, np.roll(expected, 1, axis=1) * (expected == 0), 0 * expected]
    for other in wrong:
        found = worst_deviation(network, [under], [other], [expected])
        assert found is not None and found.layer == under.name
    assert worst_deviation(network, [linear], [swapped], [positive]) is not None


def test_units_that_are_equal_stay_together(tmp_path: Path) -> None:
    network = load_network(save(small(), tmp_path / "model.onnx"))
    (layer,) = network.select(["stem"])
    # the first four new units are one and the same, the last is larger
    rows = np.array([[1, 1, 1, 1, 1]] * 4 + [[2, 2, 2, 2, 2]])
    bases = [Basis.of(f"top{k}", rows, None, f"topk:{k}") for k in (1, 2, 4, 5)]
    plain, one, *others = open_session(
        network, [layer, *basis_layers(layer, bases)], provider="cpu", threads=1
    )(images(network, 2))
    assert plain.sum(axis=1).all()
    assert not one[:, :4].any() and one[:, 4].all()
    for found in others:
        assert found.all()
        np.testing.assert_array_equal(found[:, 0], found[:, 3])


def test_principal_components_in_the_graph_are_centred(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    (layer,) = network.select(["relu2"])
    batches = [images(network, 8, seed) for seed in range(3)]
    session = open_session(network, [layer], provider="cpu", threads=1)
    moments = Moments(layer.units)
    for batch in batches:
        moments.add(session(batch)[0])
    basis = Basis.pca(moments, 3)
    (under,) = basis_layers(layer, [basis])
    session = open_session(network, [under], provider="cpu", threads=1, verify=batches[0][:2])
    again = Moments(3)
    for batch in batches:
        again.add(session(batch)[0])
    variances = np.linalg.eigvalsh(moments.covariance)[::-1][:3]
    np.testing.assert_allclose(again.mean, 0, rtol=0, atol=1e-5 * np.sqrt(variances[0]))
    np.testing.assert_allclose(again.covariance, np.diag(variances), rtol=0, atol=1e-5 * variances[0])


def test_what_is_done_is_said(tmp_path: Path) -> None:
    network = load_network(save(small(), tmp_path / "model.onnx"))
    (layer,) = network.select(["stem"])
    (under,) = basis_layers(layer, [Basis.of("sae", np.ones((9, 5)), np.ones(9), "topk:3")])
    said = "the matrix (9, 5) times the units of stem, plus a bias, through topk:3 is (n, 9, 4, 4)"
    assert f"add stem/basis/sae: {said}" in surgery_steps(network, [under])
