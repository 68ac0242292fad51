"""Sizes that are only claims, files that are none, and weights that lie nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from onnx import TensorProto, helper
from support.hostile_networks import convolution, network, save, weights

from onnxdissect.errors import (
    ImageInputError,
    ModelError,
    ModelFormatError,
    ModelNotFoundError,
    ParameterError,
)
from onnxdissect.model import load_network

NODES = [convolution(), helper.make_node("Relu", ["c"], ["y"])]


def stored(dims: Sequence[int], content: bytes, kind: int = TensorProto.FLOAT) -> TensorProto:
    tensor = TensorProto(name="w", data_type=kind, raw_data=content)
    tensor.dims.extend(dims)
    return tensor


def elsewhere(
    folder: Path, location: str, dims: Sequence[int] = (4, 3, 3, 3), *, place: Mapping[str, str] | None = None
) -> Path:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.extend(dims)
    for key, value in {"location": location, **(place or {})}.items():
        tensor.external_data.add(key=key, value=value)
    return save(network(NODES, [tensor]), folder)


def refusal(path: Path, kind: type[ModelError] = ModelFormatError) -> str:
    with pytest.raises(kind) as error:
        load_network(path)
    return error.value.message


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (stored([10**6, 10**6], b"abcd"), "1,000,000,000,000 numbers, and the file holds 1"),
        (stored([2**32, 2**32, 3, 3], b"abcd"), "and the file holds 1"),
        (stored([4, 3, 3, 3], b"\0" * 431), "that is 108 numbers, and the file holds 107"),
        (stored([2**40], b"\0", TensorProto.INT4), "and the file holds 2"),
        (stored([4, 3, 3, 3], b"\0" * 432, TensorProto.BFLOAT16), "108 numbers, and the file holds 216"),
        (stored([-4, 3, 3, 3], b"\0" * 432), "has the shape [-4, 3, 3, 3]"),
        (stored([1] * 100_000, b"\0" * 4), "100,000 axes; at most 64"),
    ],
)
def test_tensors_of_other_numbers_than_they_claim(tensor: TensorProto, said: str, tmp_path: Path) -> None:
    assert said in refusal(save(network(NODES, [tensor]), tmp_path))


def test_tensors_written_as_lists_of_numbers_are_counted_too(tmp_path: Path) -> None:
    whole = helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], [0.5] * 108)
    assert load_network(save(network(NODES, [whole]), tmp_path)).layers
    del whole.float_data[-1]
    assert "the file holds 107" in refusal(save(network(NODES, [whole]), tmp_path))


@pytest.mark.parametrize("location", ["a" * 5000, "a/" * 5000 + "b"])
def test_names_longer_than_file_systems_take(location: str, tmp_path: Path) -> None:
    assert f"{len(location):,} characters" in refusal(elsewhere(tmp_path, location))


def test_places_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for location in ("loop", "zero", "pipe", ".", "", "w\0"):
        said = "is no regular file" if location in ("zero", "pipe") else "not beside the model"
        assert said in refusal(elsewhere(tmp_path, location)), location


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"offset": "1000", "length": "432"}, "end at byte 1432"),
        ({"length": str(2**63)}, "is cut short"),
        (
            {"length": "9" * 5000},
            "the length of the weights 'w' in another file is a text of 5,000 characters",
        ),
        ({"offset": "9" * 5000}, "the offset"),
        ({"offset": "-5"}, "is '-5'"),
        ({"length": "abc"}, "is 'abc'"),
        ({"length": "100"}, "takes 432 bytes, and 100"),
    ],
)
def test_places_beyond_the_file(place: dict[str, str], said: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(weights().raw_data)
    assert load_network(elsewhere(tmp_path, "w.bin")).layers
    assert said in refusal(elsewhere(tmp_path, "w.bin", place=place))


def test_shapes_beyond_the_file(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(weights().raw_data)
    assert "end at byte 4000000000000" in refusal(elsewhere(tmp_path, "w.bin", [10**6, 10**6]))
    claimed = elsewhere(tmp_path, "w.bin", [2**40, 2**40, 3, 3], place={"length": "432"})
    assert "and 432 of w.bin are stated" in refusal(claimed)


def test_only_regular_files_are_read_as_models(tmp_path: Path) -> None:
    pipe, zero, large = (tmp_path / f"{name}.onnx" for name in ("pipe", "zero", "large"))
    os.mkfifo(pipe)
    zero.symlink_to("/dev/zero")
    with large.open("wb") as file:
        file.truncate(100 * 2**30)
    assert "it is a named pipe" in refusal(pipe)
    assert "it is a device" in refusal(zero)
    assert "at most 2,147,483,647 are read" in refusal(large)
    assert "File name too long" in refusal(tmp_path / f"{'a' * 5000}.onnx", ModelNotFoundError)


def test_opsets_are_numbers_of_32_bits(tmp_path: Path) -> None:
    for version in (2**31, 2**63 - 1, -3):
        assert f"the opset {version} of ONNX" in refusal(save(network(NODES, opset=version), tmp_path))


def test_graphs_nested_deeper_than_protobuf_reads(tmp_path: Path) -> None:
    # by hand: the library does not write what it does not read
    def field(number: int, content: bytes) -> bytes:
        length, size = len(content), b""
        while length > 127:
            size, length = size + bytes([length & 127 | 128]), length >> 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + content

    body = field(1, helper.make_node("Relu", ["c"], ["r"]).SerializeToString())
    for _ in range(1000):
        body = field(1, field(4, b"If") + field(5, field(1, b"then_branch") + field(6, body)))
    model = network(NODES)
    graph = model.graph.SerializeToString() + body
    model.ClearField("graph")
    assert "nests graphs inside nodes" in refusal(save(model.SerializeToString() + field(7, graph), tmp_path))


@pytest.mark.parametrize("number", [3, 2**28, 2**40, -1])
def test_inputs_that_a_scan_only_claims(number: int, tmp_path: Path) -> None:
    # onnxruntime takes 16 bytes for each before it counts them
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "abst"]
    body = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("Identity", ["s"], ["t"])],
        "body",
        values[:2],
        values[2:],
    )
    scan = helper.make_node("Scan", ["c", "c"], ["y", "all"], "over", body=body, num_scan_inputs=number)
    said = f"the node 'over' (Scan) goes over {number:,} inputs, and it has 2"
    assert said in refusal(save(network([convolution(), scan]), tmp_path))


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((2**40, 3, 32, 32), "a batch of 1,099,511,627,776 images, as the file has it,"),
        ((4096, 3, 224, 224), "616,562,688 numbers; at most 268,435,456"),
        ((1, 3, 50_000, 50_000), "an image of 50,000 x 50,000 pixels"),
        ((1, 3, 2**31, 2**31), "an image of 2,147,483,648 x 2,147,483,648 pixels"),
        ((1, 3, 2**62, 2**62), "at most 268,435,456"),
        ((1, 2**40, 32, 32), "takes 1099511627776 channels"),
    ],
)
def test_images_that_are_only_claimed(shape: Sequence[int], said: str, tmp_path: Path) -> None:
    assert said in refusal(save(network(NODES, shape=shape), tmp_path), ImageInputError)


def test_image_sizes_that_are_asked_for_have_the_same_limit(tmp_path: Path) -> None:
    path = save(network(NODES, shape=(1, 3, -1, -1)), tmp_path)
    assert load_network(path, image_size=(40, 56)).size == (40, 56)
    with pytest.raises(ParameterError, match="at most 268,435,456 are made at once"):
        load_network(path, image_size=(10_000, 10_000))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("pads", "abc", "'pads' of type STRING, and ONNX has INTS"),
        ("strides", 1.5, "'strides' of type FLOAT, and ONNX has INTS"),
        ("group", [1, 2], "'group' of type INTS, and ONNX has INT"),
        ("auto_pad", 7, "'auto_pad' of type INT, and ONNX has STRING"),
    ],
)
def test_attributes_of_another_type(name: str, value: object, said: str, tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    node.attribute.append(helper.make_attribute(name, value))
    assert said in refusal(save(network([node]), tmp_path))


def test_attributes_of_operators_from_outside_onnx(tmp_path: Path) -> None:
    """Nothing says of what type these are, until somebody needs an integer."""
    odd = helper.make_node("FusedConv", ["c", "v"], ["y"], domain="com.microsoft", group="many")
    model = network([convolution(), odd], [weights(), weights("v", 4, 4)])
    model.opset_import.add(domain="com.microsoft", version=1)
    with pytest.raises(ModelError):
        load_network(save(model, tmp_path))


def test_element_types_that_do_not_exist(tmp_path: Path) -> None:
    model = network([convolution(), helper.make_node("Cast", ["c"], ["y"], to=9999)])
    assert "does not specify a valid type" in refusal(save(model, tmp_path), ModelError)
