"""Inputs of three and five axes: pictures where the graph tells, else refused with what to state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.commands import called
from support.models import Builder, images, run_whole, save
from support.small_runs import broden

from onnxdissect.errors import ImageInputError, ParameterError
from onnxdissect.model import load_network, open_session

Net = Callable[[Builder], str]


def deep(b: Builder, x: str) -> str:
    b.units[x] = 3
    return b.relu(b.conv(x, 4, stride=2, name="c"), name="r")


def channels_first(b: Builder) -> str:
    return deep(b, b.node("Unsqueeze", b.image, b.constant([0], np.int64)))


def channels_last(b: Builder) -> str:
    x = b.node("Div", b.node("Transpose", b.image, perm=(2, 0, 1)), b.constant(255.0))
    return deep(b, b.node("Unsqueeze", x, b.constant([0], np.int64)))


def batch_then_last(b: Builder) -> str:
    x = b.node("Unsqueeze", b.image, b.constant([0], np.int64))
    return deep(b, b.node("Transpose", x, perm=(0, 3, 1, 2)))


def nothing_told(b: Builder) -> str:
    """Behind a reshape whose target is computed there is no axis to be followed."""
    shape = b.node("Concat", b.constant([1], np.int64), b.node("Shape", b.image), axis=0)
    return deep(b, b.node("Reshape", b.image, shape))


def build(net: Net, shape: tuple[int | str, ...]) -> onnx.ModelProto:
    b = Builder(shape)
    return b.model(net(b))


@pytest.mark.parametrize(
    ("net", "layout"),
    [(channels_first, "NCHW"), (channels_last, "NHWC"), (batch_then_last, "NHWC")],
)
def test_a_picture_of_free_axes_is_told_by_the_first_convolution(
    tmp_path: Path, net: Net, layout: str
) -> None:
    path = save(build(net, ("a", "b", "c")), tmp_path / "m.onnx")
    network = load_network(path, image_size=(16, 24))
    assert (network.input.layout, network.input.channels, network.size) == (layout, 3, (16, 24))
    batch = images(network, 2)
    (maps,) = open_session(network, network.select(["r"]), verify=batch)(batch)
    for picture, found in zip(batch, maps, strict=True):
        (expected,) = run_whole(path, ["r"], picture)
        np.testing.assert_allclose(found[None], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [("a", "b", "c"), ("n", 28, 28), (None, None, None)])
def test_three_axes_that_the_graph_does_not_tell(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    path = save(build(nothing_told, shape), tmp_path / "m.onnx")
    with pytest.raises(ImageInputError, match=r"input image\[.*\] has three axes") as caught:
        load_network(path)
    assert caught.value.candidates == ("CHW", "HWC")
    assert "--layout image=CHW" in str(caught.value.hint)


@pytest.mark.parametrize("stated", ["CHW", "chw", "NCHW"])
def test_what_is_stated_is_taken(tmp_path: Path, stated: str) -> None:
    path = save(build(nothing_told, ("a", "b", "c")), tmp_path / "m.onnx")
    network = load_network(path, layouts={"image": stated}, image_size=(16, 16))
    assert (network.input.layout, network.input.channels) == ("NCHW", 3)
    assert network.select(["r"])[0].grid == (8, 8)
    batch = images(network, 1)
    (maps,) = open_session(network, network.select(["r"]), verify=batch)(batch)
    np.testing.assert_allclose(maps, run_whole(path, ["r"], batch[0])[0], rtol=1e-4, atol=1e-5)


def test_a_stated_layout_that_the_convolution_contradicts(tmp_path: Path) -> None:
    path = save(build(channels_first, ("a", "b", "c")), tmp_path / "m.onnx")
    with pytest.raises(ParameterError, match="reads its axis 1 as channels"):
        load_network(path, layouts={"image": "HWC"})


def frames(b: Builder) -> str:
    return deep(b, b.node("Reshape", b.image, b.constant([-1, 3, 16, 16], np.int64)))


def squeezed(b: Builder) -> str:
    return deep(b, b.node("Squeeze", b.image, b.constant([2], np.int64)))


@pytest.mark.parametrize(
    ("net", "shape", "axis"),
    [
        (frames, ("N", 1, 3, 16, 16), 1),
        (frames, (1, 1, 3, 16, 16), 1),
        (squeezed, ("N", 3, 1, 16, 16), 2),
    ],
)
def test_a_video_of_one_frame_is_an_image(
    tmp_path: Path, net: Net, shape: tuple[int | str, ...], axis: int
) -> None:
    path = save(build(net, shape), tmp_path / "m.onnx")
    network = load_network(path)
    assert (network.input.layout, network.size) == ("NCHW", (16, 16))
    (layer,) = network.select(["r"])
    assert layer.receptive_field is not None
    batch = images(network, 2)
    (maps,) = open_session(network, [layer], verify=batch)(batch)
    for image, found in zip(batch, maps, strict=True):
        (expected,) = run_whole(path, ["r"], np.expand_dims(image[None], axis))
        np.testing.assert_allclose(found[None], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [("N", 8, 3, 16, 16), (1, 3, 8, 16, 16), ("N", "T", 3, 16, 16)])
def test_a_video_of_several_frames_is_refused(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    path = save(build(frames, shape), tmp_path / "m.onnx")
    said = ", ".join(map(str, shape))
    with pytest.raises(ImageInputError, match="several frames of a video at once") as caught:
        load_network(path)
    assert f"image[{said}]" in str(caught.value)
    assert "one frame" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("net", "shape"), [(channels_last, ("a", "b", "c")), (frames, ("N", 1, 3, 16, 16))], ids=["HWC", "video"]
)
def test_they_are_dissected(tmp_path: Path, net: Net, shape: tuple[int | str, ...]) -> None:
    path = save(build(net, shape), tmp_path / "m.onnx")
    broden(tmp_path / "data", 3, seed=5)
    quick = ("--no-report", "--bootstrap", "0", "--null", "0", "--out", tmp_path / "run")
    done = called(tmp_path, "run", path, "--data", "data", *quick)
    assert done.returncode == 0, done.stderr
