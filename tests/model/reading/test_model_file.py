"""Reading model files: what is refused, and with which words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.models import Builder, fully_connected, images, plain, save, unknown_operator, with_external_data

from onnxdissect.errors import (
    ImageInputError,
    ModelFormatError,
    ModelNotFoundError,
    ModelRuntimeError,
    ParameterError,
)
from onnxdissect.model import load_network, open_session


def test_what_the_file_says(tmp_path: Path) -> None:
    model = plain()
    model.metadata_props.add(key="origin", value="here")
    path = save(model, tmp_path / "plain.onnx")
    network = load_network(path)
    assert network.path == path
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert network.producer == "tests 1"
    assert network.opset == {"ai.onnx": 17}
    assert network.ir_version == 10
    assert network.metadata == {"origin": "here"}
    assert network.outputs == ("logits",)
    assert network.size == (32, 32)


def test_no_file_lists_what_lies_beside(tmp_path: Path) -> None:
    save(plain(), tmp_path / "resnet18.onnx")
    with pytest.raises(ModelNotFoundError, match="there is no file") as caught:
        load_network(tmp_path / "resnet.onnx")
    assert caught.value.candidates == (str(tmp_path / "resnet18.onnx"),)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    save(plain(), tmp_path / "a.onnx")
    with pytest.raises(ModelNotFoundError, match="is a folder") as caught:
        load_network(tmp_path)
    assert caught.value.candidates == (str(tmp_path / "a.onnx"),)


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"", "is empty", None),
        (b"not a model at all, just text", "not a readable ONNX model", "export the network to ONNX"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "not a readable", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "not a readable", "web page"),
        (b"PK\x03\x04" + bytes(40), "not a readable", "PyTorch checkpoint"),
        (b"\x08\x0a", "no complete ONNX graph", "cut short"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes, message: str, hint: str | None) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=message) as caught:
        load_network(path)
    assert hint is None or hint in str(caught.value.hint)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_truncated(tmp_path: Path, share: float) -> None:
    whole = plain().SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelFormatError) as caught:
        load_network(path)
    assert "cut short" in str(caught.value.hint)


@pytest.mark.parametrize("domain", ["acme.vision", ""])
def test_an_operator_that_onnxruntime_lacks_is_named(tmp_path: Path, domain: str) -> None:
    path = save(unknown_operator(domain), tmp_path / "model.onnx")
    with pytest.raises(ModelRuntimeError, match="no operator 'Twirl'") as caught:
        load_network(path)
    assert domain in str(caught.value)


def test_types_without_an_implementation(tmp_path: Path) -> None:
    path = save(plain(dtype=np.float64), tmp_path / "model.onnx")
    with pytest.raises(ModelRuntimeError, match="no implementation of 'Conv'"):
        load_network(path)


def test_an_opset_from_the_future(tmp_path: Path) -> None:
    path = save(plain(opset=99), tmp_path / "model.onnx")
    with pytest.raises(ModelRuntimeError, match="Opset 99") as caught:
        load_network(path)
    assert "upgrade onnxruntime" in str(caught.value.hint)


def test_a_graph_that_cannot_run_at_its_size(tmp_path: Path) -> None:
    b = Builder(("N", 3, "height", "width"))
    x = b.relu(b.conv(b.image, 4))
    x = b.node("Add", x, b.constant(np.zeros((1, 4, 48, 48))))
    path = save(b.model(x), tmp_path / "model.onnx")
    with pytest.raises(ModelRuntimeError, match="224 x 224") as caught:
        load_network(path)
    assert "another size" in str(caught.value.hint)
    assert load_network(path, image_size=(48, 48)).size == (48, 48)


def test_external_data_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = save(plain(), tmp_path / "inside.onnx")
    folder = tmp_path / "external"
    folder.mkdir()
    path = with_external_data(folder / "outside.onnx")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    networks = [load_network(inside), load_network(path)]
    batch = images(networks[0])
    got = [open_session(n, n.select(["all"]), verify=batch)(batch) for n in networks]
    for one, other in zip(*got, strict=True):
        np.testing.assert_array_equal(one, other)
    assert networks[0].layers == networks[1].layers


@pytest.mark.parametrize("location", ["../plain.data", "/etc/passwd", "a/../../plain.data", "..\\x", "C:\\x"])
def test_external_data_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    with_external_data(folder / "model.onnx")
    (tmp_path / "plain.data").write_bytes((folder / "plain.data").read_bytes())
    path = with_external_data(folder / "model.onnx", location if "/" in location else f"./{location}")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = location
    save(model, path)
    with pytest.raises(ModelFormatError, match="outside the model's folder"):
        load_network(path)


def test_missing_and_short_external_data(tmp_path: Path) -> None:
    path = with_external_data(tmp_path / "model.onnx")
    data = tmp_path / "plain.data"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ModelFormatError, match="cut short"):
        load_network(path)
    data.unlink()
    with pytest.raises(ModelFormatError, match="not beside the model") as caught:
        load_network(path)
    assert "plain.data" in str(caught.value.hint)


@pytest.mark.parametrize(("channels", "said"), [(4, "4 channels"), (2, "2 channels"), (12, "12 channels")])
def test_channels_that_no_image_has(tmp_path: Path, channels: int, said: str) -> None:
    path = save(plain(shape=("N", channels, 32, 32)), tmp_path / "model.onnx")
    with pytest.raises(ImageInputError, match=said):
        load_network(path)


def test_no_image_input(tmp_path: Path) -> None:
    b = Builder(("N", 192))
    path = save(b.model(b.node("Gemm", b.image, b.weight((192, 7)))), tmp_path / "model.onnx")
    with pytest.raises(ImageInputError, match=r"no input takes images .* image\[N, 192\]"):
        load_network(path)


def test_a_grey_picture_without_batch_and_channel_is_told_what_to_do(tmp_path: Path) -> None:
    def grey(b: Builder) -> onnx.ModelProto:
        x = b.image
        if len(b.input.type.tensor_type.shape.dim) == 4:
            x = b.node("Squeeze", x, b.constant([0, 1], np.int64))
        x = b.node("Unsqueeze", x, b.constant([0, 1], np.int64))
        b.units[x] = 1
        return b.model(b.relu(b.conv(x, 4), "act"))

    with pytest.raises(ImageInputError, match=r"image\[32, 32\]") as caught:
        load_network(save(grey(Builder((32, 32))), tmp_path / "flat.onnx"))
    assert "[1, 1, height, width]" in str(caught.value.hint)
    assert "Squeeze of axes 0 and 1" in str(caught.value.hint)
    network = load_network(save(grey(Builder((1, 1, 32, 32))), tmp_path / "told.onnx"))
    (layer,) = network.select(["act"])
    assert (network.input.channels, layer.layout, layer.units) == (1, "NCHW", 4)


@pytest.mark.parametrize("way", ["unsqueezed", "reshaped", "transposed"])
def test_one_channel_put_first_by_a_reshape(tmp_path: Path, way: str) -> None:
    """An axis of length one is moved by any reshape, as converters of channels-last networks know."""
    b = Builder(("N", 32, 32, 1))
    x, target = b.image, b.constant([-1, 1, 32, 32], np.int64)
    if way == "unsqueezed":
        x = b.node("Unsqueeze", x, b.constant([1], np.int64))
    if way == "transposed":
        x = b.node("Transpose", x, perm=[3, 0, 1, 2])
    x = b.node("Reshape", x, target)
    b.units[x] = 1
    network = load_network(save(b.model(b.relu(b.conv(x, 4, stride=2), "act")), tmp_path / "m.onnx"))
    (layer,) = network.select(["act"])
    assert (layer.layout, layer.units, layer.grid) == ("NCHW", 4, (16, 16))
    assert layer.receptive_field is not None
    assert (layer.receptive_field.stride, layer.receptive_field.size) == ((2.0, 2.0), (3.0, 3.0))


def test_a_second_input(tmp_path: Path) -> None:
    b = Builder()
    x = b.relu(b.conv(b.image, 4))
    model = b.model(b.node("Mul", x, "factor"))
    model.graph.input.append(onnx.helper.make_tensor_value_info("factor", 1, [1]))
    path = save(model, tmp_path / "model.onnx")
    with pytest.raises(ImageInputError, match="'image' the model needs factor"):
        load_network(path)


def test_an_input_of_text(tmp_path: Path) -> None:
    b = Builder()
    model = b.model(b.node("Identity", b.image))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    with pytest.raises(ImageInputError, match="holds no pixels"):
        load_network(save(model, tmp_path / "model.onnx"))


def test_size_must_be_positive(tmp_path: Path) -> None:
    path = save(fully_connected(), tmp_path / "model.onnx")
    with pytest.raises(ParameterError, match="positive"):
        load_network(path, image_size=(0, 32))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [(b"tests", b"te\xfbts", "utf-8"), (b"\x05image", b"\x05imagf", "imagf")],
    ids=["a name that is no text", "a value that nothing computes"],
)
def test_damage_that_the_deserialiser_lets_through(tmp_path: Path, old: bytes, new: bytes, said: str) -> None:
    content = plain().SerializeToString()
    assert old in content
    (tmp_path / "model.onnx").write_bytes(content.replace(old, new, 1))
    with pytest.raises(ModelFormatError, match=said):
        load_network(tmp_path / "model.onnx")
