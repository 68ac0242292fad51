"""Linear bottlenecks, one a stage, so that no shortcut tells what the network hands on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.families import Model, chosen, grow, up
from support.models import Builder, save

from onnxdissect.model import load_network

Bend = Callable[[Builder, str], str]


def swish(b: Builder, x: str) -> str:
    return b.node("Mul", x, b.node("Sigmoid", x))


def capped(b: Builder, x: str) -> str:
    return b.node("Clip", x, b.constant(0), b.constant(6))


def rounded(b: Builder, x: str) -> str:
    scale, zero = b.constant(0.05), b.constant(0, np.uint8)
    return b.node("DequantizeLinear", b.node("QuantizeLinear", b.relu(x), scale, zero), scale, zero)


def block(b: Builder, x: str, units: int, kind: str, bend: Bend, name: str) -> str:
    wide = 4 * b.units[x]
    if kind == "fused":
        return b.conv(bend(b, b.conv(x, wide, stride=2)), units, 1, name=name)
    y = bend(b, b.conv(x, wide, 1)) if kind != "unexpanded" else x
    groups = {"grouped": 4, "dense": 1}.get(kind, b.units[y])
    y = b.conv(y, b.units[y], stride=1 if kind == "pooled" else 2, group=groups)
    y = y if kind == "linear filter" else bend(b, y)
    if kind == "pooled":
        y = b.node("AveragePool", y, kernel_shape=(2, 2), strides=(2, 2))
    return b.conv(y, units, 1, name=name)


def single_bottlenecks(kind: str, bend: Bend, stages: int = 3, decoder: bool = False) -> Model:
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    levels = []
    for stage in range(1, stages + 1):
        x = block(b, x, 4 + 2 * stage, kind, bend, f"stage{stage}")
        levels.append(x)
    if not decoder:
        return b.model(b.head(x))
    for level in levels[-2::-1]:
        x = b.relu(b.conv(grow(b, b.node("Concat", up(b, x), level, axis=1), x, level), 6))
    return b.model(b.conv(x, 2, 1, name="mask"))


@pytest.mark.parametrize("bend", [Builder.relu, swish, capped, rounded])
@pytest.mark.parametrize(
    "kind", ["expanded", "unexpanded", "fused", "grouped", "dense", "linear filter", "pooled"]
)
def test_stages_are_the_linear_outputs(tmp_path: Path, kind: str, bend: Bend) -> None:
    network = load_network(save(single_bottlenecks(kind, bend), tmp_path / "model.onnx"))
    assert chosen(network, "stages")[1:] == ["stage1", "stage2", "stage3"]
    assert len(chosen(network, "stages")) == 4
    assert [layer.grid for layer in network.select(["stages"])] == [(n, n) for n in (32, 16, 8, 4)]


def test_a_single_bottleneck_is_enough(tmp_path: Path) -> None:
    network = load_network(save(single_bottlenecks("expanded", capped, stages=1), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["stem", "stage1"]


def test_they_are_the_way_down_to_a_decoder(tmp_path: Path) -> None:
    model = single_bottlenecks("expanded", capped, decoder=True)
    network = load_network(save(model, tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["stem", "stage1", "stage2", "stage3"]
    assert chosen(network, "heads") == ["mask"]
