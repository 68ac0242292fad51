"""Normalisations of one channel after the other are read off the graph like those of all at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.models import Builder, images, run_whole, save

from onnxdissect.model import choose_preprocessing, load_network

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Way = Callable[[Builder, str, int], list[str]]


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def split(b: Builder, x: str, axis: int) -> list[str]:
    return b.nodes("Split", x, ints(b, 1, 1, 1), names=["r", "g", "bl"], axis=axis)


def slices(b: Builder, x: str, axis: int) -> list[str]:
    return [b.node("Slice", x, ints(b, i), ints(b, i + 1), ints(b, axis)) for i in range(3)]


def gathered(b: Builder, x: str, axis: int) -> list[str]:
    return [b.node("Gather", x, b.constant([i], np.int64), axis=axis) for i in range(3)]


def single(b: Builder, x: str, axis: int) -> list[str]:
    """As `x[:, i]` is exported: without the axis, which comes back before the concatenation."""
    return [b.node("Gather", x, b.constant(i, np.int64), axis=axis) for i in range(3)]


WAYS: dict[str, Way] = {"Split": split, "Slice": slices, "Gather": gathered, "Gather one": single}


def normalised(b: Builder, x: str, way: str, axis: int, order: tuple[int, ...], scale: float = 1.0) -> str:
    parts = []
    for part, mean, spread in zip(WAYS[way](b, x, axis), MEAN, SPREAD, strict=True):
        part = b.node("Sub", part, b.constant(mean * scale))
        part = b.node("Div", part, b.constant(spread * scale))
        parts.append(b.node("Unsqueeze", part, ints(b, axis)) if way == "Gather one" else part)
    return b.node("Concat", *(parts[i] for i in order), axis=axis, name="prepared")


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
@pytest.mark.parametrize(("scale", "preset"), [(1.0, "unit"), (255.0, "raw")])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_channels_taken_apart(
    tmp_path: Path, way: str, order: tuple[int, ...], scale: float, preset: str, last: bool
) -> None:
    b = Builder((1, 16, 16, 3) if last else (1, 3, 16, 16))
    x = normalised(b, b.image, way, 3 if last else 1, order, scale)
    x = b.node("Transpose", x, perm=(0, 3, 1, 2)) if last else x
    b.units[x] = 3
    path = save(b.model(b.head(b.conv(x, 4))), tmp_path / "m.onnx")
    network = load_network(path)
    assert choose_preprocessing(network).describe().startswith(f"{preset}, read off the graph: rgb")
    # and the graph does what was read off it
    batch = images(network, 1)
    (prepared,) = run_whole(path, ["prepared"], batch)
    by = np.array(SPREAD) * scale, np.array(MEAN) * scale
    expected = ((batch if last else np.moveaxis(batch, 1, -1)) - by[1]) / by[0]
    np.testing.assert_allclose(
        prepared if last else np.moveaxis(prepared, 1, -1), expected[..., list(order)], rtol=1e-4, atol=1e-4
    )


def reversed_by_gather(b: Builder, x: str) -> str:
    return b.node("Gather", x, ints(b, 2, 1, 0), axis=1)


def reversed_by_slice(b: Builder, x: str) -> str:
    return b.node("Slice", x, ints(b, -1), ints(b, -(2**60)), ints(b, 1), ints(b, -1))


def reversed_by_split(b: Builder, x: str) -> str:
    return b.node("Concat", *reversed(split(b, x, 1)), axis=1)


@pytest.mark.parametrize("turn", [reversed_by_gather, reversed_by_slice, reversed_by_split])
@pytest.mark.parametrize("first", [False, True], ids=["scaled first", "turned first"])
def test_channels_turned_round_before_the_normalisation(
    tmp_path: Path, turn: Callable[[Builder, str], str], first: bool
) -> None:
    b = Builder((1, 3, 16, 16))
    x = turn(b, b.image) if first else b.node("Div", b.image, b.constant(1.0))
    x = x if first else turn(b, x)
    x = b.node("Sub", x, b.constant(np.array([104.0, 117.0, 123.0]).reshape(3, 1, 1)))
    b.units[x] = 3
    network = load_network(save(b.model(b.head(b.conv(x, 4))), tmp_path / "m.onnx"))
    assert choose_preprocessing(network).describe().startswith("raw, read off the graph")


def test_turned_channels_alone_are_no_normalisation(tmp_path: Path) -> None:
    b = Builder((1, 3, 16, 16))
    x = reversed_by_gather(b, b.image)
    b.units[x] = 3
    network = load_network(save(b.model(b.head(b.conv(x, 4))), tmp_path / "m.onnx"))
    assert choose_preprocessing(network).source == "assumed"


def mixed(b: Builder, parts: list[str]) -> list[str]:
    return [b.node("Add", parts[0], parts[1]), *parts[1:]]


def bent(b: Builder, parts: list[str]) -> list[str]:
    return [b.node("Sqrt", part) for part in parts]


def lost(b: Builder, parts: list[str]) -> list[str]:
    return parts[:2]


@pytest.mark.parametrize("change", [mixed, bent, lost])
def test_what_is_more_than_scaling_is_not_read_off(
    tmp_path: Path, change: Callable[[Builder, list[str]], list[str]]
) -> None:
    b = Builder((1, 3, 16, 16))
    parts = [b.node("Sub", part, b.constant(120.0)) for part in split(b, b.image, 1)]
    x = b.node("Concat", *change(b, parts), axis=1)
    b.units[x] = 2 if change is lost else 3
    network = load_network(save(b.model(b.head(b.conv(x, 4))), tmp_path / "m.onnx"))
    assert choose_preprocessing(network).source == "assumed"
