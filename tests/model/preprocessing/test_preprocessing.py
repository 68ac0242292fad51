"""Normalisation: what is chosen, why, and what it does to pixels."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.models import Builder, plain, save

from onnxdissect.errors import ModelFormatError, ParameterError
from onnxdissect.model import (
    PRESETS,
    ImageInput,
    Network,
    Preparer,
    Preprocessing,
    choose_preprocessing,
    load_network,
)


def network(folder: Path, metadata: dict[str, str] | None = None, **options: Any) -> Network:
    model = plain(**options)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    return load_network(save(model, folder / "model.onnx"))


def integers(folder: Path) -> Network:
    b = Builder(("N", 32, 32, 3), dtype=np.uint8)
    b.units[b.image] = 3
    x = b.node("Cast", b.node("Transpose", b.image, perm=(0, 3, 1, 2)), to=1)
    b.dtype = np.dtype(np.float32)
    return load_network(save(b.model(b.relu(b.conv(x, 4))), folder / "model.onnx"))


# ------------------------------------------------------------------------------------------- choosing


def test_assumptions(tmp_path: Path) -> None:
    assumed = choose_preprocessing(network(tmp_path))
    assert (assumed.name, assumed.source) == ("imagenet", "assumed")
    assumed = choose_preprocessing(integers(tmp_path))
    assert (assumed.name, assumed.source, assumed.scale) == ("raw", "assumed", 1.0)


@pytest.mark.parametrize("name", PRESETS)
def test_presets(tmp_path: Path, name: str) -> None:
    assert choose_preprocessing(network(tmp_path), preset=name) == PRESETS[name]


def test_presets_give_the_ranges_they_stand_for() -> None:
    def ends(name: str) -> list[float]:
        p = PRESETS[name]
        return [round((v * p.scale - m) / s, 3) for v in (0, 255) for m, s in zip(p.mean, p.std, strict=True)]

    assert ends("tf") == [-1, -1, -1, 1, 1, 1]
    assert ends("unit") == [0, 0, 0, 1, 1, 1]
    assert ends("raw") == [0, 0, 0, 255, 255, 255]
    assert ends("caffe")[:3] == [-103.939, -116.779, -123.68]
    assert ends("imagenet")[:3] == [-2.118, -2.036, -1.804]


def test_explicit_numbers(tmp_path: Path) -> None:
    net = network(tmp_path)
    chosen = choose_preprocessing(net, mean=0.5, std=[0.1, 0.2, 0.3])
    assert chosen == Preprocessing("custom", (0.5, 0.5, 0.5), (0.1, 0.2, 0.3), 1 / 255, "rgb", "asked for")
    assert choose_preprocessing(net, mean=(104, 117, 123), channels="bgr").scale == 1
    assert choose_preprocessing(net, mean=127, std=128).scale == 1
    assert choose_preprocessing(net, mean=[-2, 0, 2]).scale == 1 / 255
    assert choose_preprocessing(net, std=2.5).scale == 1
    assert choose_preprocessing(net, mean=127.5, scale=0.5).scale == 0.5
    assert choose_preprocessing(net, scale=1).mean == (0.0, 0.0, 0.0)


def test_channel_order_alone_turns_the_numbers_round(tmp_path: Path) -> None:
    net = network(tmp_path)
    chosen = choose_preprocessing(net, channels="bgr")
    assert (chosen.name, chosen.source, chosen.channels) == ("imagenet", "assumed", "bgr")
    assert chosen.mean == PRESETS["imagenet"].mean[::-1]
    chosen = choose_preprocessing(net, preset="caffe", channels="rgb")
    assert chosen.mean == (123.68, 116.779, 103.939)
    assert choose_preprocessing(net, preset="caffe", channels="bgr") == PRESETS["caffe"]


def test_grey_networks_take_one_number(tmp_path: Path) -> None:
    net = network(tmp_path, shape=("N", 1, 32, 32))
    chosen = choose_preprocessing(net)
    assert chosen.mean == pytest.approx((0.449,))
    assert len(chosen.std) == 1
    assert "grey" in chosen.describe()
    assert choose_preprocessing(net, mean=[0.5], std=[0.5]).mean == (0.5,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "imagnet"}, "unknown preset 'imagnet'"),
        ({"preset": "imagenet", "mean": 0.5}, "preset 'imagenet' together with mean"),
        ({"preset": "tf", "std": 1, "scale": 2}, "together with std, scale"),
        ({"channels": "hsv"}, "unknown channel order 'hsv'"),
        ({"mean": [1, 2]}, "mean has 2 values, the network has 3 channels"),
        ({"std": [1, 2, 3, 4]}, "std has 4 values"),
        ({"std": 0}, "standard deviation is positive"),
        ({"std": [1, -1, 1]}, "standard deviation is positive"),
        ({"scale": 0}, "scale is positive"),
        ({"scale": float("nan")}, "scale is positive"),
        ({"mean": float("inf")}, "mean must be finite"),
    ],
)
def test_impossible_requests(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        choose_preprocessing(network(tmp_path), **options)
    if options.get("preset") == "imagnet":
        assert caught.value.candidates[0] == "imagenet"


def test_metadata_of_our_own(tmp_path: Path) -> None:
    text = json.dumps({"mean": [127, 127, 127], "std": [128, 128, 128], "channels": "bgr"})
    net = network(tmp_path, {"onnxdissect.preprocessing": text})
    chosen = choose_preprocessing(net)
    assert chosen == Preprocessing("custom", (127.0,) * 3, (128.0,) * 3, 1.0, "bgr", "model metadata")
    assert choose_preprocessing(net, preset="unit") == PRESETS["unit"]
    text = json.dumps(PRESETS["clip"].to_json() | {"source": None})
    with pytest.raises(ModelFormatError):
        choose_preprocessing(network(tmp_path, {"onnxdissect.preprocessing": text}))
    written = {k: v for k, v in PRESETS["clip"].to_json().items() if k != "source"}
    chosen = choose_preprocessing(network(tmp_path, {"onnxdissect.preprocessing": json.dumps(written)}))
    assert (chosen.name, chosen.source) == ("clip", "model metadata")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1, 2]",
        '{"mean": [1, 2]}',
        '{"std": 0}',
        '{"means": 1}',
        '{"channels": "cmyk"}',
        '{"mean": "x"}',
    ],
)
def test_metadata_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    net = network(tmp_path, {"onnxdissect.preprocessing": text})
    with pytest.raises(ModelFormatError, match=r"onnxdissect\.preprocessing") as caught:
        choose_preprocessing(net)
    assert "--preset" in str(caught.value.hint)
    assert choose_preprocessing(net, preset="raw").name == "raw"


@pytest.mark.parametrize(
    ("metadata", "name", "channels", "source"),
    [
        ({"Image.NominalPixelRange": "NominalRange_0_255"}, "raw", "rgb", "model metadata"),
        (
            {"Image.NominalPixelRange": "Normalized_1_1", "Image.BitmapPixelFormat": "Bgr8"},
            "tf",
            "bgr",
            "model metadata",
        ),
        ({"Image.NominalPixelRange": "Normalized_0_1"}, "unit", "rgb", "model metadata"),
        ({"Image.BitmapPixelFormat": "Bgr8"}, "imagenet", "bgr", "assumed"),
        ({"Image.NominalPixelRange": "other"}, "imagenet", "rgb", "assumed"),
    ],
)
def test_standard_image_metadata(
    tmp_path: Path, metadata: dict[str, str], name: str, channels: str, source: str
) -> None:
    chosen = choose_preprocessing(network(tmp_path, metadata))
    assert (chosen.name, chosen.channels, chosen.source) == (name, channels, source)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raw", "raw, asked for: rgb, x = pixel"),
        ("unit", "unit, asked for: rgb, x = pixel / 255"),
        ("tf", "tf, asked for: rgb, x = pixel / 127.5 - 1"),
        ("caffe", "caffe, asked for: bgr, x = pixel - (103.939, 116.779, 123.68)"),
        (
            "imagenet",
            "imagenet, asked for: rgb, x = (pixel / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)",
        ),
    ],
)
def test_descriptions(name: str, said: str) -> None:
    assert PRESETS[name].describe() == said


# ------------------------------------------------------------------------------------------ preparing


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def naive(image: NDArray[np.uint8], p: Preprocessing, image_input: ImageInput) -> NDArray[Any]:
    """The formula, pixel by pixel, for an image of the right size."""
    colours: NDArray[Any] = image[..., ::-1] if p.channels == "bgr" else image
    if image_input.channels == 1:
        colours = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    values = (colours.astype(np.float64) * p.scale - np.array(p.mean)) / np.array(p.std)
    dtype = np.dtype(image_input.dtype)
    if dtype.kind in "iu":
        values = np.rint(values) if dtype.kind == "i" else np.clip(np.rint(values), 0, 255)
    typed = np.asarray(values, dtype)
    return typed if image_input.layout == "NHWC" else np.ascontiguousarray(typed.transpose(2, 0, 1))


@given(
    layout=st.sampled_from(["NCHW", "NHWC"]),
    dtype=st.sampled_from(["float32", "float16", "float64", "uint8", "uint16", "int32", "int64"]),
    channels=st.sampled_from([1, 3]),
    preset=st.sampled_from(sorted(PRESETS)),
    seed=st.integers(0, 9),
)
@settings(deadline=None)
def test_every_layout_and_type(layout: str, dtype: str, channels: int, preset: str, seed: int) -> None:
    image_input = ImageInput("image", layout, dtype, None, channels, None)
    p = PRESETS[preset]
    if channels == 1:
        p = Preprocessing(p.name, p.mean[:1], p.std[:1], p.scale, p.channels, p.source)
    prepare = Preparer(p, image_input, (9, 7))
    assert prepare.shape == ((channels, 9, 7) if layout == "NCHW" else (9, 7, channels))
    assert prepare.dtype == np.dtype(dtype)
    image = picture(9, 7, seed)
    out = np.full(prepare.shape, 77, prepare.dtype)
    prepare(image, out)
    np.testing.assert_array_equal(out, naive(image, p, image_input))


def test_resizing_averages_when_shrinking_and_interpolates_when_growing() -> None:
    image_input = ImageInput("image", "NHWC", "uint8", None, 3, None)
    prepare = Preparer(PRESETS["raw"], image_input, (8, 8))
    checks = np.indices((32, 32)).sum(axis=0) % 2 * 255
    out = np.empty((8, 8, 3), np.uint8)
    prepare(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8), out)
    assert np.unique(out).tolist() == [128]
    small = np.zeros((2, 2, 3), np.uint8)
    small[1] = 255
    prepare(small, out)
    column = out[:, 0, 0].astype(int)
    assert column[0] == 0 and column[-1] == 255 and (np.diff(column) >= 0).all()
    assert 0 < column[3] < column[4] < 255


def test_several_threads_at_once() -> None:
    image_input = ImageInput("image", "NCHW", "float32", None, 3, None)
    prepare = Preparer(PRESETS["imagenet"], image_input, (32, 32))
    pictures = [picture(32 + 3 * i, 40, i) for i in range(4)]
    alone = np.empty((4, 3, 32, 32), np.float32)
    for image, out in zip(pictures, alone, strict=True):
        prepare(image, out)
    together = np.empty_like(alone)

    def work(i: int) -> None:
        for _ in range(20):
            prepare(pictures[i], together[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(together, alone)


def test_arrays_of_another_kind() -> None:
    prepare = Preparer(PRESETS["raw"], ImageInput("image", "NCHW", "float32", None, 3, None), (4, 4))
    with pytest.raises(ValueError, match="RGB image"):
        prepare(np.zeros((4, 4), np.uint8), np.empty((3, 4, 4), np.float32))
    for out in (
        np.empty((4, 4, 3), np.float32),
        np.empty((3, 4, 4), np.float64),
        np.empty((3, 4, 8), np.float32)[..., ::2],
    ):
        with pytest.raises(ValueError, match="to write to"):
            prepare(picture(4, 4), out)


def sliced(b: Builder, x: str) -> str:
    return b.node("Slice", x, *(b.constant([n], np.int64) for n in (0, 1, 0)))


def from_a_sequence(b: Builder, x: str) -> str:
    return b.node("SequenceAt", b.node("SplitToSequence", x, axis=0), b.constant(0, np.int64))


def clipped(b: Builder, x: str) -> str:
    return b.node("Clip", x, b.constant(0.0), b.constant(1.0))


@pytest.mark.parametrize("before", [sliced, from_a_sequence, clipped])
def test_a_normalisation_behind_what_keeps_pixels_is_read_off(
    tmp_path: Path, before: Callable[[Builder, str], str]
) -> None:
    b = Builder((1, 3, 32, 32))
    mean, spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = b.node("Sub", before(b, b.image), b.constant(mean.reshape(3, 1, 1)))
    x = b.node("Div", x, b.constant(spread.reshape(3, 1, 1)))
    loaded = load_network(save(b.model(b.head(b.conv(x, 4))), tmp_path / "model.onnx"))
    assert choose_preprocessing(loaded).describe().startswith("unit, read off the graph")


def test_a_normalisation_by_a_convolution_of_single_pixels_is_read_off(tmp_path: Path) -> None:
    b = Builder((1, 3, 32, 32))
    weight = np.diag(1 / np.array([0.229, 0.224, 0.225])).reshape(3, 3, 1, 1)
    bias = -np.array([0.485, 0.456, 0.406]) / np.array([0.229, 0.224, 0.225])
    x = b.node("Conv", b.image, b.constant(weight), b.constant(bias))
    b.units[x] = 3
    loaded = load_network(save(b.model(b.head(b.conv(x, 4))), tmp_path / "model.onnx"))
    assert choose_preprocessing(loaded).describe().startswith("unit, read off the graph")
