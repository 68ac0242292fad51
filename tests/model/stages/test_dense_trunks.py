"""Where the trunk ends in networks that predict for each cell: before pools, sub-pixels, reassembled maps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.families import Model, chosen, grow, up
from support.models import Builder, save

from onnxdissect.model import load_network


def backbone(b: Builder) -> str:
    x = b.image
    for level, units in enumerate((4, 6, 8, 10), 1):
        y = b.relu(b.conv(x, units, stride=2))
        x = b.relu(b.node("Add", b.conv(y, units), y), name=f"c{level}")
    return x


def pyramid_of_pools(bins: tuple[int, ...], kept: bool = True, narrow: bool = False) -> Model:
    """PSPNet: the last map, and what is pooled from it into few cells, resized back."""
    b = Builder((1, 3, 64, 64))
    x = backbone(b)
    branches = [x if kept else b.relu(b.conv(x, 3 if narrow else 10, 1))]
    for cells in bins:
        side = 4 // cells
        y = b.node("AveragePool", x, kernel_shape=(side, side), strides=(side, side))
        y = b.relu(b.conv(y, 3, 1), name=f"pooled{cells}")
        size = b.constant((1, 3, 4, 4), np.int64)
        branches.append(b.node("Resize", y, "", "", size, mode="linear"))
        b.units[branches[-1]] = 3
    x = grow(b, b.node("Concat", *branches, axis=1), *branches)
    x = b.relu(b.conv(x, 6), name="joined")
    return b.model(up(b, b.conv(x, 2, 1, name="classes")))


def pooled_attention() -> Model:
    """Pools inside residual blocks go on after them, and so does the trunk."""
    b = Builder((1, 3, 64, 64))
    x = b.image
    for level, units in enumerate((4, 6, 8, 10), 1):
        x = b.relu(b.conv(x, units, stride=2))
        y = b.node("AveragePool", x, kernel_shape=(2, 2), strides=(2, 2))
        y = up(b, b.conv(y, units, 1))
        x = b.relu(b.node("Add", x, y), name=f"c{level}")
    return b.model(up(b, b.conv(b.relu(b.conv(x, 5, 1), name="narrow"), 2, 1)))


def rearranged(b: Builder, x: str, way: str) -> str:
    """Twice as many rows and columns, made of units, made by a convolution, or resized."""
    units, size = b.units[x], 16
    if way == "resize":
        return up(b, x)
    if way == "spread":
        y = b.node("ConvTranspose", x, b.weight((units, 4, 2, 2)), strides=(2, 2), kernel_shape=(2, 2))
        b.units[y] = 4
        return y
    x = b.conv(x, 16, name="subpixels")
    x = b.relu(x, name="activated") if way == "activated" else x
    if way == "reshape":
        x = b.node("Reshape", x, b.constant((1, 4, 2, 2, size, size), np.int64))
        x = b.node("Transpose", x, perm=(0, 1, 4, 2, 5, 3))
        x = b.node("Reshape", x, b.constant((1, 4, 2 * size, 2 * size), np.int64))
    else:
        x = b.node("DepthToSpace", x, blocksize=2, mode="CRD")
    b.units[x] = 4
    return x


def super_resolution(way: str, bent: bool = False, groups: int = 1) -> Model:
    """EDSR: residual blocks at one resolution, a shortcut round all of them, and a finer picture."""
    b = Builder((1, 3, 16, 16))
    first = b.conv(b.image, 6, name="first")
    first = b.relu(first) if bent else first
    x = first
    for group in range(1, groups + 1):
        entered = x
        for block in range(1, 5):
            y = b.conv(b.relu(b.conv(x, 6)), 6)
            x = b.node("Add", x, y, name=f"block{block}" if groups == 1 else f"block{group}_{block}")
        if groups > 1:
            x = b.node("Add", b.conv(x, 6), entered, name=f"group{group}")
    x = b.node("Add", b.conv(x, 6), first, name="body")
    return b.model(b.conv(rearranged(b, x, way), 3, name="picture"))


def linear(b: Builder, x: str, units: int, inputs: int, name: str | None = None) -> str:
    return b.node("Add", b.node("MatMul", x, b.weight((inputs, units))), b.weight((units,)), name=name)


def attention(b: Builder, x: str) -> str:
    query, key, value = (linear(b, x, 8, 8) for _ in range(3))
    scores = b.node("Softmax", b.node("MatMul", query, b.node("Transpose", key, perm=(0, 2, 1))), axis=-1)
    return linear(b, b.node("MatMul", scores, value), 8, 8)


def blocks(b: Builder, x: str, rows: bool, depth: int = 4) -> list[str]:
    """Blocks of attention on tokens, or on cells in rows and columns (units last)."""
    handed = []
    for block in range(1, depth + 1):
        flat = b.node("Reshape", x, b.constant((1, 64, 8), np.int64)) if rows else x
        y = attention(b, flat)
        y = b.node("Reshape", y, b.constant((1, 8, 8, 8), np.int64)) if rows else y
        x = b.node("Add", x, y, name=f"attended{block}")
        y = linear(b, b.relu(linear(b, x, 24, 8), name=f"mlp{block}"), 8, 24)
        x = b.node("Add", x, y, name=f"block{block}")
        handed.append(x)
    return handed


def patches(b: Builder, rows: bool) -> str:
    x = b.conv(b.image, 8, 8, stride=8, pads=(0,) * 4)
    if rows:
        return b.node("Transpose", x, perm=(0, 2, 3, 1))
    return b.node("Transpose", b.node("Reshape", x, b.constant((1, 8, 64), np.int64)), perm=(0, 2, 1))


def as_map(b: Builder, x: str, rows: bool) -> str:
    if rows:
        x = b.node("Transpose", x, perm=(0, 3, 1, 2))
    else:
        x = b.node("Transpose", x, perm=(0, 2, 1))
        x = b.node("Reshape", x, b.constant((1, 8, 8, 8), np.int64))
    b.units[x] = 8
    return x


def reassembled(rows: bool) -> Model:
    """DPT: maps of four depths made finer and coarser, then joined from the coarsest to the finest."""
    b = Builder((1, 3, 64, 64))
    handed = [as_map(b, x, rows) for x in blocks(b, patches(b, rows), rows)]
    fine = b.node("ConvTranspose", b.conv(handed[1], 8, 1), b.weight((8, 8, 2, 2)), strides=(2, 2))
    b.units[fine] = 8
    levels = [fine, b.conv(handed[2], 8, 1), b.conv(b.conv(handed[3], 8, 1), 8, stride=2)]
    x = ""
    for i, level in enumerate(reversed(levels)):
        x = b.node("Add", up(b, x), b.conv(level, 6)) if x else b.conv(level, 6)
        x = b.node("Add", x, b.conv(b.relu(x), 6), name=f"fused{i}")
    return b.model(b.relu(b.conv(up(b, x), 1, 1), name="depth"))


def embedded(rows: bool) -> Model:
    """SAM: an embedding made by two convolutions behind the blocks."""
    b = Builder((1, 3, 64, 64))
    x = as_map(b, blocks(b, patches(b, rows), rows)[-1], rows)
    return b.model(b.conv(b.conv(x, 6, 1), 6, name="embedding"))


def simple_pyramid(rows: bool) -> Model:
    """ViTDet: the last map made finer and coarser, with a head on each."""
    b = Builder((1, 3, 64, 64))
    x = as_map(b, blocks(b, patches(b, rows), rows)[-1], rows)
    fine = b.node("ConvTranspose", x, b.weight((8, 6, 2, 2)), strides=(2, 2))
    b.units[fine] = 6
    levels = [fine, x, b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))]
    levels = [b.relu(b.conv(b.conv(level, 6, 1), 6)) for level in levels]
    return b.model(*(b.conv(level, 3, 1, name=f"boxes{i}") for i, level in enumerate(levels)))


POOLED = ["c1", "c2", "c3", "c4"]
STREAM = [f"{part}{i}" for i in range(1, 5) for part in ("mlp", "block")]
BODY = ["block2", "block3", "block4", "body"]

FAMILIES: dict[str, tuple[Callable[[], Model], list[str]]] = {
    "pyramid of pools": (lambda: pyramid_of_pools((1, 2)), POOLED),
    "pyramid of two rows and columns": (lambda: pyramid_of_pools((2,)), POOLED),
    "pyramid of one cell": (lambda: pyramid_of_pools((1,)), POOLED),
    "pyramid beside a convolution": (lambda: pyramid_of_pools((1, 2), kept=False), POOLED),
    "pyramid beside a narrow convolution": (
        lambda: pyramid_of_pools((1, 2), kept=False, narrow=True),
        POOLED,
    ),
    "pools inside blocks": (pooled_attention, POOLED),
    **{
        f"{way}{', bent' * bent}": (functools.partial(super_resolution, way, bent), BODY)
        for way in ("depth to space", "activated", "reshape", "spread", "resize")
        for bent in (False, True)
    },
    "groups of blocks": (
        lambda: super_resolution("depth to space", groups=4),
        ["group2", "group3", "group4", "body"],
    ),
    **{
        f"{build.__name__}, {'rows' if rows else 'tokens'}": (functools.partial(build, rows), STREAM)
        for build in (reassembled, embedded, simple_pyramid)
        for rows in (False, True)
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_trunk_ends_before_what_is_made_of_it(tmp_path: Path, family: str) -> None:
    build, stages = FAMILIES[family]
    network = load_network(save(build(), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == stages
    assert chosen(network, "last") == stages[-1:]
