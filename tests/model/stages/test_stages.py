"""Which layers are chosen by default: families of architectures with drawn weights."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.families import Model, chosen, depthwise, grow, up
from support.models import Builder, save

from onnxdissect.errors import LayerNotFoundError
from onnxdissect.model import Network, load_network


def integer_conv(b: Builder, x: str, units: int, kernel: int = 3, stride: int = 1) -> str:
    """Dynamic quantisation: integers, their product, and the scale that both have measured."""
    number = len(b.nodes_written)
    q, scale, zero = b.nodes("DynamicQuantizeLinear", x, names=[f"{part}{number}" for part in "qsz"])
    weights = b.constant(b.rng.integers(0, 255, (units, b.units[x], kernel, kernel)), np.uint8)
    half = b.constant(128, np.uint8)
    y = b.node("ConvInteger", q, weights, zero, half, strides=(stride, stride), pads=(kernel // 2,) * 4)
    b.units[y] = units
    y = b.node("Cast", y, to=onnx.TensorProto.FLOAT)
    y = b.node("Mul", y, b.node("Mul", scale, b.constant(1e-3)))
    y = b.node("Add", y, b.constant(np.full((units, 1, 1), 0.1)))
    b.units[y] = units
    return y


def bottlenecks(output: str | None = None, integers: bool = False) -> Model:
    """ResNet v1.5: the stride is in the 3x3, so a stage begins with a reduction at the old resolution."""
    b = Builder(("N", 3, 64, 64))
    conv = functools.partial(integer_conv, b) if integers else b.conv
    x = b.relu(conv(b.image, 4, stride=2), name="stem")
    for stage, units in enumerate((8, 16, 24), 1):
        for block in range(2):
            stride = 2 if block == 0 else 1
            y = b.relu(conv(x, units // 2, 1), name=f"reduced{stage}{block}")
            y = conv(b.relu(conv(y, units // 2, stride=stride)), units, 1)
            shortcut = conv(x, units, 1, stride=2) if stride == 2 else x
            x = b.relu(b.node("Add", y, shortcut), name=f"stage{stage}_block{block}")
    return b.model(x if output == "map" else b.head(x))


def preactivation(final: bool = False) -> Model:
    """ResNet v2, or with `final` NFNet: a last expansion behind the stages."""
    b = Builder(("N", 3, 64, 64))
    x = b.conv(b.image, 4, stride=2, name="stem")
    for stage, units in enumerate((8, 16), 1):
        for block in range(2):
            stride = 2 if block == 0 else 1
            scale = b.node("Mul", x, b.constant(np.full((b.units[x], 1, 1), 1.1)))
            pre = b.relu(
                b.node("Add", scale, b.constant(np.full((b.units[x], 1, 1), 0.1))), name=f"pre{stage}{block}"
            )
            y = b.conv(b.relu(b.conv(pre, units // 2, 1)), units, stride=stride)
            shortcut = b.conv(pre, units, 1, stride=2) if stride == 2 else x
            x = b.node("Add", y, shortcut, name=f"stage{stage}_sum{block}")
    x = b.relu(b.conv(x, 32, 1), name="wide") if final else b.relu(x, name="end")
    return b.model(b.head(x))


def inverted(hidden: bool = False, size: int = 64) -> Model:
    """MobileNetV2, or with `hidden` the head of MobileNetV3: a layer of its own behind the pooling."""
    b = Builder(("N", 3, size, size))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    x = b.conv(depthwise(b, x), 4, 1, name="stage1")
    for stage, units in enumerate((6, 8), 2):
        for block in range(2):
            y = depthwise(b, b.relu(b.conv(x, 4 * b.units[x], 1)), stride=2 if block == 0 else 1)
            y = b.conv(y, units, 1, name=f"linear{stage}_{block}")
            x = b.node("Add", x, y, name=f"stage{stage}") if block else y
    x = b.conv(depthwise(b, b.relu(b.conv(x, 32, 1))), 12, 1, name="last_block")
    x = b.relu(b.conv(x, 48, 1), name="wide")
    if hidden:
        x = b.node("GlobalAveragePool", x)
        x = b.relu(b.conv(x, 16, 1))
    return b.model(b.head(x))


def universal() -> Model:
    """MobileNetV4: a stage of convolutions, then blocks that filter before they expand."""
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    x = b.relu(b.conv(b.relu(b.conv(x, 8, stride=2)), 6, 1), name="stage1")
    for block in range(3):
        y = b.conv(x, b.units[x], group=b.units[x])
        y = b.relu(b.conv(y, 4 * b.units[x], 1))
        y = b.conv(depthwise(b, y, stride=1 if block else 2), 8, 1)
        x = b.node("Add", x, y, name=f"stage2_block{block}") if block else y
    return b.model(b.head(x))


def fused() -> Model:
    """EfficientNetV2: a convolution without expansion, then expansions that filter at once."""
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 8, stride=2), name="stem")
    x = b.relu(b.conv(x, 4), name="stage1")
    for block in range(3):
        y = b.conv(b.relu(b.conv(x, 4 * b.units[x], stride=1 if block else 2)), 6, 1)
        x = b.node("Add", x, y, name=f"stage2_block{block}") if block else y
    return b.model(b.head(x))


def shuffle() -> Model:
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 8, stride=2), name="stem")
    for stage in (1, 2):
        left = b.relu(b.conv(depthwise(b, x, 2), 8, 1))
        right = b.relu(b.conv(depthwise(b, b.relu(b.conv(x, 8, 1)), 2), 8, 1))
        x = grow(b, b.node("Concat", left, right, axis=1, name=f"stage{stage}"), left, right)
    return b.model(b.head(x))


def squeezenet() -> Model:
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 8, stride=2), name="stem")
    x = b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
    for fire in (1, 2):
        squeezed = b.relu(b.conv(x, 4, 1))
        parts = [b.relu(b.conv(squeezed, 8, kernel)) for kernel in (1, 3)]
        x = grow(b, b.node("Concat", *parts, axis=1, name=f"fire{fire}"), *parts)
    x = b.relu(b.conv(x, 10, 1), name="classes")
    return b.model(b.node("Flatten", b.node("GlobalAveragePool", x)))


def backbone(b: Builder) -> list[str]:
    x = b.relu(b.conv(b.image, 4, stride=2), name="c1")
    levels = []
    for level, units in enumerate((6, 8, 12), 2):
        x = b.relu(b.conv(x, units, stride=2))
        x = b.relu(b.conv(x, units), name=f"c{level}")
        levels.append(x)
    return levels


def detector(lateral: bool = False) -> Model:
    """A path aggregation network: down, up and down again, with two heads a level."""
    b = Builder(("N", 3, 64, 64))
    c2, c3, c4 = backbone(b)
    top = b.relu(b.conv(c4, 8, 1), name="lateral") if lateral else c4
    mixed = b.node("Concat", up(b, top), c3, axis=1)
    p3 = b.relu(b.conv(grow(b, mixed, top, c3), 8), name="p3")
    mixed = b.node("Concat", up(b, p3), c2, axis=1)
    n2 = b.relu(b.conv(grow(b, mixed, p3, c2), 6), name="n2")
    down = b.relu(b.conv(n2, 6, stride=2))
    n3 = b.relu(b.conv(grow(b, b.node("Concat", down, p3, axis=1), down, p3), 8), name="n3")
    down = b.relu(b.conv(n3, 8, stride=2))
    n4 = b.relu(b.conv(grow(b, b.node("Concat", down, top, axis=1), down, top), 10), name="n4")
    outputs = []
    for level in (n2, n3, n4):
        for kind, units in (("box", 4), ("face", 1)):
            tower = b.relu(b.conv(level, 6), name=f"{kind}_tower_{level}")
            outputs.append(b.conv(tower, units, 1, name=f"{kind}_{level}"))
    return b.model(*outputs)


def weighed_pyramid() -> Model:
    """A pyramid whose laterals are linear, and add themselves weighed by their own mean."""
    b = Builder(("N", 3, 64, 64))

    def weighed(x: str) -> str:
        gate = b.node("Sigmoid", b.conv(b.node("GlobalAveragePool", x), b.units[x], 1))
        return b.node("Add", x, b.node("Mul", x, gate))

    c2, c3, c4 = backbone(b)
    laterals = [weighed(b.conv(level, 5, 1)) for level in (c2, c3, c4)]
    top = b.node("Add", up(b, laterals[2]), laterals[1])
    fine = b.node("Add", up(b, top), laterals[0])
    towers = [weighed(b.conv(x, 2)) for x in (fine, top, laterals[2])]
    coarse = b.node("Resize", towers[2], "", b.constant((1, 1, 4, 4), np.float32), mode="nearest")
    x = grow(b, b.node("Concat", towers[0], up(b, towers[1]), coarse, axis=1), *towers)
    return b.model(b.conv(x, 1, 1, name="mask"))


def branching_neck() -> Model:
    """A neck that begins with a cross-stage block at the trunk's resolution, as in PP-YOLOE."""
    b = Builder(("N", 3, 64, 64))
    _, c3, c4 = backbone(b)
    parts = [b.relu(b.conv(c4, 4, kernel)) for kernel in (1, 3)]
    x = b.relu(b.conv(grow(b, b.node("Concat", *parts, axis=1), *parts), 8, 1))
    x = b.relu(b.conv(x, 6, 1))
    x = grow(b, b.node("Concat", up(b, x), c3, axis=1), x, c3)
    return b.model(b.conv(x, 1, 1, name="mask"))


