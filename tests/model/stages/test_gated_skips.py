"""Encoders whose skips are gated by a coarser map, and branches that weigh each other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from support.families import Model, chosen, depthwise, grow, up
from support.models import Builder, save

from onnxdissect.model import load_network

UNITS = (4, 6, 8, 10)


def encoder(b: Builder, blocks: bool) -> list[str]:
    """Maps of every level, coarsest last, made by convolutions and pools or by residual blocks."""
    x, handed = b.image, []
    for level, units in enumerate(UNITS):
        if blocks:
            x = b.relu(b.conv(x, units, stride=2))
            x = b.relu(b.node("Add", b.conv(b.relu(b.conv(x, units)), units), x), name=f"e{level}")
        else:
            if level:
                x = b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
            x = b.relu(b.conv(b.relu(b.conv(x, units)), units), name=f"e{level}")
        handed.append(x)
    return handed


def weighed(b: Builder, x: str, scores: str, name: str | None = None) -> str:
    return b.node("Mul", x, b.node("Sigmoid", scores), name=name)


def gated(b: Builder, skip: str, deep: str, raised: str, way: str) -> str:
    """Skip, weighed by one unit that the deeper map has a part in, raised or as it is."""
    units = b.units[skip]
    if way == "raised alone":
        return weighed(b, skip, b.conv(raised, 1, 1))
    if way == "itself":
        return weighed(b, skip, b.conv(skip, 1, 1))
    if way == "coarse":
        both = b.node("Add", b.conv(skip, units, 2, stride=2, pads=(0,) * 4), b.conv(deep, units, 1))
        return b.conv(weighed(b, skip, up(b, b.conv(b.relu(both), 1, 1))), units, 1)
    both = b.node("Add", b.conv(skip, 3, 1), b.conv(raised, 3, 1))
    y = weighed(b, skip, b.conv(b.relu(both), 1, 1))
    return b.node("Add", skip, y) if way == "beside itself" else y


def attention_unet(way: str, blocks: bool) -> Model:
    """U-Net whose skips are gated before they are concatenated."""
    b = Builder((1, 3, 64, 64))
    maps = encoder(b, blocks)
    x = maps[-1]
    for level in reversed(range(3)):
        raised = up(b, x) if way == "coarse" else b.relu(b.conv(up(b, x), UNITS[level]))
        skip = gated(b, maps[level], x, raised, way)
        x = grow(b, b.node("Concat", skip, raised, axis=1), skip, raised)
        x = b.relu(b.conv(x, UNITS[level]), name=f"d{level}")
    return b.model(b.conv(x, 2, 1, name="classes"))


def guided_aggregation() -> Model:
    """BiSeNetV2: a deep branch and a shallow one from the image, which weigh each other at two grids."""
    b = Builder((1, 3, 64, 64))
    fine = b.image
    for level, units in enumerate((6, 8, 10)):
        fine = b.relu(b.conv(b.relu(b.conv(fine, units, stride=2)), units), name=f"shallow{level}")
    deep = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for level, units in enumerate(UNITS):
        deep = b.relu(b.conv(deep, units, stride=2))
        deep = b.relu(b.node("Add", b.conv(b.relu(b.conv(deep, units)), units), deep), name=f"e{level}")
    left = weighed(b, b.conv(fine, 10, 1), up(b, up(b, b.conv(deep, 10))))
    small = b.conv(b.conv(fine, 10, stride=2), 10, stride=2)
    right = weighed(b, small, b.conv(depthwise(b, deep), 10, 1), name="dright")
    x = b.node("Add", left, up(b, up(b, right)))
    return b.model(b.conv(b.relu(b.conv(x, 10), name="d"), 2, 1, name="classes"))


def masked() -> Model:
    """Blocks that are weighed by a mask from a way down and up inside each, on the way down."""
    b = Builder((1, 3, 64, 64))
    x = b.image
    for level, units in enumerate(UNITS):
        x = b.relu(b.conv(b.relu(b.conv(x, units, stride=2)), units), name=f"e{level}")
        mask = up(b, b.relu(b.conv(b.relu(b.conv(x, units, stride=2)), units)))
        x = weighed(b, x, b.conv(mask, units, 1))
    return b.model(b.conv(up(b, b.conv(x, 6, 1)), 2, name="classes"))


ENCODER = ["e0", "e1", "e2", "e3"]

FAMILIES: dict[str, tuple[Callable[[], Model], list[str]]] = {
    **{
        f"{way}, {'blocks' if blocks else 'plain'}": (functools.partial(attention_unet, way, blocks), ENCODER)
        for way in ("raised", "raised alone", "beside itself", "coarse", "itself")
        for blocks in (False, True)
    },
    "branches that weigh each other": (guided_aggregation, ["stem", *ENCODER]),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_ends_at_its_deepest_map(tmp_path: Path, family: str) -> None:
    build, stages = FAMILIES[family]
    network = load_network(save(build(), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == stages
    assert chosen(network, "last") == stages[-1:]


@pytest.mark.parametrize("family", FAMILIES)
def test_its_decoder_is_a_neck(tmp_path: Path, family: str) -> None:
    network = load_network(save(FAMILIES[family][0](), tmp_path / "model.onnx"))
    made = [layer.name for layer in network.layers if layer.name.startswith("d")]
    assert made
    assert {layer.part for layer in network.layers if layer.name in made} == {"neck"}


@pytest.mark.parametrize("way", ["raised", "coarse"])
def test_a_gate_is_no_end_of_a_neck(tmp_path: Path, way: str) -> None:
    network = load_network(save(attention_unet(way, blocks=False), tmp_path / "model.onnx"))
    assert sorted(chosen(network, "neck")) == ["d0", "d1", "d2"]


def test_a_mask_that_others_follow_is_inside_its_block(tmp_path: Path) -> None:
    network = load_network(save(masked(), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ENCODER
