"""A neck is what heads read, at each resolution; where they read none, what the graph goes up from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.families import Model, chosen, grow, up
from support.models import Builder, save
from support.node_order import reordered

from onnxdissect.model import load_network

UNITS = 5


def trunk(b: Builder, levels: int = 3) -> list[str]:
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    found = []
    for level in range(2, 2 + levels):
        x = b.relu(b.conv(x, 4 + 2 * level, stride=2))
        found.append(x := b.relu(b.conv(x, 4 + 2 * level), name=f"c{level}"))
    return found


def add(b: Builder, x: str, y: str) -> str:
    z = b.node("Add", x, y)
    b.units[z] = b.units[x]
    return z


def swish(b: Builder, x: str, name: str | None = None) -> str:
    return grow(b, b.node("Mul", x, b.node("Sigmoid", x), name=name), x)


def pyramid(b: Builder, levels: list[str], activated: bool) -> list[str]:
    """Linear laterals, added from the coarsest down, each smoothed by one more convolution."""
    found: list[str] = []
    above = ""
    for number, level in reversed(list(enumerate(levels, 2))):
        x = b.conv(level, UNITS, 1)
        above = add(b, x, up(b, above)) if above else x
        name = f"p{number}"
        found.append(b.relu(b.conv(above, UNITS), name) if activated else b.conv(above, UNITS, name=name))
    return found[::-1]


def proposals(b: Builder, x: str, towers: int = 1) -> list[str]:
    """Objects and boxes of each cell, made of layers that both share."""
    for _ in range(towers):
        x = b.relu(b.conv(x, UNITS))
    return [b.conv(x, 3, 1, name=f"{kind}_{x}") for kind in ("object", "box")]


def regions(pooled: bool, towers: int, activated: bool = False) -> Model:
    """A pyramid whose predictions share their hidden layers, with or without a level that is pooled."""
    b = Builder((1, 3, 64, 64))
    levels = pyramid(b, trunk(b), activated)
    if pooled:
        x = b.node("MaxPool", levels[-1], kernel_shape=(1, 1), strides=(2, 2), name="p5")
        levels.append(grow(b, x, levels[-2]))
    return b.model(*(out for x in levels for out in proposals(b, x, towers)))


def decoupled() -> Model:
    """Down, up and down again; each head reads the level through one layer, then parts (YOLOX)."""
    b = Builder((1, 3, 64, 64))
    c2, c3, c4 = trunk(b)
    x = b.node("Concat", up(b, c4), c3, axis=1)
    p3 = swish(b, b.conv(grow(b, x, c4, c3), 8, 1), name="p3")
    x = b.node("Concat", up(b, p3), c2, axis=1)
    levels = [swish(b, b.conv(grow(b, x, p3, c2), 6), name="n2")]
    for number, skip in ((3, p3), (4, c4)):
        down = swish(b, b.conv(levels[-1], 6, stride=2))
        x = grow(b, b.node("Concat", down, skip, axis=1), down, skip)
        levels.append(swish(b, b.conv(x, 6), name=f"n{number}"))
    outputs = []
    for x in levels:
        stem = swish(b, b.conv(x, UNITS, 1))
        classes, boxes = (swish(b, b.conv(stem, UNITS)) for _ in range(2))
        outputs += [b.conv(classes, 3, 1), b.conv(boxes, 4, 1), b.conv(boxes, 1, 1)]
    return b.model(*outputs)


def weighed_both_ways() -> Model:
    """EfficientDet: nodes activate, then filter and mix without bend, and two towers read each level."""
    b = Builder((1, 3, 64, 64))

    def node(x: str, name: str | None = None) -> str:
        x = swish(b, x)
        return b.conv(b.conv(x, UNITS, group=UNITS), UNITS, 1, name=name)

    levels = [b.conv(x, UNITS, 1) for x in trunk(b)]
    p3 = node(add(b, levels[1], up(b, levels[2])))
    n2 = node(add(b, levels[0], up(b, p3)), name="n2")

    def down(x: str) -> str:
        return grow(b, b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2)), x)

    n3 = node(add(b, p3, down(n2)), name="n3")
    n4 = node(add(b, levels[2], down(n3)), name="n4")
    outputs = [b.conv(node(node(x)), units, 1) for x in (n2, n3, n4) for units in (3, 4)]
    return b.model(*outputs)


def stacked(steps: int = 2) -> Model:
    """Hourglasses one behind the other, of which each predicts behind a hidden layer of its own."""
    b = Builder((1, 3, 64, 64))
    x, outputs = b.relu(b.conv(b.image, UNITS, stride=2), name="stem"), []
    for step in range(steps):
        down = b.relu(b.conv(x, UNITS, stride=2))
        deep = b.relu(b.conv(b.relu(b.conv(down, UNITS, stride=2)), UNITS), name=f"deep{step}")
        inner = add(b, down, up(b, deep))
        inner = b.relu(b.conv(inner, UNITS), name=f"inner{step}")
        y = b.relu(b.conv(add(b, x, up(b, inner)), UNITS), name=f"glass{step}")
        outputs.append(b.conv(b.relu(b.conv(y, UNITS)), 3, 1))
        x = b.relu(add(b, b.conv(x, UNITS, 1), b.conv(y, UNITS, 1)))
    return b.model(*outputs)


def side_by_side() -> Model:
    """A segmenter on a pyramid's levels, between which steps lead down that are narrower than the levels."""
    b = Builder((1, 3, 64, 64))
    c2, c3, c4 = trunk(b)
    fine = b.relu(add(b, c2, up(b, b.conv(c3, b.units[c2], 1))))
    middle = b.relu(add(b, c3, b.conv(fine, b.units[c3], stride=2)), name="middle")
    step = b.relu(b.conv(b.relu(b.conv(fine, 4, stride=2)), 4))
    coarse = b.relu(add(b, c4, b.conv(step, b.units[c4], stride=2)), name="coarse")
    wide = b.node("Resize", coarse, "", b.constant((1, 1, 4, 4), "f4"), mode="nearest")
    x = grow(b, b.node("Concat", fine, up(b, middle), wide, axis=1), fine, middle, coarse)
    return b.model(b.conv(b.relu(b.conv(x, 6, 1), name="joined"), 2, 1))


