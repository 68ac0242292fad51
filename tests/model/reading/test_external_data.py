"""Weights beside the model: more than protobuf holds, behind links, and where they must not be."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from support.models import Builder, images, plain, save, with_external_data

from onnxdissect.errors import ModelFormatError
from onnxdissect.model import load_network, open_session

# more than a protobuf message, and with it an ONNX file, can hold
LIMIT = 2**31
ROW = 1024


def point(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def network_with_table(rows: int) -> onnx.ModelProto:
    """Two convolutions; the second one's result is shifted by the sum of a row of a table."""
    b = Builder()
    x = b.relu(b.conv(b.image, 4, name="conv1"), name="relu1")
    x = b.conv(x, 8, stride=2, name="conv2")
    b.initializers.append(TensorProto(name="table", data_type=TensorProto.FLOAT, dims=[rows, ROW]))
    # a number that depends on the image, if only in name: onnxruntime would look a constant one up at once
    nothing = b.node("Mul", b.node("ReduceMax", b.image, keepdims=0), b.constant(0))
    last = b.node("Cast", b.node("Add", nothing, b.constant(rows - 1)), to=TensorProto.INT64)
    row = b.node("Gather", "table", last, axis=0)
    shifted = b.node("Add", x, b.node("ReduceSum", row, keepdims=0), name="shifted")
    b.units[shifted] = 8
    return b.model(b.head(b.relu(shifted, name="relu2")))


def write(folder: Path, rows: int) -> Path:
    """Put all weights into one file; the table, all zero but for its last row, comes first."""
    model = network_with_table(rows)
    length = rows * ROW * 4
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(length)  # a hole, where the file system knows them
        file.seek(length - ROW * 4)
        file.write(np.full(ROW, 1e-3, np.float32).tobytes())
        for tensor in model.graph.initializer:
            if tensor.name == "table":
                point(tensor, "weights.bin", 0, length)
            else:
                raw = tensor.raw_data
                point(tensor, "weights.bin", file.tell(), len(raw))
                file.write(raw)
    return save(model, folder / "model.onnx")


def test_a_model_over_two_gigabytes(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 2 * LIMIT:
        pytest.skip("less than 4 GiB of disk are free")
    rows = LIMIT // (ROW * 4) + 1
    (tmp_path / "small").mkdir()
    small = load_network(write(tmp_path / "small", 2))
    (tmp_path / "large").mkdir()
    try:
        path = write(tmp_path / "large", rows)
        weights = (tmp_path / "large" / "weights.bin").stat()
        assert weights.st_size > LIMIT
        if os.name == "posix" and weights.st_blocks * 512 > LIMIT:
            pytest.skip("the file system writes holes out")
        large = load_network(path)
        assert large.layers[-1].parameters == small.layers[-1].parameters + (rows - 2) * ROW
        batch = images(large)
        sessions = [open_session(n, n.select(["all"]), provider="cpu", verify=batch) for n in (large, small)]
        assert [session.warnings for session in sessions] == [(), ()]
        for one, other in zip(*(session(batch) for session in sessions), strict=True):
            np.testing.assert_array_equal(one, other)
    finally:
        shutil.rmtree(tmp_path / "large")


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A download cache: blobs named by their digest, and a folder of links to them."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "1"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    with_external_data(blobs / "aaa")
    (blobs / "plain.data").rename(blobs / "bbb")
    try:
        (snapshot / "model.onnx").symlink_to("../../blobs/aaa")
        (snapshot / "plain.data").symlink_to("../../blobs/bbb")
    except OSError as error:  # Windows asks for a privilege
        pytest.skip(f"no links here: {error}")
    return snapshot


def test_a_download_cache_of_links(tmp_path: Path, linked: Path) -> None:
    network = load_network(linked / "model.onnx")
    inside = load_network(save(plain(), tmp_path / "inside.onnx"))
    batch = images(network)
    for one, other in zip(
        *(open_session(n, n.select(["all"]), provider="cpu", verify=batch)(batch) for n in (network, inside)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, linked: Path) -> None:
    shutil.copy(tmp_path / "blobs" / "aaa", tmp_path / "model.onnx")
    private = tmp_path / "elsewhere"
    private.mkdir()
    folder = tmp_path / "download"
    folder.mkdir()
    shutil.copy(tmp_path / "blobs" / "aaa", folder / "model.onnx")
    shutil.copy(tmp_path / "blobs" / "bbb", private / "plain.data")
    (folder / "plain.data").symlink_to(private / "plain.data")
    with pytest.raises(ModelFormatError, match="outside the model's folder") as caught:
        load_network(folder / "model.onnx")
    assert "a link to" in caught.value.message and "do not trust" in str(caught.value.hint)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes with names are POSIX's")
def test_a_pipe_beside_the_model_is_no_missing_file(tmp_path: Path) -> None:
    path = with_external_data(tmp_path / "model.onnx")
    (tmp_path / "plain.data").unlink()
    os.mkfifo(tmp_path / "plain.data")
    with pytest.raises(ModelFormatError, match=r"'plain.data', which is there but") as caught:
        load_network(path)
    assert "replace it" in str(caught.value.hint)


@pytest.mark.parametrize("location", ["", "."])
def test_a_location_that_names_no_file_is_not_asked_for(tmp_path: Path, location: str) -> None:
    path = with_external_data(tmp_path / "model.onnx")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFormatError) as caught:
        load_network(path)
    assert caught.value.hint == "export the model again"


def test_weights_in_two_places(tmp_path: Path, linked: Path) -> None:
    """One file of weights beside the link, one beside what it links to."""
    model = onnx.load(tmp_path / "blobs" / "aaa", load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "own.data"
    shutil.copy(tmp_path / "blobs" / "bbb", linked / "own.data")
    save(model, tmp_path / "blobs" / "aaa")
    with pytest.raises(ModelFormatError, match="others in") as caught:
        load_network(linked / "model.onnx")
    assert "one folder" in str(caught.value.hint)


def test_a_link_to_the_model_alone_names_the_file(tmp_path: Path, linked: Path) -> None:
    real = tmp_path / "blobs" / "plain.data"
    real.write_bytes((tmp_path / "blobs" / "bbb").read_bytes())
    (linked / "plain.data").unlink()
    with pytest.raises(ModelFormatError, match="not beside the model") as caught:
        load_network(linked / "model.onnx")
    assert str((tmp_path / "blobs" / "aaa").resolve()) in str(caught.value.hint)
    assert load_network(tmp_path / "blobs" / "aaa").layers


def test_weights_in_a_folder_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    with_external_data(tmp_path / "first.onnx")
    path = with_external_data(tmp_path / "model.onnx", "weights/plain.data")
    (tmp_path / "plain.data").rename(tmp_path / "weights" / "plain.data")
    network = load_network(path)
    batch = images(network)
    assert open_session(network, network.select(["last"]), provider="cpu", verify=batch)(batch)
