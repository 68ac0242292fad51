"""Stated layouts that an operator of the graph contradicts are refused, and those it leaves open are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.models import Builder, save

from onnxdissect.errors import LayerLayoutError, ParameterError
from onnxdissect.model import load_network

DOMAIN = [("com.microsoft", 1)]


def hidden(b: Builder, x: str, name: str) -> str:
    """An operator behind which axes are open: each map's inverse matrix."""
    return b.node("Inverse", x, domain="com.microsoft", name=name)


def between_convolutions(b: Builder) -> str:
    x = b.node("Relu", b.conv("image", 8, name="written"), name="between")
    return b.conv(x, 8, name="read")


def behind_an_unknown(b: Builder) -> str:
    x = hidden(b, b.conv("image", 8), "open")
    x = b.node("Sigmoid", x, name="bent")
    return b.conv(x, 8, name="read")


def normalised(b: Builder) -> str:
    x = hidden(b, b.conv("image", 8), "open")
    ones = b.constant(np.ones(8))
    return b.node("BatchNormalization", x, ones, ones, ones, ones, name="normal")


def over_the_last(b: Builder) -> str:
    x = hidden(b, b.conv("image", 8), "open")
    return b.node("LayerNormalization", x, b.constant(np.ones(8)), axis=-1, name="normal")


def tokens(b: Builder) -> str:
    x = b.conv("image", 8, 2, stride=2, pads=(0, 0, 0, 0))
    x = b.node("Reshape", x, b.constant([0, 8, 16], np.int64))
    x = b.node("Transpose", x, perm=(0, 2, 1), name="tokens")
    return b.node("MatMul", x, b.weight((8, 8)), name="mixed")


def tokens_as_a_map(b: Builder) -> str:
    x = b.node("Reshape", tokens(b), b.constant([0, 4, 4, 8], np.int64), name="map")
    return b.node("Transpose", x, perm=(0, 3, 1, 2))


CONTRADICTED: list[tuple[Callable[[Builder], str], str, str, str, tuple[str, ...]]] = [
    (between_convolutions, "between", "NHWC", "has the axes NCHW: Conv works on NCHW", ("NCHW",)),
    (between_convolutions, "written", "NHWC", "has the axes NCHW", ("NCHW",)),
    (behind_an_unknown, "open", "NHWC", r"Conv \(read/node\) reads 'bent' with units along axis 1", ()),
    (behind_an_unknown, "bent", "NHWC", r"Conv \(read/node\) reads it with units along axis 1", ()),
    (normalised, "open", "NHWC", r"BatchNormalization \(normal/node\) reads it with units along axis 1", ()),
    (normalised, "normal", "NHWC", "BatchNormalization computes it with units along axis 1", ()),
    (
        over_the_last,
        "open",
        "NCHW",
        r"LayerNormalization \(normal/node\) reads it with units along axis 3",
        (),
    ),
    (tokens, "mixed", "TNC", "has the axes NTC", ("NTC",)),
    (tokens, "tokens", "TNC:0:4x4", "has the axes NTC", ("NTC",)),
    (tokens_as_a_map, "map", "NCHW", "has the axes NHWC", ("NHWC",)),
]


def build(way: Callable[[Builder], str], size: int = 8) -> onnx.ModelProto:
    b = Builder((16 if way is tokens else 1, 3, size, size))
    return b.model(way(b), domains=DOMAIN)


@pytest.mark.parametrize(("way", "value", "layout", "said", "candidates"), CONTRADICTED)
def test_a_layout_that_an_operator_contradicts(
    tmp_path: Path,
    way: Callable[[Builder], str],
    value: str,
    layout: str,
    said: str,
    candidates: tuple[str, ...],
) -> None:
    with pytest.raises(LayerLayoutError, match=said) as caught:
        load_network(save(build(way), tmp_path / "m.onnx"), layouts={value: layout})
    assert caught.value.candidates == candidates
    assert caught.value.hint == f"leave --layout {value}={layout.split(':')[0]} out"


@pytest.mark.parametrize(
    ("way", "value", "layout"),
    [
        (between_convolutions, "between", "NCHW"),
        (behind_an_unknown, "open", "NCHW"),
        (normalised, "normal", "NCHW"),
        (over_the_last, "open", "NHWC"),
        (tokens, "mixed", "NTC"),
        (tokens_as_a_map, "map", "NHWC"),
    ],
)
def test_a_layout_that_agrees(tmp_path: Path, way: Callable[[Builder], str], value: str, layout: str) -> None:
    network = load_network(save(build(way), tmp_path / "m.onnx"), layouts={value: layout})
    (layer,) = network.select([value])
    assert (layer.layout, layer.units) == (layout, 8)


@pytest.mark.parametrize("transposed", [False, True])
def test_the_first_convolution_settles_the_image(tmp_path: Path, transposed: bool) -> None:
    right, wrong = ("NHWC", "NCHW") if transposed else ("NCHW", "NHWC")
    b = Builder(("N", 3, 8, 3))
    x = b.node("Transpose", "image", perm=(0, 3, 1, 2)) if transposed else "image"
    b.units[x] = 3
    path = save(b.model(b.conv(x, 4)), tmp_path / "m.onnx")
    assert load_network(path, layouts={"image": right}).input.layout == right
    with pytest.raises(ParameterError, match="first convolution reads its axis") as caught:
        load_network(path, layouts={"image": wrong})
    assert caught.value.candidates == (right,)
