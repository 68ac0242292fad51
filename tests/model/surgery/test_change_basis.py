"""A layer under a basis is a value that is added to the graph, and dissected like any other."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx_ir.passes import PreconditionError
from support import models
from support.datasets import random_broden, write_broden
from support.models import images, run_whole, save
from support.transformers import transformer

from onnxdissect import Dissection, dissect
from onnxdissect.errors import LayerNotFoundError, ParameterError
from onnxdissect.model import Layer, Network, load_network, open_session
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.layers.basis import BasisLayer, basis_layers
from onnxdissect.model.surgery.change_basis import ChangeBasis
from onnxdissect.model.surgery.describe import surgery_steps
from onnxdissect.model.surgery.layer_outputs import expose_layers

# model, value, layout
PLACES: dict[str, tuple[Callable[[], onnx.ModelProto], str, str]] = {
    "NCHW": (models.plain, "relu2", "NCHW"),
    "NCHW, frozen batch": (models.frozen_batch, "relu1", "NCHW"),
    "NCHW, float16": (lambda: models.plain(dtype=np.float16), "relu2", "NCHW"),
    "NHWC": (models.channels_last, "last", "NHWC"),
    "NTC": (lambda: transformer(2, 1), "hidden", "NTC"),
    "TNC": (lambda: transformer(1, 0, order="TNC"), "final", "TNC"),
    "NC": (models.plain, "logits", "NC"),
    "quantised": (models.quantised, "stages", "NCHW"),
}


def orthogonal(units: int, seed: int) -> NDArray[np.float32]:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(units, units)))[0].astype(np.float32)


def opened(tmp_path: Path, place: str) -> tuple[Network, Layer]:
    make, value, layout = PLACES[place]
    network = load_network(save(make(), tmp_path / "model.onnx"))
    layers = network.select(["all" if value == "last" else value])
    layer = [one for one in layers if one.layout == layout][-1]
    return network, layer


def under_matrices(layer: Layer, matrices: Mapping[str, Any]) -> tuple[BasisLayer, ...]:
    return basis_layers(layer, [Basis.of(name, matrix) for name, matrix in matrices.items()])


@pytest.mark.parametrize("place", PLACES)
def test_activations_under_several_bases(tmp_path: Path, place: str) -> None:
    network, plain = opened(tmp_path, place)
    wide = np.random.default_rng(3).normal(size=(2 * plain.units + 1, plain.units))
    matrices: dict[str, NDArray[Any]] = {
        "identity": np.eye(plain.units),
        "turned": orthogonal(plain.units, 1),
        "wide": wide,
        "one": wide[:1],
    }
    under = under_matrices(plain, matrices)
    batch = images(network, 5)
    session = open_session(network, [plain, *under], provider="cpu", threads=1, verify=batch[:2])
    activations, identity, turned, wider, one = session(batch)
    assert identity.dtype == np.float32 and identity.flags.c_contiguous
    # onnxruntime computes float16 in float32, and leaves out the rounding between the layer and the product
    rounded = identity.astype(plain.dtype).astype(np.float32)
    np.testing.assert_array_equal(rounded if plain.dtype == "float16" else identity, activations)
    activations = identity
    for found, matrix in ((turned, matrices["turned"]), (wider, wide), (one, wide[:1])):
        expected = np.einsum("vu,nuhw->nvhw", matrix.astype(np.float64), activations.astype(np.float64))
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    # instead of the plain layer, and in another order
    alone = open_session(network, [under[2], under[1]], provider="cpu", threads=1, verify=batch[:2])
    for found, expected in zip(alone(batch), (wider, turned), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 9), seed=st.integers(0, 99), place=st.sampled_from(["NCHW", "NHWC", "NTC"]))
def test_any_matrix(tmp_path_factory: pytest.TempPathFactory, rows: int, seed: int, place: str) -> None:
    network, plain = opened(tmp_path_factory.mktemp("basis"), place)
    matrix = np.random.default_rng(seed).normal(size=(rows, plain.units)).astype(np.float32)
    batch = images(network, 2, seed)
    session = open_session(
        network, [plain, *under_matrices(plain, {"any": matrix})], provider="cpu", threads=1
    )
    activations, found = session(batch)
    expected = np.einsum("vu,nuhw->nvhw", matrix.astype(np.float64), activations.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("place", PLACES)
def test_outputs_stay_what_they_are(tmp_path: Path, place: str) -> None:
    network, plain = opened(tmp_path, place)
    before = ir.to_proto(network.model).SerializeToString()
    under = under_matrices(plain, {"turned": orthogonal(plain.units, 2), "identity": np.eye(plain.units)})
    exposed = expose_layers(network.model, [*under, plain], prune=False)
    assert ir.to_proto(network.model).SerializeToString() == before
    batch = images(network, network.input.batch or 2)
    copy = save(ir.to_proto(exposed), tmp_path / "exposed.onnx")
    for got, expected in zip(
        run_whole(copy, network.outputs, batch), run_whole(network.path, network.outputs, batch), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_a_layer_under_a_basis_is_a_layer(tmp_path: Path) -> None:
    network, plain = opened(tmp_path, "NHWC")
    one, other = under_matrices(
        plain, {"rotation:seed=1": np.eye(plain.units), "rotation,seed=1": np.eye(plain.units)}
    )
    assert isinstance(one, BasisLayer) and one.source == plain
    assert (one.name, one.layout, one.dtype) == (f"{plain.name}/basis/rotation:seed=1", "NCHW", "float32")
    assert (one.grid, one.receptive_field, one.macs) == (plain.grid, plain.receptive_field, plain.macs)
    assert one.slug != other.slug
    assert one != other and one == pickle.loads(pickle.dumps(one)) and len({one, other, one}) == 2
    said = surgery_steps(network, [plain, one])
    assert any(f"({plain.units}, {plain.units}) times the units of {plain.name}" in step for step in said)


def test_matrices_that_do_not_fit(tmp_path: Path) -> None:
    network, plain = opened(tmp_path, "NCHW")
    unfit: list[tuple[dict[str, Any], str]] = [
        ({"short": np.eye(plain.units - 1)}, r"'short' has the shape \[5, 5\], where \[rows, 6\] fits"),
        ({"flat": np.ones(plain.units)}, r"'flat' has the shape \[6\], not \[rows, units\]"),
        ({"turned": np.ones((plain.units, 9))}, r"its transpose has 6 columns"),
        ({"none": np.ones((0, plain.units))}, r"'none' has the shape \[0, 6\]"),
        ({"nan": np.full((1, plain.units), np.nan)}, "'nan' holds numbers that are not finite"),
        ({"large": np.full((1, plain.units), 1e300)}, "'large' holds numbers that are not finite"),
        ({"words": np.full((1, plain.units), "a")}, "'words' holds <U1, no real numbers"),
        ({"": np.eye(plain.units)}, "has no name"),
    ]
    for matrices, said in unfit:
        with pytest.raises(ParameterError, match=said):
            under_matrices(plain, matrices)
    (under,) = basis_layers(plain, [Basis.identity(plain.units)])
    with pytest.raises(ParameterError, match="two bases of layer 'relu2' are called 'identity'"):
        basis_layers(plain, [Basis.identity(plain.units)] * 2)
    with pytest.raises(ParameterError, match="is under a basis already"):
        basis_layers(under, [Basis.identity(plain.units)])
    with pytest.raises(PreconditionError, match="more than one value"):
        ChangeBasis([under, under])(network.model)
    with pytest.raises(LayerNotFoundError, match="no value 'elsewhere'"):
        open_session(network, [replace(under, source=replace(plain, name="elsewhere"))])
    with pytest.raises(PreconditionError, match="no node computes"):
        ChangeBasis([replace(under, source=replace(plain, name="elsewhere"))])(network.model)


def test_dissecting_under_the_identity_gives_the_plain_counts(tmp_path: Path) -> None:
    path = save(models.plain(), tmp_path / "model.onnx")
    data = write_broden(tmp_path / "data", random_broden(5, pictures=24, size=(32, 32)))

    def dissected(out: str, *bases: str) -> Dissection:
        return dissect(
            path,
            data,
            ["relu2", "relu3"],
            quantiles=[0.05, 0.2],
            preset="raw",
            provider="cpu",
            batch_size=4,
            bootstrap=0,
            null=0,
            bases=bases,
            out=tmp_path / out,
        )

    plain, under = dissected("plain"), dissected("bases", "identity", "permutation:seed=1")
    assert len(under.layers) == 3 * len(plain.layers) == 6
    for i, info in enumerate(plain.layers):
        expected = plain.counts(info.name)
        assert expected.intersection.any()
        permuted = Basis.permutation(info.units, 1).nearest_units()[0]
        same = np.arange(info.units)
        for one, order in zip(under.layers[3 * i : 3 * i + 3], (same, same, permuted), strict=True):
            found = under.counts(one.name)
            np.testing.assert_array_equal(found.thresholds, expected.thresholds[:, order])
            for kind in ("intersection", "activation", "activation_overlap", "activation_total"):
                want = getattr(expected, kind)[:, order]
                np.testing.assert_array_equal(getattr(found, kind), want, err_msg=kind)
            np.testing.assert_array_equal(found.top_images, expected.top_images[order])
