"""Generalised-mean pooling: the map before its powers is the last stage, however the pooling is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.families import Model, chosen, depthwise
from support.models import Builder, save

from onnxdissect.model import load_network


def rounded(b: Builder, x: str) -> str:
    """To integers and back."""
    scale, zero = b.constant(0.05), b.constant(0, np.uint8)
    return b.node("DequantizeLinear", b.node("QuantizeLinear", x, scale, zero), scale, zero)


def residual(b: Builder) -> str:
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for stage, units in enumerate((6, 8), 1):
        y = b.conv(b.relu(b.conv(x, units, stride=2)), units)
        x = b.relu(b.node("Add", y, b.conv(x, units, 1, stride=2)), name=f"stage{stage}")
    return x


def linear_stream(b: Builder) -> str:
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for stage, units in enumerate((6, 8), 1):
        x = b.conv(x, units, stride=2)
        for block in range(2):
            y = b.conv(b.relu(b.conv(depthwise(b, x), 2 * units, 1)), units, 1)
            x = b.node("Add", x, y, name=f"stage{stage}" if block else None)
    return x


def plain(b: Builder) -> str:
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for stage, units in enumerate((6, 8), 1):
        x = b.relu(b.conv(x, units, stride=2), name=f"stage{stage}")
    return x


def bare(b: Builder) -> str:
    """The last convolution is normalised, but not activated."""
    x = b.relu(b.conv(b.relu(b.conv(b.image, 4, stride=2), name="stem"), 6, stride=2), name="stage1")
    ones, zeros = b.constant(np.ones(8)), b.constant(np.zeros(8))
    return b.node("BatchNormalization", b.conv(x, 8, stride=2), ones, zeros, zeros, ones, name="stage2")


def power_mean(
    body: Any,
    pool: str,
    bound: str = "Clip",
    *,
    integers: bool = False,
    per_unit: bool = False,
    **builder: Any,
) -> Model:
    b = Builder(("N", 3, 64, 64), **builder)
    x = body(b)
    units = b.units[x]
    if bound == "Abs":
        x = b.node("Abs", x)
    elif bound:
        x = b.node(bound, x, b.constant(1e-4), name="bounded")
    x = rounded(b, x) if integers else x
    power: Any = np.full((1, units, 1, 1), 3.0) if per_unit else 3.0
    x = b.node("Pow", x, b.constant(power), name="powers")
    x = rounded(b, x) if integers else x
    options: dict[str, dict[str, Any]] = {
        "ReduceMean": {"axes": [2, 3], "keepdims": 1},
        "AveragePool": {"kernel_shape": [8, 8]},
    }
    x = b.nodes(pool, x, names=["mean"], **options.get(pool, {}))[0]
    b.units[x] = units
    x = b.node("Flatten", b.node("Pow", x, b.constant(1 / np.asarray(power))))
    return b.model(b.node("Gemm", x, b.weight((units, 5)), name="logits"))


VARIANTS: dict[str, dict[str, Any]] = {
    "whole-map window": {"pool": "AveragePool"},
    "global pool": {"pool": "GlobalAveragePool"},
    "mean": {"pool": "ReduceMean"},
    "maximum": {"pool": "GlobalAveragePool", "bound": "Max"},
    "magnitude": {"pool": "GlobalAveragePool", "bound": "Abs"},
    "small number added": {"pool": "ReduceMean", "bound": "Add"},
    "no bound": {"pool": "GlobalAveragePool", "bound": ""},
    "a power per unit": {"pool": "GlobalAveragePool", "per_unit": True},
    "integers": {"pool": "GlobalAveragePool", "integers": True},
    "float16": {"pool": "GlobalAveragePool", "dtype": np.float16},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("body", [residual, linear_stream, plain, bare])
def test_the_map_before_the_powers_is_the_last_stage(tmp_path: Path, body: Any, variant: str) -> None:
    network = load_network(save(power_mean(body, **VARIANTS[variant]), tmp_path / "model.onnx"))
    assert chosen(network, "last") == ["stage2"]
    assert chosen(network, "stages")[-2:] == ["stage1", "stage2"]
    assert {layer.part for layer in network.layers if layer.op == "Pow"} == {"head"}


def test_a_power_that_is_not_taken_back_is_an_activation(tmp_path: Path) -> None:
    b = Builder(("N", 3, 64, 64))
    x = residual(b)
    x = b.node("Mul", x, x, name="squared")
    network = load_network(save(b.model(b.head(x)), tmp_path / "model.onnx"))
    assert chosen(network, "last") == ["squared"]


def test_a_rectifier_before_the_powers_is_an_activation(tmp_path: Path) -> None:
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    x = b.node("Clip", b.conv(x, 6, stride=2), b.constant(0.0), name="rectified")
    x = b.node("GlobalAveragePool", b.node("Pow", x, b.constant(3.0)))
    x = b.node("Flatten", b.node("Pow", x, b.constant(1 / 3)))
    network = load_network(save(b.model(b.node("Gemm", x, b.weight((6, 5)))), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["stem", "rectified"]