def unet() -> Model:
    b = Builder(("N", 3, 64, 64))
    c2, c3, c4 = backbone(b)
    x = b.relu(b.conv(grow(b, b.node("Concat", up(b, c4), c3, axis=1), c4, c3), 8), name="d3")
    x = b.relu(b.conv(grow(b, b.node("Concat", up(b, x), c2, axis=1), x, c2), 6), name="d2")
    return b.model(b.conv(x, 1, 1, name="mask"))


def single_shot() -> Model:
    """Extra levels of one strided convolution each behind the backbone, nothing goes up."""
    b = Builder(("N", 3, 128, 128))
    levels = backbone(b)[1:]
    x = levels[-1]
    for extra in (1, 2):
        x = b.relu(b.conv(b.relu(b.conv(x, 6, 1)), 8, stride=2), name=f"extra{extra}")
        levels.append(x)
    outputs = [b.conv(x, n, name=f"{kind}_{x}") for x in levels for kind, n in (("box", 4), ("class", 3))]
    return b.model(*outputs)


def pooled_pyramid() -> Model:
    """DeepLab: dilated branches and an image-level one, concatenated at the trunk's own resolution."""
    b = Builder(("N", 3, 64, 64))
    _, _, c4 = backbone(b)
    parts = [b.relu(b.conv(c4, 4, dilation=d, pads=(d,) * 4)) for d in (1, 2)]
    pooled = b.relu(b.conv(b.node("GlobalAveragePool", c4), 4, 1))
    parts.append(b.node("Resize", pooled, "", b.constant((1, 1, 4, 4), np.float32), mode="nearest"))
    x = grow(b, b.node("Concat", *parts, axis=1, name="aspp"), *parts)
    x = b.conv(b.relu(b.conv(x, 6, 1), name="projected"), 3, 1, name="classes")
    return b.model(up(b, x, name="segments"))


