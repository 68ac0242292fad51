"""Files that onnxruntime runs although their nodes, weights or names are not as one expects them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from support.models import Builder, images, plain, save

from onnxdissect.errors import ModelFormatError
from onnxdissect.model import load_network, open_session
from onnxdissect.model.reading import repair as repair_module


def activations(path: Path, selector: str = "r2") -> NDArray[np.float32]:
    network = load_network(path, image_size=(32, 32))
    batch = images(network)
    session = open_session(network, network.select([selector]), provider="cpu", verify=batch)
    return session(batch)[0]


def small() -> Builder:
    b = Builder(("N", 3, 32, 32))
    b.conv("image", 4, name="c1")
    b.node("Relu", "c1", name="r1")
    b.conv("r1", 5, name="c2")
    b.node("Relu", "c2", name="r2")
    return b


def test_nodes_out_of_order_are_sorted(tmp_path: Path) -> None:
    model = small().model("r2")
    right = activations(save(model, tmp_path / "right.onnx"))
    for order in ([3, 2, 1, 0], [1, 0, 3, 2], [1, 2, 3, 0]):
        nodes = list(model.graph.node)
        mixed = onnx.ModelProto.FromString(model.SerializeToString())
        del mixed.graph.node[:]
        mixed.graph.node.extend(nodes[i] for i in order)
        path = save(mixed, tmp_path / "mixed.onnx")
        network = load_network(path, image_size=(32, 32))
        assert [layer.name for layer in network.layers] == ["c1", "r1", "c2", "r2"]
        np.testing.assert_array_equal(activations(path), right)


def test_what_a_subgraph_reads_counts_and_its_own_nodes_are_sorted(tmp_path: Path) -> None:
    branches = []
    for name in ("then", "else"):
        doubled = helper.make_node("Add", ["r1", "r1"], [f"{name}_sum"])
        plain_ = helper.make_node("Relu", [f"{name}_sum"], [f"{name}_out"])
        out = helper.make_tensor_value_info(f"{name}_out", onnx.TensorProto.FLOAT, None)
        branches.append(helper.make_graph([plain_, doubled], name, [], [out]))
    b = Builder(("N", 3, 32, 32))
    condition = b.constant(np.array(True), bool)
    b.nodes_written.append(
        helper.make_node("If", [condition], ["chosen"], then_branch=branches[0], else_branch=branches[1])
    )
    b.conv("image", 4, name="c1")
    b.node("Relu", "c1", name="r1")
    path = save(b.model("chosen"), tmp_path / "if.onnx")
    network = load_network(path, image_size=(32, 32))
    assert [node.op_type for node in network.model.graph] == ["Conv", "Relu", "If"]
    assert {layer.name for layer in network.layers} >= {"c1", "r1"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda nodes: nodes[0].input.__setitem__(0, "r2"), "waits for its own result"),
        (lambda nodes: nodes[1].input.__setitem__(0, "r1"), r"'r1/node' \(Relu\) waits for its own result"),
        (lambda nodes: nodes[3].input.__setitem__(0, "nowhere"), r"'r2/node' \(Relu\) reads 'nowhere'"),
        (
            lambda nodes: nodes[3].output.__setitem__(0, "r1"),
            r"'r1' twice: the node 'r1/node' \(Relu\) and the node 'r2/node' \(Relu\)",
        ),
        (
            lambda nodes: nodes[3].output.__setitem__(0, "image"),
            r"'image' twice: an input of the graph and the node 'r2/node' \(Relu\)",
        ),
        (
            lambda nodes: nodes[3].output.__setitem__(0, nodes[0].input[1]),
            r"twice: a stored tensor and the node 'r2/node' \(Relu\)",
        ),
    ],
)
def test_graphs_that_cannot_be_computed(
    tmp_path: Path, change: Any, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = small().model("r2")
    change(model.graph.node)
    with pytest.raises(ModelFormatError, match=message):
        load_network(save(model, tmp_path / "bad.onnx"))
    assert capfd.readouterr() == ("", "")


def sparse(array: NDArray[Any], name: str, *, flat: bool) -> onnx.SparseTensorProto:
    places: NDArray[np.int64] = np.argwhere(array != 0).astype(np.int64)
    values = numpy_helper.from_array(array[array != 0], name)
    if flat:
        places = np.ravel_multi_index(tuple(places.T), array.shape).astype(np.int64)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(places), array.shape)


def with_sparse_weights(*, flat: bool) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    model = small().model("r2")
    weights = model.graph.initializer[-2] if len(model.graph.initializer[-1].dims) == 1 else None
    weights = weights or model.graph.initializer[-1]
    array = numpy_helper.to_array(weights).copy()
    array[np.abs(array) < np.median(np.abs(array))] = 0
    weights.CopyFrom(numpy_helper.from_array(array, weights.name))
    refilter = onnx.ModelProto.FromString(model.SerializeToString())
    kept = [tensor for tensor in refilter.graph.initializer if tensor.name != weights.name]
    del refilter.graph.initializer[:]
    refilter.graph.initializer.extend(kept)
    refilter.graph.sparse_initializer.append(sparse(array, weights.name, flat=flat))
    return model, refilter


@pytest.mark.parametrize("flat", [True, False])
def test_sparse_weights_are_filled_up(tmp_path: Path, flat: bool, capfd: pytest.CaptureFixture[str]) -> None:
    model, refilter = with_sparse_weights(flat=flat)
    right = activations(save(model, tmp_path / "dense.onnx"))
    np.testing.assert_array_equal(activations(save(refilter, tmp_path / "thin.onnx")), right)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint8", "int64", "bool", "bfloat16"])
def test_sparse_weights_of_every_type(tmp_path: Path, dtype: str) -> None:
    kind = helper.tensor_dtype_to_np_dtype(
        {"bool": onnx.TensorProto.BOOL, "bfloat16": onnx.TensorProto.BFLOAT16}.get(dtype)
        or getattr(onnx.TensorProto, {"float64": "DOUBLE"}.get(dtype, dtype.upper()))
    )
    array = np.zeros((3, 4), kind)
    array[1, 2] = array[2, 0] = 1
    model = small().model("r2")
    model.graph.sparse_initializer.append(sparse(array, "extra", flat=True))
    found = repair_module.load_repaired(save(model, tmp_path / "m.onnx"))
    dense = found.graph.initializers["extra"].const_value
    assert dense is not None
    np.testing.assert_array_equal(dense.numpy().astype(float), array.astype(float))
    assert dense.dtype.numpy() == kind


def test_a_sparse_constant_is_filled_up(tmp_path: Path) -> None:
    b = small()
    array = np.zeros((1, 5, 1, 1), np.float32)
    array[0, 3] = 2
    node = helper.make_node("Constant", [], ["offset"], sparse_value=sparse(array, "offset", flat=False))
    b.nodes_written.append(node)
    b.node("Add", "r2", "offset", name="s")
    network = load_network(save(b.model("s"), tmp_path / "m.onnx"), image_size=(32, 32))
    (constant,) = [node for node in network.model.graph if node.op_type == "Constant"]
    np.testing.assert_array_equal(constant.attributes["value"].value.numpy(), array)


def test_sparse_weights_in_a_file_beside(tmp_path: Path) -> None:
    model, refilter = with_sparse_weights(flat=True)
    values = refilter.graph.sparse_initializer[0].values
    (tmp_path / "w.bin").write_bytes(numpy_helper.to_array(values).tobytes())
    length = (tmp_path / "w.bin").stat().st_size
    values.ClearField("raw_data")
    values.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "w.bin"), ("offset", "0"), ("length", str(length))):
        values.external_data.add(key=key, value=value)
    path = save(refilter, tmp_path / "thin.onnx")
    np.testing.assert_array_equal(
        load_network(path).model.graph.initializers[values.name].const_value.numpy(),  # type: ignore[union-attr]
        numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == values.name)),
    )
    values.external_data[0].value = "../w.bin"
    with pytest.raises(ModelFormatError, match="outside the model's folder"):
        load_network(save(refilter, tmp_path / "out.onnx"))


@pytest.mark.parametrize("flat", [True, False])
def test_sparse_weights_that_do_not_fit(tmp_path: Path, flat: bool) -> None:
    _, refilter = with_sparse_weights(flat=flat)
    indices = numpy_helper.to_array(refilter.graph.sparse_initializer[0].indices).copy()
    indices.reshape(-1)[-1] = 10**6
    refilter.graph.sparse_initializer[0].indices.CopyFrom(numpy_helper.from_array(indices))
    with pytest.raises(ModelFormatError, match="indices that do not fit the shape"):
        load_network(save(refilter, tmp_path / "bad.onnx"))


@pytest.mark.parametrize("flat", [True, False])
def test_sparse_weights_with_two_values_for_one_place_are_refused(tmp_path: Path, flat: bool) -> None:
    _, refilter = with_sparse_weights(flat=flat)
    weights = refilter.graph.sparse_initializer[0]
    indices = numpy_helper.to_array(weights.indices).copy()
    indices[-1] = indices[-2]
    weights.indices.CopyFrom(numpy_helper.from_array(indices))
    dims = list(weights.dims)
    place = indices[-1].tolist() if not flat else [int(i) for i in np.unravel_index(indices[-1], dims)]
    said = f"several values for one place, {place} of {dims}"
    with pytest.raises(ModelFormatError, match=re.escape(said)) as refused:
        load_network(save(refilter, tmp_path / "bad.onnx"))
    assert weights.values.name in refused.value.message and refused.value.hint


def test_sparse_weights_beyond_memory_are_refused(tmp_path: Path) -> None:
    model = small().model("r2")
    huge = sparse(np.eye(2, dtype=np.float32), "huge", flat=True)
    huge.dims[:] = [2**20, 2**20]
    model.graph.sparse_initializer.append(huge)
    with pytest.raises(ModelFormatError, match="take 4,398,046,511,104 bytes once they are filled up"):
        load_network(save(model, tmp_path / "huge.onnx"))


@pytest.mark.parametrize(
    ("dims", "indices", "said"),
    [
        ([1] * 65, np.array([0]), "have 65 axes; at most 64 are read"),
        ([0, 2**62, 2**62], np.array([], np.int64), "more than any memory holds"),
        ([1, 5], np.array([1.5]), "indices of the type float64, and whole numbers are read"),
        ([], np.zeros((1, 0), np.int64), "indices that do not fit the shape"),
    ],
)
def test_sparse_weights_that_lie_about_themselves(
    tmp_path: Path, dims: list[int], indices: np.ndarray, said: str
) -> None:
    values = numpy_helper.from_array(np.ones(len(indices), np.float32), "thin")
    thin = helper.make_sparse_tensor(values, numpy_helper.from_array(indices), dims)
    stored = small().model("r2")
    stored.graph.sparse_initializer.append(thin)
    b = small()
    b.nodes_written.append(helper.make_node("Constant", [], ["offset"], sparse_value=thin))
    for model in (stored, b.model("r2")):
        with pytest.raises(ModelFormatError, match=said):
            load_network(save(model, tmp_path / "m.onnx"))


def test_sparse_numbers_of_other_nodes_are_refused(tmp_path: Path) -> None:
    b = small()
    node = helper.make_node("Relu", ["r2"], ["s"], name="odd")
    node.attribute.append(
        helper.make_attribute("extra", [sparse(np.eye(2, dtype=np.float32), "t", flat=True)])
    )
    b.nodes_written.append(node)
    with pytest.raises(
        ModelFormatError, match=r"the node 'odd' \(Relu\) has sparse numbers in its attribute"
    ):
        load_network(save(b.model("s"), tmp_path / "m.onnx"))


def test_nodes_of_one_name_get_numbers(tmp_path: Path) -> None:
    model = small().model("r2")
    for node, name in zip(model.graph.node, ("block", "block", "block_2", "block"), strict=True):
        node.name = name
    network = load_network(save(model, tmp_path / "m.onnx"), image_size=(32, 32))
    assert [node.name for node in network.model.graph] == ["block", "block_3", "block_2", "block_4"]
    assert [layer.name for layer in network.select(["block_3"])] == ["r1"]
    assert [layer.name for layer in network.select(["block"])] == ["c1"]


def saved_by_onnxruntime(model: onnx.ModelProto, path: Path, level: Any, form: str = "ONNX") -> Path:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    options.add_session_config_entry("session.save_model_format", form)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return path


def blocked() -> onnx.ModelProto:
    b = Builder(("N", 3, 32, 32))
    b.conv("image", 16, name="c1")
    b.node("Relu", "c1", name="r1")
    b.conv("r1", 16, name="c2")
    b.node("Relu", "c2", name="r2")
    return b.model("r2")


def test_blocked_layouts_are_named(tmp_path: Path) -> None:
    levels = onnxruntime.GraphOptimizationLevel
    path = tmp_path / "all.onnx"
    saved_by_onnxruntime(blocked(), path, levels.ORT_ENABLE_ALL)
    if not any(node.domain == "com.microsoft.nchwc" for node in onnx.load(path).graph.node):
        # what this processor does not block is written as it would be
        model = blocked()
        model.opset_import.add(domain="com.microsoft.nchwc", version=1)
        for node in model.graph.node:
            node.domain = "com.microsoft.nchwc"
        save(model, path)
    with pytest.raises(ModelFormatError, match=r"com\.microsoft\.nchwc.*blocked") as caught:
        load_network(path)
    assert "ORT_ENABLE_EXTENDED" in str(caught.value.hint)
    # and what the hint says does
    extended = saved_by_onnxruntime(blocked(), tmp_path / "extended.onnx", levels.ORT_ENABLE_EXTENDED)
    assert load_network(extended).layers


def test_the_own_format_of_onnxruntime_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.ort"
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    saved_by_onnxruntime(plain(), path, level, "ORT")
    with pytest.raises(ModelFormatError, match=r"onnxruntime's own format \(\.ort\)") as caught:
        load_network(path)
    assert "ONNX file that it was made from" in str(caught.value.hint)


def test_a_network_compiled_for_a_device_is_named(tmp_path: Path) -> None:
    b = Builder(("N", 3, 32, 32))
    b.nodes_written.append(helper.make_node("EPContext", ["image"], ["y"], domain="com.microsoft"))
    with pytest.raises(ModelFormatError, match="compiled for one device"):
        load_network(save(b.model("y"), tmp_path / "m.onnx"))


def test_nodes_of_one_name_are_run_too(tmp_path: Path) -> None:
    """Two nodes of one name, which onnxruntime refuses in the file."""
    model = plain()
    for node in model.graph.node:
        node.name = "same"
    path = save(model, tmp_path / "m.onnx")
    network = load_network(path)
    batch = images(network)
    session = open_session(network, network.layers, provider="cpu", verify=batch)
    assert len(session(batch)) == len(network.layers)
    named = [node.name for node in network.model.graph if node.name]
    assert len(named) == len(set(named)) == len(model.graph.node)
