"""Which pixels a graph takes that turns them into something else is told by what comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import Builder, run_whole, save

from onnxdissect.model import PRESETS, Preparer, choose_preprocessing, load_network

IMAGENET = np.array(PRESETS["imagenet"].mean), np.array(PRESETS["imagenet"].std)
CLIP = np.array(PRESETS["clip"].mean), np.array(PRESETS["clip"].std)
CAFFE = np.array([123.68, 116.779, 103.939])
Steps = list[tuple[str, Any]]


def transform_input(b: Builder, way: str) -> str:
    """Begin as torchvision's GoogLeNet and Inception v3 do, a channel at a time."""
    parts = []
    for i, (mean, std) in enumerate(zip(*IMAGENET, strict=True)):
        if way == "Gather":
            part = b.node("Gather", b.image, b.constant(i, np.int64), axis=1)
            part = b.node("Unsqueeze", part, b.constant([1], np.int64))
        else:
            part = b.node("Slice", b.image, *(b.constant([n], np.int64) for n in (i, i + 1, 1)))
        part = b.node("Mul", part, b.constant(std / 0.5))
        parts.append(b.node("Add", part, b.constant((mean - 0.5) / 0.5)))
    return b.node("Concat", *parts, axis=1, name="prepared")


def written(b: Builder, steps: Steps) -> str:
    """Operators one behind the other, each with a stored number or one for every channel."""
    x = b.image
    for i, (operator, numbers) in enumerate(steps):
        array = np.array(numbers)
        other = b.constant(array.reshape(3, 1, 1) if array.ndim else array)
        name = "prepared" if i == len(steps) - 1 else None
        x = b.node(operator, x, other, **({"name": name} if name else {}))
    return x


def chosen(b: Builder, x: str, path: Path) -> tuple[Any, np.ndarray]:
    """What is chosen for a network behind `x`, and what the graph makes of black and white in that case."""
    b.units[x] = 3
    network = load_network(save(b.model(b.head(b.conv(x, 4))), path))
    preprocessing = choose_preprocessing(network)
    prepare = Preparer(preprocessing, network.input, network.size)
    batch = np.empty((1, *prepare.shape), prepare.dtype)
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[8:] = 255
    prepare(picture, batch[0])
    (made,) = run_whole(path, ["prepared"], batch)
    return preprocessing, made[0, :, [0, -1], 0].T


def ends(preset: str) -> np.ndarray:
    p = PRESETS[preset]
    pixels = np.array([0.0, 255.0]) * p.scale
    prepared: np.ndarray = (pixels[None] - np.array(p.mean)[:, None]) / np.array(p.std)[:, None]
    return prepared


@pytest.mark.parametrize("way", ["Gather", "Slice"])
def test_inputs_that_torchvision_transforms_are_normalised_for_imagenet(tmp_path: Path, way: str) -> None:
    b = Builder((1, 3, 16, 16))
    preprocessing, made = chosen(b, transform_input(b, way), tmp_path / "m.onnx")
    assert (preprocessing.name, preprocessing.source) == ("imagenet", "read off the graph")
    np.testing.assert_allclose(made, ends("tf"), atol=1e-4)