def proposals() -> Model:
    """A region proposal network leaves the trunk where the regions are cut from it."""
    b = Builder((1, 3, 64, 64))
    c4 = backbone(b)[-1]
    proposal = b.relu(b.conv(c4, 6), name="proposal")
    score, deltas = b.conv(proposal, 1, 1, name="score"), b.conv(proposal, 4, 1, name="deltas")
    regions = b.relu(b.conv(b.relu(b.conv(c4, 16)), 16), name="regions")
    outputs = [b.conv(regions, units, 1, name=f"region{units}") for units in (2, 3)]
    return b.model(score, deltas, *outputs)


def nested() -> Model:
    """Blocks that are U-Nets themselves and add their input, as in U2-Net."""
    b = Builder(("N", 3, 64, 64))
    x = b.image
    skips = []
    for level, units in enumerate((4, 6, 8), 1):
        x = b.relu(b.conv(x, units, stride=2))
        inner = b.relu(b.conv(x, units, stride=2), name=f"inner{level}")
        back = b.relu(b.conv(up(b, inner), units))
        x = b.node("Add", back, x, name=f"level{level}")
        skips.append(x)
    x = b.relu(b.conv(x, 10, stride=4, pads=(0, 0, 0, 0)), name="deepest")
    y = b.node("Resize", x, "", b.constant((1, 1, 4, 4), np.float32), mode="nearest")
    cropped = b.conv(skips[-1], 10, 1)
    return b.model(b.conv(grow(b, b.node("Concat", y, cropped, axis=1), x, cropped), 1, 1, name="mask"))


def isotropic(depth: int = 8) -> Model:
    b = Builder(("N", 3, 32, 32))
    x = b.conv(b.image, 4, 4, stride=4, pads=(0,) * 4, name="patches")
    for i in range(depth):
        y = b.conv(b.relu(b.conv(x, 4)), 4)
        x = b.node("Add", x, y, name=f"block{i + 1}")
    return b.model(b.head(x))


