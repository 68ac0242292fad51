"""Which layers are chosen by default: stems, parallel resolutions, what detectors put behind a backbone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.families import Model, chosen, depthwise, grow, up
from support.models import Builder, save

from onnxdissect.model import load_network


def patches(widening: int = 1) -> Model:
    """A patch embedding of two convolutions (LeViT), or a last expansion that filters too (FastViT)."""
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="half")
    x = b.conv(x, 6, stride=2, name="patches")
    for stage, units in enumerate((6, 8), 1):
        if stage > 1:
            x = b.conv(x, units, stride=2)
        for block in range(2):
            y = b.conv(b.relu(b.conv(depthwise(b, x), 2 * units, 1)), units, 1)
            x = b.node("Add", x, y, name=f"stage{stage}_block{block}")
    if widening > 1:
        x = b.relu(b.conv(x, widening * b.units[x], group=b.units[x]), name="wide")
    return b.model(b.head(x))


def parallel(widened: bool = False) -> Model:
    """HRNet: resolutions side by side, exchanged up and down, and gathered at the coarsest."""
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.relu(b.conv(b.image, 4, stride=2), name="stem"), 4, stride=2))
    x = b.relu(b.node("Add", b.conv(x, 4), x), name="before")
    levels = [b.relu(b.conv(x, 4)), b.relu(b.conv(x, 6, stride=2))]
    levels.append(b.relu(b.conv(levels[1], 8, stride=2)))
    fine = b.relu(b.node("Add", levels[0], up(b, b.conv(levels[1], 4, 1))))
    middle = b.node("Add", levels[1], b.conv(levels[0], 6, stride=2))
    middle = b.relu(b.node("Add", middle, up(b, b.conv(levels[2], 6, 1))))
    coarse = b.relu(b.node("Add", levels[2], b.conv(levels[1], 8, stride=2)))
    x = b.relu(b.conv(fine, 8), name="level1")
    x = b.node("Add", b.relu(b.conv(middle, 10)), b.relu(b.conv(x, 10, stride=2)), name="level2")
    x = b.node("Add", b.relu(b.conv(coarse, 12)), b.relu(b.conv(x, 12, stride=2)), name="level3")
    x = b.relu(b.conv(x, 24, 1), name="wide") if widened else x
    return b.model(b.head(x))


def level_pyramid(resized: bool = False) -> Model:
    """A pyramid over two levels of one resolution (MobileNetV3 of torchvision), the image resized before."""
    b = Builder((1, 3, 64, 64))
    x = b.image
    if resized:
        x = b.node("Resize", x, "", b.constant((1, 1, 2, 2), np.float32), mode="nearest")
        b.units[x] = 3
    levels = []
    for level, units in enumerate((4, 6, 8), 1):
        x = b.relu(b.conv(x, units, stride=2))
        x = b.relu(b.conv(x, units), name=f"c{level}")
        levels.append(x)
    x = b.relu(b.conv(x, 24, 1), name="wide")
    top = b.conv(x, 6, 1, name="lateral")
    same = b.node("Resize", top, "", b.constant((1, 1, 1, 1), np.float32), mode="nearest")
    fine = b.conv(b.node("Add", b.conv(levels[-1], 6, 1), same), 6, name="fine")
    outputs = []
    for x in (fine, b.conv(top, 6, name="coarse")):
        tower = b.relu(b.conv(grow(b, x, top), 6))
        outputs += [b.conv(tower, units, 1) for units in (2, 3)]
    return b.model(*outputs)


def linear_single_shot() -> Model:
    """SSDLite: bottlenecks, then extra levels of one filter each, the last of a single cell."""
    b = Builder(("N", 3, 128, 128))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    levels = []
    for stage, units in enumerate((4, 6, 8, 10), 1):
        for block in range(3):
            y = depthwise(b, b.relu(b.conv(x, 3 * b.units[x], 1)), stride=1 if block else 2)
            y = b.conv(y, units, 1)
            x = b.node("Add", x, y, name=f"stage{stage}_{block}") if block else y
        levels.append(x)
    levels = levels[2:]
    for units in (8, 6, 4):
        x = b.relu(b.conv(x, units, 1))
        x = b.relu(b.conv(depthwise(b, x, stride=2), units + 2, 1))
        levels.append(x)
    outputs = [
        b.conv(depthwise(b, x), n, 1, name=f"{kind}_{x}")
        for x in levels
        for kind, n in (("box", 4), ("class", 3))
    ]
    return b.model(*outputs)


def skipping_decoder(activated: bool = False, dense: bool = False) -> Model:
    """CRAFT: a dilated slice, and a decoder that first skips back at the trunk's own resolution."""
    b = Builder(("N", 3, 64, 64))
    levels = []
    x = b.image
    for level, units in enumerate((4, 6, 8), 1):
        x = b.relu(b.conv(x, units, stride=2))
        x = b.relu(b.conv(x, units), name=f"c{level}")
        levels.append(x)
    x = b.conv(b.conv(x, 3 if dense else 16, dilation=2, pads=(2,) * 4), 3 if dense else 16, 1)
    x = b.relu(x, name="deepest") if activated else b.node("Identity", x, name="deepest")
    skip = levels.pop()
    x = grow(b, b.node("Concat", x, skip, axis=1), x, skip)
    x = b.relu(b.conv(b.relu(b.conv(x, 8, 1)), 6), name="joined")
    while levels:
        skip = levels.pop()
        x = up(b, x)
        x = b.relu(b.conv(grow(b, b.node("Concat", x, skip, axis=1), x, skip), 4))
    return b.model(b.conv(x, 2, 1, name="text"))