CASES: dict[str, tuple[Steps, str, str]] = {
    "tf to unit": ([("Add", 1.0), ("Div", 2.0)], "tf", "unit"),
    "tf to imagenet": (
        [("Mul", 0.5), ("Add", 0.5), ("Sub", IMAGENET[0]), ("Div", IMAGENET[1])],
        "tf",
        "imagenet",
    ),
    "tf to imagenet at once": ([("Sub", 2 * IMAGENET[0] - 1), ("Div", 2 * IMAGENET[1])], "tf", "imagenet"),
    "tf to raw": ([("Add", 1.0), ("Mul", 127.5)], "tf", "raw"),
    "unit to tf": ([("Mul", 2.0), ("Sub", 1.0)], "unit", "tf"),
    "unit to raw": ([("Mul", 255.0)], "unit", "raw"),
    "unit to raw, then imagenet": (
        [("Mul", 255.0), ("Sub", 255 * IMAGENET[0]), ("Div", 255 * IMAGENET[1])],
        "unit",
        "imagenet",
    ),
    "raw to tf": ([("Div", 127.5), ("Sub", 1.0)], "raw", "tf"),
    "raw to unit": ([("Mul", 1 / 255)], "raw", "unit"),
    "raw to unit, then imagenet": (
        [("Div", 255.0), ("Sub", IMAGENET[0]), ("Div", IMAGENET[1])],
        "raw",
        "imagenet",
    ),
    "imagenet to tf": ([("Mul", IMAGENET[1] / 0.5), ("Add", (IMAGENET[0] - 0.5) / 0.5)], "imagenet", "tf"),
    "imagenet to unit": ([("Mul", IMAGENET[1]), ("Add", IMAGENET[0])], "imagenet", "unit"),
    "imagenet to clip": (
        [("Mul", IMAGENET[1]), ("Add", IMAGENET[0]), ("Sub", CLIP[0]), ("Div", CLIP[1])],
        "imagenet",
        "clip",
    ),
    "clip to imagenet": (
        [("Mul", CLIP[1] / IMAGENET[1]), ("Add", (CLIP[0] - IMAGENET[0]) / IMAGENET[1])],
        "clip",
        "imagenet",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_one_presets_pixels_turned_into_anothers(tmp_path: Path, case: str) -> None:
    steps, preset, made_of_it = CASES[case]
    b = Builder((1, 3, 16, 16))
    preprocessing, made = chosen(b, written(b, steps), tmp_path / "m.onnx")
    assert (preprocessing.name, preprocessing.source) == (preset, "read off the graph")
    np.testing.assert_allclose(made, np.broadcast_to(ends(made_of_it), (3, 2)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("mean", "order"),
    [(CAFFE, "rgb"), (CAFFE[::-1], "bgr"), (255 * IMAGENET[0][::-1], "bgr"), (np.full(3, 127.5), "rgb")],
)
@pytest.mark.parametrize(("scale", "preset"), [(1.0, "raw"), (255.0, "unit")])
def test_means_of_colours_tell_the_order_of_channels(
    tmp_path: Path, mean: np.ndarray, order: str, scale: float, preset: str
) -> None:
    b = Builder((1, 3, 16, 16))
    steps: Steps = [("Mul", scale), ("Sub", mean)] if scale != 1 else [("Sub", mean)]
    preprocessing, _ = chosen(b, written(b, steps), tmp_path / "m.onnx")
    assert (preprocessing.name, preprocessing.channels) == (preset, order)
    assert preprocessing.source == "read off the graph"


def test_an_order_that_the_graph_turns_round_counts_as_the_image_has_it(tmp_path: Path) -> None:
    b = Builder((1, 3, 16, 16))
    b.units["turned"] = 3
    turned = b.node("Gather", b.image, b.constant([2, 1, 0], np.int64), axis=1)
    x = b.node("Sub", turned, b.constant(IMAGENET[0].reshape(3, 1, 1)))
    x = b.node("Div", x, b.constant(IMAGENET[1].reshape(3, 1, 1)), name="prepared")
    preprocessing, _ = chosen(b, x, tmp_path / "m.onnx")
    assert (preprocessing.name, preprocessing.channels) == ("unit", "bgr")


def negative(b: Builder, white: float) -> str:
    return b.node("Sub", b.constant(white), b.image, name="prepared")


@pytest.mark.parametrize(("white", "preset"), [(255.0, "raw"), (1.0, "unit")])
def test_negatives(tmp_path: Path, white: float, preset: str) -> None:
    b = Builder((1, 3, 16, 16))
    preprocessing, made = chosen(b, negative(b, white), tmp_path / "m.onnx")
    assert (preprocessing.name, preprocessing.source) == (preset, "read off the graph")
    np.testing.assert_allclose(made, np.broadcast_to([white, 0], (3, 2)), atol=1e-4)


@pytest.mark.parametrize(
    ("low", "high", "preset"), [(0.0, 255.0, "raw"), (0.0, 1.0, "unit"), (-1.0, 1.0, "tf")]
)
def test_bounds_tell_the_pixels_that_fill_them(tmp_path: Path, low: float, high: float, preset: str) -> None:
    b = Builder((1, 3, 16, 16))
    x = b.node("Clip", b.image, b.constant(low), b.constant(high), name="prepared")
    preprocessing, made = chosen(b, x, tmp_path / "m.onnx")
    assert (preprocessing.name, preprocessing.source) == (preset, "read off the graph")
    np.testing.assert_allclose(made, np.broadcast_to([low, high], (3, 2)))


def scaled(b: Builder) -> str:
    return written(b, [("Mul", 2.0)])


def halved(b: Builder) -> str:
    return written(b, [("Mul", 0.5)])


def learned(b: Builder) -> str:
    numbers = ([1.1, 0.9, 1.0], [0.1, 0.0, 0.05], [0.02, -0.01, 0.1], [0.9, 1.1, 1.2])
    return b.node("BatchNormalization", b.image, *map(b.constant, numbers), name="prepared")


def one_colour(b: Builder) -> str:
    """The red channel three times: what becomes of the others is not told."""
    x = b.node("Gather", b.image, b.constant([0, 0, 0], np.int64), axis=1)
    return b.node("Sub", x, b.constant(120.0), name="prepared")


def cut(b: Builder) -> str:
    return b.node("Clip", b.image, b.constant(-3.0), b.constant(5.0), name="prepared")


def signed(b: Builder) -> str:
    """Of pixels less 128, which no preset gives."""
    return written(b, [("Add", 128.0), ("Div", 255.0)])


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (scaled, "x * 2 on"),
        (halved, "x * 0.5 on"),
        (learned, "x * (1.159"),
        (cut, "bounds of -3 and 5"),
        (one_colour, "x * 1 + -120 on"),
        (signed, "x * 0.003922 + 0.502 on"),
    ],
)
def test_what_fits_nothing_is_assumed_and_said(
    tmp_path: Path, begin: Callable[[Builder], str], said: str
) -> None:
    b = Builder((1, 3, 16, 16))
    preprocessing, _ = chosen(b, begin(b), tmp_path / "m.onnx")
    assert (preprocessing.name, preprocessing.source) == ("imagenet", "assumed")
    assert f"the graph begins with {said}" in preprocessing.remark
    assert "--preset" in preprocessing.remark


def test_nothing_is_said_where_pixels_stay_or_are_asked_for(tmp_path: Path) -> None:
    plain, twice = Builder((1, 3, 16, 16)), Builder((1, 3, 16, 16))
    x = plain.node("Mul", plain.image, plain.constant(1.0), name="prepared")
    preprocessing, _ = chosen(plain, x, tmp_path / "plain.onnx")
    assert (preprocessing.source, preprocessing.remark) == ("assumed", "")
    chosen(twice, scaled(twice), tmp_path / "twice.onnx")
    network = load_network(tmp_path / "twice.onnx")
    assert not choose_preprocessing(network, preset="unit").remark
    assert not choose_preprocessing(network, mean=0.5).remark


@pytest.mark.parametrize(
    ("steps", "preset"),
    [([("Sub", 0.1307), ("Div", 0.3081)], "unit"), ([("Div", 255.0)], "raw"), ([("Sub", 1.0)], None)],
)
def test_grey_networks(tmp_path: Path, steps: Steps, preset: str | None) -> None:
    b = Builder((1, 1, 16, 16))
    x = written(b, steps)
    b.units[x] = 1
    network = load_network(save(b.model(b.head(b.conv(x, 4))), tmp_path / "m.onnx"))
    preprocessing = choose_preprocessing(network)
    assert (preprocessing.name, bool(preprocessing.remark)) == (preset or "imagenet", preset is None)