FAMILIES: dict[str, tuple[Callable[[], Model], list[str]]] = {
    "bottlenecks": (bottlenecks, ["stem", "stage1_block1", "stage2_block1", "stage3_block1"]),
    "backbone alone": (
        lambda: bottlenecks("map"),
        ["stem", "stage1_block1", "stage2_block1", "stage3_block1"],
    ),
    "bottlenecks of integers": (
        lambda: bottlenecks(integers=True),
        ["stem", "stage1_block1", "stage2_block1", "stage3_block1"],
    ),
    "pre-activation": (preactivation, ["pre10", "pre20", "end"]),
    "pre-activation, final expansion": (lambda: preactivation(final=True), ["pre10", "pre20", "wide"]),
    "inverted bottlenecks": (inverted, ["stage1", "stage2", "last_block"]),
    "inverted, hidden layer": (lambda: inverted(hidden=True), ["stage1", "stage2", "wide"]),
    "inverted, up to one cell": (lambda: inverted(size=8), ["stage1", "stage2"]),
    "filtered before expanded": (universal, ["stem", "stage1", "stage2_block2"]),
    "filtered and expanded at once": (fused, ["stage1", "stage2_block2"]),
    "shuffle": (shuffle, ["stem", "stage1", "stage2"]),
    "squeezenet": (squeezenet, ["stem", "fire2"]),
    "detector": (detector, ["c1", "c2", "c3", "c4"]),
    "detector with laterals": (lambda: detector(lateral=True), ["c1", "c2", "c3", "c4"]),
    "weighed pyramid": (weighed_pyramid, ["c1", "c2", "c3", "c4"]),
    "branching neck": (branching_neck, ["c1", "c2", "c3", "c4"]),
    "u-net": (unet, ["c1", "c2", "c3", "c4"]),
    "single shot": (single_shot, ["c1", "c2", "c3", "c4"]),
    "pooled pyramid": (pooled_pyramid, ["c1", "c2", "c3", "c4"]),
    "proposals": (proposals, ["c1", "c2", "c3", "c4"]),
    "isotropic": (isotropic, ["block2", "block4", "block6", "block8"]),
}


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Model], Network]:
    return lambda model: load_network(save(model, tmp_path / "model.onnx"))


@pytest.mark.parametrize("family", FAMILIES)
def test_stages_are_the_block_outputs_of_the_trunk(load: Any, family: str) -> None:
    build, stages = FAMILIES[family]
    network = load(build())
    assert chosen(network, "stages") == stages
    assert chosen(network, "last") == stages[-1:]
    assert [layer.stage for layer in network.select(["stages"])] == list(range(1, len(stages) + 1))


def test_blocks_that_go_up_inside_are_passed(load: Any) -> None:
    found = chosen(load(nested()), "stages")
    assert found[:3] == ["level1", "level2", "level3"]
    assert found[-1] == "deepest"


def test_neck_and_heads_have_selectors_of_their_own(load: Any) -> None:
    network = load(detector())
    assert chosen(network, "neck") == ["n2", "n3", "n4"]
    heads = [f"{kind}_{level}" for level in ("n2", "n3", "n4") for kind in ("box", "face")]
    assert chosen(network, "heads") == heads
    parts = {layer.name: layer.part for layer in network.layers}
    assert (parts["c4"], parts["p3"], parts["n4"]) == ("trunk", "neck", "neck")
    assert (parts["box_tower_n3"], parts["face_n4"]) == ("head", "head")


def test_a_decoder_is_a_neck(load: Any) -> None:
    network = load(unet())
    assert chosen(network, "neck") == ["d3", "d2"]
    assert chosen(network, "heads") == ["mask"]


def test_a_decoder_behind_integers_is_a_neck(load: Any) -> None:
    b = Builder(("N", 3, 64, 64))
    fine = b.relu(integer_conv(b, b.image, 4, stride=2), name="c1")
    coarse = b.relu(integer_conv(b, fine, 8, stride=2), name="c2")
    x = grow(b, b.node("Concat", up(b, coarse), fine, axis=1), coarse, fine)
    x = b.relu(integer_conv(b, x, 6), name="d1")
    network = load(b.model(integer_conv(b, x, 1, 1)))
    assert chosen(network, "stages") == ["c1", "c2"]
    assert chosen(network, "neck") == ["d1"]


def test_a_classifier_has_no_neck(load: Any) -> None:
    network = load(bottlenecks())
    with pytest.raises(LayerNotFoundError, match="no neck"):
        network.select(["neck"])
    assert chosen(network, "heads") == ["logits"]