def unpadded() -> Model:
    """A U-Net as it was first drawn: convolutions lose their borders, and skips are cut to fit."""
    b = Builder((1, 3, 92, 92))
    bare = (0, 0, 0, 0)

    def twice(x: str, units: int, name: str) -> str:
        return b.relu(b.conv(b.relu(b.conv(x, units, pads=bare)), units, pads=bare), name=name)

    levels, x = [], b.image
    for level, units in enumerate((4, 6, 8)):
        levels.append(x := twice(x, units, f"e{level}"))
        x = grow(b, b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2)), x)
    x = levels[2]
    for level, size, cut in ((1, 32, 4), (0, 56, 16)):
        y = b.node("ConvTranspose", x, b.weight((b.units[x], 4, 2, 2)), kernel_shape=(2, 2), strides=(2, 2))
        b.units[y] = 4
        ends = [b.constant(numbers, "i8") for numbers in ((cut, cut), (cut + size, cut + size), (2, 3))]
        skip = grow(b, b.node("Slice", levels[level], *ends), levels[level])
        x = twice(grow(b, b.node("Concat", y, skip, axis=1), y, skip), 4, f"d{level}")
    return b.model(b.conv(x, 2, 1))


def levels_of_one_map() -> Model:
    """ViTDet: the last map spread, kept and pooled, each level smoothed and read by one prediction."""
    b = Builder((1, 3, 64, 64))
    x = trunk(b)[-1]
    fine = b.node("ConvTranspose", x, b.weight((b.units[x], 6, 2, 2)), kernel_shape=(2, 2), strides=(2, 2))
    b.units[fine] = 6
    coarse = grow(b, b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2)), x)
    smooth = [
        b.conv(b.conv(level, UNITS, 1), UNITS, name=f"p{number}")
        for number, level in enumerate((fine, x, coarse), 3)
    ]
    return b.model(*(b.conv(b.relu(b.conv(level, UNITS)), 3, 1) for level in smooth))


FAMILIES: dict[str, tuple[Callable[[], Model], list[str]]] = {
    "region proposals": (lambda: regions(False, 1), ["p2", "p3", "p4"]),
    "region proposals, deeper": (lambda: regions(False, 3), ["p2", "p3", "p4"]),
    "region proposals, pooled level": (lambda: regions(True, 1), ["p2", "p3", "p4", "p5"]),
    "activated pyramid": (lambda: regions(False, 0, activated=True), ["p2", "p3", "p4"]),
    "proposals on an activated pyramid": (
        lambda: regions(False, 1, activated=True),
        ["p2", "p3", "p4"],
    ),
    "levels of one map": (levels_of_one_map, ["p3", "p4", "p5"]),
    "decoupled heads": (decoupled, ["n2", "n3", "n4"]),
    "weighed both ways": (weighed_both_ways, ["n2", "n3", "n4"]),
    "stacked hourglasses": (stacked, ["glass1", "inner1", "deep1"]),
    "resolutions side by side": (side_by_side, ["joined", "middle", "coarse"]),
    "convolutions without padding": (unpadded, ["d0", "d1"]),
}


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_necks_end_where_heads_begin(tmp_path: Path, family: str, seed: int | None) -> None:
    build, neck = FAMILIES[family]
    model = build() if seed is None else reordered(build(), seed)
    network = load_network(save(model, tmp_path / "model.onnx"))
    assert sorted(chosen(network, "neck")) == sorted(neck)