def halves(b: Builder, x: str, way: str) -> list[str]:
    units = b.units[x] // 2
    if way == "split":
        parts = b.nodes("Split", x, names=[f"{x}_left", f"{x}_right"], axis=1)
    elif way == "slice":
        parts = [
            b.node("Slice", x, *(b.constant((n,), np.int64) for n in (start, start + units, 1)))
            for start in (0, units)
        ]
    else:
        pairs = [b.constant(np.arange(units) * 2 + side, np.int64) for side in (0, 1)]
        parts = [b.node("Gather", x, pair, axis=1) for pair in pairs]
    for part in parts:
        b.units[part] = units
    return parts


def in_parts(way: str, blocks: int = 3, hidden: bool = False) -> Model:
    """ShuffleNet: blocks that work on half of the units, and a wide convolution in front of the pooling."""
    b = Builder((1, 3, 64, 64))
    x = b.relu(b.conv(b.image, 8, stride=2), name="stem")
    for stage in (1, 2):
        for block in range(blocks):
            stride = 1 if block else 2
            left, right = halves(b, x, way) if block else [x, x]
            units = b.units[x] // (2 if block else 1)
            if not block:
                left = b.relu(b.conv(b.conv(x, units, stride=2, group=units), units, 1))
            right = b.conv(b.relu(b.conv(right, units, 1)), units, stride=stride, group=units)
            right = b.relu(b.conv(right, units, 1))
            x = grow(b, b.node("Concat", left, right, axis=1, name=f"stage{stage}_{block}"), left, right)
    x = b.relu(b.conv(x, 64, 1), name="wide")
    if hidden:
        x = b.relu(b.conv(b.node("GlobalAveragePool", x), 16, 1))
    return b.model(b.head(x))


def path_aggregation(lateral: int, bent: bool) -> Model:
    """A detector whose last block ends in a pointwise convolution, and whose neck begins with another."""
    b = Builder(("N", 3, 64, 64))
    x, levels = b.image, []
    for level, units in enumerate((4, 8, 12), 1):
        x = b.relu(b.conv(x, units, stride=2))
        left, right = b.relu(b.conv(x, units, 1)), b.relu(b.conv(x, units))
        x = grow(b, b.node("Concat", left, right, axis=1), left, right)
        x = b.relu(b.conv(x, units, 1), name=f"c{level}")
        levels.append(x)
    top = b.conv(x, lateral, 1, name="lateral")
    top = b.relu(top, name="lateral_bent") if bent else top
    middle = grow(b, b.node("Concat", up(b, top), levels[1], axis=1), top, levels[1])
    middle = b.relu(b.conv(middle, 8))
    down = b.relu(b.conv(middle, 8, stride=2))
    low = b.relu(b.conv(grow(b, b.node("Concat", down, top, axis=1), down, top), 12))
    return b.model(*(b.conv(x, 5, 1, name=f"box{i}") for i, x in enumerate((middle, low))))


FAMILIES: dict[str, tuple[Callable[[], Model], list[str]]] = {
    "patch embedding in steps": (patches, ["stage1_block1", "stage2_block1"]),
    "last expansion that filters": (lambda: patches(widening=2), ["stage1_block1", "stage2_block1"]),
    "parallel resolutions": (parallel, ["stem", "level1", "level2", "level3"]),
    "parallel resolutions, expansion of the head": (
        lambda: parallel(widened=True),
        ["stem", "level1", "level2", "level3"],
    ),
    "decoder that skips at the trunk's resolution": (skipping_decoder, ["c1", "c2", "Conv_7:0"]),
    "decoder that skips, activated trunk": (
        lambda: skipping_decoder(activated=True),
        ["c1", "c2", "deepest"],
    ),
    "block that concatenates to what is wider": (
        lambda: skipping_decoder(activated=True, dense=True),
        ["c1", "c2", "joined"],
    ),
    **{
        f"half of the units, {way}": (
            functools.partial(in_parts, way),
            ["stem", "stage1_2", "stage2_2"],
        )
        for way in ("split", "slice", "gather")
    },
    "half of the units, hidden layer": (
        lambda: in_parts("split", hidden=True),
        ["stem", "stage1_2", "wide"],
    ),
    **{
        f"path aggregation, lateral of {lateral}{', bent' * bent}": (
            functools.partial(path_aggregation, lateral, bent),
            ["c1", "c2", "c3"],
        )
        for lateral in (6, 12)
        for bent in (False, True)
    },
    "pyramid of one resolution": (level_pyramid, ["c1", "c2", "wide"]),
    "image resized before": (lambda: level_pyramid(resized=True), ["c1", "c2", "wide"]),
    "single shot of bottlenecks": (
        linear_single_shot,
        ["stem", "stage1_2", "stage2_2", "stage3_2", "stage4_2"],
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_stages_are_the_block_outputs_of_the_trunk(tmp_path: Path, family: str) -> None:
    build, stages = FAMILIES[family]
    network = load_network(save(build(), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == stages
    assert chosen(network, "last") == stages[-1:]


def test_a_reduction_to_one_cell_is_no_head(tmp_path: Path) -> None:
    network = load_network(save(linear_single_shot(), tmp_path / "model.onnx"))
    heads = chosen(network, "heads")
    assert heads
    assert all(name.startswith(("box", "class")) for name in heads)
