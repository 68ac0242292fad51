"""Cut networks compute what the whole file computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_ir.passes import PreconditionError
from support import models
from support.models import Builder, images, run_whole, save

from onnxdissect.errors import LayerNotFoundError, ModelRuntimeError, ParameterError
from onnxdissect.model import Layer, load_network, open_session
from onnxdissect.model.runtime.verification import worst_deviation
from onnxdissect.model.surgery.expose import ExposeValues
from onnxdissect.model.surgery.free_batch import FreeBatch
from onnxdissect.model.surgery.prune import Prune

NETWORKS = {
    "plain": models.plain,
    "residual": models.residual,
    "channels_last": models.channels_last,
    "squeeze_excite": models.squeeze_excite,
    "inception": models.inception,
    "encoder_decoder": models.encoder_decoder,
}


def as_units(array: Any, layer: Layer) -> Any:
    if layer.layout == "NC":
        return array[:, :, None, None]
    return array.transpose(0, 3, 1, 2) if layer.layout == "NHWC" else array


@pytest.mark.parametrize("name", NETWORKS)
def test_activations_are_those_of_the_whole_file(tmp_path: Path, name: str) -> None:
    path = save(NETWORKS[name](), tmp_path / "model.onnx")
    network = load_network(path)
    batch = images(network, 3)
    layers = network.select(["all"])
    whole = run_whole(path, [layer.name for layer in layers], batch)
    for chosen in (layers, layers[:1], layers[-1:], layers[1::2]):
        session = open_session(network, chosen, threads=1, verify=batch[:2])
        assert session.provider == "cpu"
        assert (session.fixed_batch, session.warnings, session.optimise) == (None, (), "all")
        for layer, maps in zip(chosen, session(batch), strict=True):
            expected = as_units(whole[layers.index(layer)], layer)
            assert maps.dtype == np.float32 and maps.flags.c_contiguous
            assert maps.shape == (3, layer.units, *layer.grid)
            np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    units=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    strides=st.lists(st.integers(1, 2), min_size=5, max_size=5),
    skips=st.lists(st.booleans(), min_size=5, max_size=5),
    seed=st.integers(0, 99),
)
def test_random_networks(
    tmp_path_factory: pytest.TempPathFactory,
    units: list[int],
    strides: list[int],
    skips: list[bool],
    seed: int,
) -> None:
    b = Builder(("N", 3, 20, 16), seed=seed)
    x = b.image
    for count, stride, skip in zip(units, strides, skips, strict=False):
        y = b.relu(b.conv(x, count, stride=stride))
        x = b.node("Add", y, b.conv(x, count, 1, stride=stride)) if skip else y
        b.units[x] = count
    path = save(b.model(b.head(x)), tmp_path_factory.mktemp("random") / "model.onnx")
    network = load_network(path)
    layers = network.select(["stages"])
    batch = images(network, 2, seed)
    session = open_session(network, layers, threads=1, verify=batch)
    whole = run_whole(path, [layer.name for layer in layers], batch)
    for got, expected in zip(session(batch), whole, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_half_precision_comes_out_as_float32(tmp_path: Path) -> None:
    path = save(models.plain(dtype=np.float16), tmp_path / "model.onnx")
    network = load_network(path)
    batch = images(network)
    assert batch.dtype == np.float16
    layers = network.select(["stages"])
    session = open_session(network, layers, verify=batch)
    whole = run_whole(path, [layer.name for layer in layers], batch)
    for got, expected in zip(session(batch), whole, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected.astype(np.float32), rtol=1e-2, atol=1e-2)


def test_quantised_layers_are_within_a_step(tmp_path: Path) -> None:
    path = save(models.quantised(), tmp_path / "model.onnx")
    network = load_network(path)
    batch = images(network)
    layers = network.select(["stages"])
    session = open_session(network, layers, verify=batch)
    whole = run_whole(path, [layer.name for layer in layers], batch)
    for got, expected in zip(session(batch), whole, strict=True):
        assert np.abs(got - expected).max() <= 2 * 0.05


def test_weights_that_are_not_numbers_are_passed_on(tmp_path: Path) -> None:
    """The pass names layer, unit and image; the session must not hide or refuse them."""
    model = models.plain()
    weights = onnx.numpy_helper.to_array(model.graph.initializer[1]).copy()
    weights[2] = np.nan
    model.graph.initializer[1].CopyFrom(
        onnx.numpy_helper.from_array(weights, model.graph.initializer[1].name)
    )
    network = load_network(save(model, tmp_path / "model.onnx"))
    batch = images(network)
    (maps,) = open_session(network, network.select(["conv1b"]), verify=batch)(batch)
    assert np.isnan(maps[:, 2]).all()
    assert np.isfinite(maps[:, [0, 1, 3]]).all()


# --------------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("allowzero", [False, True])
@pytest.mark.parametrize("verified", [False, True])
def test_a_frozen_batch_is_freed(tmp_path: Path, batch: int, allowzero: bool, verified: bool) -> None:
    path = save(models.frozen_batch(batch, allowzero=allowzero), tmp_path / "model.onnx")
    network = load_network(path)
    assert network.input.batch == batch
    assert {layer.shape[0] for layer in network.layers} == {1}
    pictures = images(network, 8)
    layers = network.select(["all"])
    session = open_session(network, layers, verify=pictures[:2] if verified else None)
    assert (session.fixed_batch, session.warnings) == (None, ())
    names = [layer.name for layer in layers]
    parts = [run_whole(path, names, pictures[i : i + batch]) for i in range(0, 8, batch)]
    for count in (1, 3, 8):
        for layer, maps, *found in zip(layers, session(pictures[:count]), *parts, strict=True):
            expected = as_units(np.concatenate(found)[:count], layer)
            np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("verified", [False, True])
def test_a_batch_that_cannot_be_freed_is_kept(tmp_path: Path, verified: bool) -> None:
    path = save(models.mixes_batch(), tmp_path / "model.onnx")
    network = load_network(path)
    pictures = images(network, 3)
    layers = network.select(["relu2"])
    session = open_session(network, layers, verify=pictures if verified else None)
    assert session.fixed_batch == 1
    assert "batches of 1" in session.warnings[0]
    alone = np.concatenate([run_whole(path, ["relu2"], pictures[i : i + 1])[0] for i in range(3)])
    np.testing.assert_allclose(session(pictures)[0], alone, atol=1e-5)


def test_a_kept_batch_larger_than_one_is_filled_up(tmp_path: Path) -> None:
    b = Builder((3, 3, 16, 16))
    x = b.relu(b.conv(b.image, 4))
    # a table of one row per image of the batch
    x = b.node("Add", x, b.constant(np.zeros((3, 4, 16, 16))), name="shifted")
    path = save(b.model(x), tmp_path / "model.onnx")
    network = load_network(path)
    session = open_session(network, network.select(["shifted"]))
    assert session.fixed_batch == 3
    pictures = images(network, 7)
    expected = run_whole(path, ["shifted"], pictures[:3])[0]
    got = session(pictures)[0]
    assert got.shape == (7, 4, 16, 16)
    np.testing.assert_allclose(got[:3], expected, atol=1e-5)


def test_a_batch_baked_into_a_graph_with_a_free_input(tmp_path: Path) -> None:
    model = models.frozen_batch()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    network = load_network(save(model, tmp_path / "model.onnx"))
    assert network.input.batch is None
    session = open_session(network, network.select(["relu2"]))
    assert session.fixed_batch is None
    assert session(images(network, 5))[0].shape == (5, 6, 8, 8)


# --------------------------------------------------------------------------------------------- surgery


def test_surgery_leaves_its_model_alone(tmp_path: Path) -> None:
    path = save(models.frozen_batch(), tmp_path / "model.onnx")
    network = load_network(path)
    before = ir.to_proto(network.model).SerializeToString()
    cut = Prune(["relu1"])(network.model).model
    free = FreeBatch("image", 1, network.listing.axes, network.listing.shapes)(cut).model
    assert ir.to_proto(network.model).SerializeToString() == before
    assert [node.op_type for node in cut.graph] == ["Conv", "Relu"]
    assert list(cut.graph.initializers) == ["const_0"]
    assert cut.graph.inputs[0].shape == ir.Shape([1, 3, 16, 16])
    assert not isinstance(free.graph.inputs[0].shape[0], int)  # type: ignore[index]


@pytest.mark.parametrize("name", NETWORKS)
def test_exposed_values_leave_the_outputs_equal(tmp_path: Path, name: str) -> None:
    path = save(NETWORKS[name](), tmp_path / "model.onnx")
    network = load_network(path)
    names = [layer.name for layer in network.layers]
    exposed = ExposeValues(names)(network.model).model
    copy = save(ir.to_proto(exposed), tmp_path / "exposed.onnx")
    batch = images(network)
    for got, expected in zip(
        run_whole(copy, network.outputs, batch), run_whole(path, network.outputs, batch), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_surgery_states_what_it_needs(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    with pytest.raises(PreconditionError, match="no node computes"):
        ExposeValues(["nowhere"])(network.model)
    with pytest.raises(PreconditionError, match="no node computes"):
        Prune(["nowhere"])(network.model)
    with pytest.raises(PreconditionError, match="no input 'nowhere'"):
        FreeBatch("nowhere", 1, {}, {})(network.model)


# -------------------------------------------------------------------------------------------- checking


def test_optimisation_that_breaks_a_graph_is_not_used(tmp_path: Path) -> None:
    """Folding a Pad into a pool of one cell gives padding that a pool may not have."""
    b = Builder(("N", 3, 16, 16))
    x = b.node("Pad", b.conv(b.image, 4), b.constant((0, 0, 1, 1, 0, 0, 1, 1), np.int64))
    x = b.node("AveragePool", x, kernel_shape=(1, 1), name="pooled")
    path = save(b.model(x), tmp_path / "model.onnx")
    network = load_network(path)
    batch = images(network)
    session = open_session(network, network.select(["pooled"]), verify=batch)
    assert session.optimise == "none"
    assert all("optimisation is not used" in warning for warning in session.warnings)
    expected = run_whole(path, ["pooled"], batch)[0]
    np.testing.assert_allclose(session(batch)[0], expected, atol=1e-5)


def test_deviations_beyond_rounding_are_found(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    layers = network.select(["stages"])
    batch = images(network)
    maps = open_session(network, layers)(batch)
    assert worst_deviation(network, layers, maps, maps) is None
    moved = [maps[0], maps[1] * np.float32(1.01), maps[2] * np.float32(1.1)]
    deviation = worst_deviation(network, layers, moved, maps)
    assert deviation is not None
    assert deviation.layer == "relu3"
    assert deviation.error == pytest.approx(0.1, rel=1e-3)
    assert "'relu3' differs by 10.00%" in str(deviation)
    assert worst_deviation(network, layers, moved, maps, allowed=0.2) is None


def test_a_layer_of_another_network(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "plain.onnx"))
    other = load_network(save(models.residual(), tmp_path / "residual.onnx"))
    with pytest.raises(LayerNotFoundError, match="has no value 'block2'"):
        open_session(network, other.select(["block2"]))
    with pytest.raises(ParameterError, match="no layer"):
        open_session(network, ())


def test_images_of_another_size(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    session = open_session(network, network.select(["last"]), threads=1, spin=False)
    with pytest.raises(ModelRuntimeError, match=r"failed on image float32\[1, 3, 31, 32\]"):
        session(np.zeros((1, 3, 31, 32), np.float32))


def test_a_dynamic_size_that_changes(tmp_path: Path) -> None:
    model = models.plain(shape=("N", 3, "h", "w"))
    network = load_network(save(model, tmp_path / "model.onnx"), image_size=(40, 48))
    layers = network.select(["stages"])
    assert [layer.grid for layer in layers] == [(40, 48), (20, 24), (10, 12)]
    session = open_session(network, layers)
    with pytest.raises(ModelRuntimeError, match="was expected"):
        session(np.zeros((1, 3, 32, 32), np.float32))


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    open_session(network, network.select(["stages"]), verify=images(network))
    with pytest.raises(ModelRuntimeError):
        load_network(save(models.unknown_operator(), tmp_path / "model.onnx"))
    assert capfd.readouterr() == ("", "")
