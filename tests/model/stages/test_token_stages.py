"""Stages of networks of tokens that keep one resolution, whatever reads the last block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.families import Model, chosen
from support.models import Builder, save

from onnxdissect.model import load_network


def product(b: Builder, x: str, units: int, name: str | None = None) -> str:
    y = b.node("MatMul", x, b.weight((b.units[x], units)), name=name)
    b.units[y] = units
    return y


def bent(b: Builder, x: str, kind: str, name: str) -> str:
    if kind == "relu":
        return b.relu(x, name=name)
    if kind == "silu":
        return b.node("Mul", x, b.node("Sigmoid", x), name=name)
    erf = b.node("Erf", b.node("Div", x, b.constant(np.sqrt(2))))
    return b.node("Mul", b.node("Mul", x, b.node("Add", erf, b.constant(1))), b.constant(0.5), name=name)


def tokens(blocks: str, pool: str, depth: int = 2, kind: str = "relu", dtype: type = np.float32) -> Model:
    """Blocks of two products with a shortcut, the last one without, or single products with none at all."""
    b = Builder(("N", 3, 32, 32), dtype=dtype)
    x = b.conv(b.image, 6, 8, stride=8, pads=(0,) * 4)
    x = b.node("Transpose", b.node("Reshape", x, b.constant((0, 6, -1), np.int64)), perm=(0, 2, 1))
    for i in range(1, depth + 1):
        if blocks == "single":
            x = bent(b, product(b, x, 6), kind, f"act{i}")
            continue
        y = product(b, bent(b, product(b, x, 12), kind, f"act{i}"), 6, f"out{i}")
        if blocks == "bent twice":
            y = bent(b, y, kind, f"narrow{i}")
        if blocks == "activated sums":
            x = bent(b, b.node("Add", x, y), kind, f"sum{i}")
        else:
            x = y if blocks == "last without" and i == depth else b.node("Add", x, y, name=f"sum{i}")
    if pool == "flatten":
        x = b.node("Flatten", x)
        return b.model(b.node("Gemm", x, b.weight((96, 5)), name="logits"))
    turned = pool in ("transpose", "transpose alone")
    x = b.node("Transpose", x, perm=(0, 2, 1)) if turned else x
    x = b.node("ReduceMean", x, axes=[2 if turned else 1], keepdims=0)
    return b.model(x if pool.endswith("alone") else b.node("MatMul", x, b.weight((6, 5)), name="logits"))


@pytest.mark.parametrize("kind", ["relu", "gelu", "silu"])
@pytest.mark.parametrize("pool", ["mean", "transpose", "transpose alone", "mean alone", "flatten"])
@pytest.mark.parametrize(
    ("blocks", "stages"),
    [
        ("shortcuts", ["act1", "sum1", "act2", "sum2"]),
        ("bent twice", ["act1", "sum1", "act2", "sum2"]),
        ("activated sums", ["act1", "sum1", "act2", "sum2"]),
        ("last without", ["act1", "sum1", "act2", "out2"]),
        ("single", ["act2"]),
    ],
)
def test_the_last_block_is_a_stage(
    tmp_path: Path, blocks: str, stages: list[str], pool: str, kind: str
) -> None:
    network = load_network(save(tokens(blocks, pool, kind=kind), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == stages
    assert chosen(network, "last") == stages[-1:]
    parts = {layer.name: layer.part for layer in network.layers}
    assert parts["act2"] == "trunk"


def test_half_precision_changes_nothing(tmp_path: Path) -> None:
    network = load_network(
        save(tokens("single", "transpose", depth=5, dtype=np.float16), tmp_path / "m.onnx")
    )
    assert chosen(network, "stages") == ["act2", "act3", "act4", "act5"]


def embedded(b: Builder, patch: int, units: int) -> str:
    """Patches as tokens, a class token before them."""
    x = b.conv(b.image, units, patch, stride=patch, pads=(0,) * 4)
    x = b.node("Transpose", b.node("Reshape", x, b.constant((1, units, -1), np.int64)), perm=(0, 2, 1))
    x = b.node("Concat", b.weight((1, 1, units)), x, axis=1)
    b.units[x] = units
    return x


def cut(b: Builder, x: str, start: int, end: int) -> str:
    bounds = (b.constant([n], np.int64) for n in (start, end, 1))
    return b.node("Slice", x, *bounds)


def side_by_side(depths: tuple[int, int]) -> Model:
    """CrossViT: two networks of tokens that exchange their class tokens and answer together."""
    b = Builder((1, 3, 48, 48))
    streams = [embedded(b, 6, 4), embedded(b, 8, 6)]
    for fusion in (1, 2):
        for side, depth in enumerate(depths):
            for block in range(1, depth + 1):
                x = streams[side]
                y = b.relu(product(b, x, 12), name=f"act{side}_{fusion}{block}")
                sum_ = b.node("Add", x, product(b, y, b.units[x]), name=f"sum{side}_{fusion}{block}")
                b.units[sum_] = b.units[x]
                streams[side] = sum_
        classes = [cut(b, x, 0, 1) for x in streams]
        for side, units in enumerate((4, 6)):
            heard = product(b, classes[1 - side], units)
            x = b.node("Concat", b.node("Add", classes[side], heard), cut(b, streams[side], 1, 99), axis=1)
            b.units[x] = units
            streams[side] = x
    answers = [product(b, cut(b, x, 0, 1), 5) for x in streams]
    return b.model(b.node("Flatten", b.node("Add", *answers), name="logits"))


@pytest.mark.parametrize(("depths", "deeper"), [((1, 3), 1), ((3, 1), 0), ((2, 4), 1)])
def test_of_networks_side_by_side_the_deeper_counts(
    tmp_path: Path, depths: tuple[int, int], deeper: int
) -> None:
    network = load_network(save(side_by_side(depths), tmp_path / "model.onnx"))
    count = depths[deeper]
    blocks = [f"{deeper}_{fusion}{block}" for fusion in (1, 2) for block in range(1, count + 1)]
    quarters = [blocks[-(-len(blocks) * k // 4) - 1] for k in (1, 2, 3, 4)]
    assert chosen(network, "stages") == [f"{what}{n}" for n in quarters for what in ("act", "sum")]
    assert chosen(network, "last") == [f"sum{blocks[-1]}"]
