"""Encoders and decoders joined by sums or by places of pools: the trunk ends at the deepest map."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from support.families import Model, chosen, up
from support.models import Builder, save

from onnxdissect.model import load_network

UNITS = (4, 6, 8, 10)


def encoder(b: Builder, levels: int, blocks: bool) -> list[str]:
    """Maps of every level, coarsest last, made by plain convolutions or residual blocks."""
    x, handed = b.relu(b.conv(b.image, UNITS[0]), name="stem"), []
    for level, units in enumerate(UNITS[:levels]):
        x = b.relu(b.conv(x, units, stride=2))
        y = b.conv(b.relu(b.conv(x, units)), units)
        x = b.relu(b.node("Add", x, y) if blocks else y, name=f"e{level}")
        handed.append(x)
    return handed


def raised(b: Builder, x: str, units: int, way: str) -> str:
    """Map of twice the rows and columns and fewer units."""
    if way == "resized":
        return b.conv(up(b, x), units, 1)
    if way == "sub-pixels":
        y = b.node("DepthToSpace", b.conv(x, 4 * units, 1), blocksize=2, mode="CRD")
    else:
        y = b.node("ConvTranspose", x, b.weight((b.units[x], units, 2, 2)), strides=(2, 2))
    b.units[y] = units
    return y


def additive(
    way: str = "spread", blocks: bool = True, levels: int = 4, fine: int = 0, picture: bool = False
) -> Model:
    """LinkNet or NAFNet, with convolutions at the finest resolution behind it, or a sum with the picture."""
    b = Builder((1, 3, 64, 64))
    maps = encoder(b, levels, blocks)
    x = maps[-1]
    for level in reversed(range(levels - 1)):
        x = b.node("Add", raised(b, x, UNITS[level], way), maps[level])
        x = b.relu(b.conv(x, UNITS[level]), name=f"d{level}")
    x = raised(b, x, 4, way)
    for _ in range(fine):
        x = b.relu(b.conv(x, 16))
    x = b.conv(x, 3, name="restored")
    return b.model(b.node("Add", x, b.image) if picture else x)


def round_a_unet() -> Model:
    """A shortcut round a whole U-Net that concatenates."""
    b = Builder((1, 3, 64, 64))
    maps = encoder(b, 4, blocks=False)
    x = maps[-1]
    for level in reversed(range(3)):
        y = raised(b, x, UNITS[level], "resized")
        joined = b.node("Concat", y, maps[level], axis=1)
        b.units[joined] = 2 * UNITS[level]
        x = b.relu(b.conv(joined, UNITS[level]), name=f"d{level}")
    return b.model(b.node("Add", b.conv(raised(b, x, 4, "resized"), 3), b.image))


def unpooled(levels: int = 4) -> Model:
    """SegNet: the decoder puts values where the encoder's pools found theirs."""
    b = Builder((1, 3, 64, 64))
    x, places = b.image, []
    for level, units in enumerate(UNITS[:levels]):
        x = b.relu(b.conv(b.relu(b.conv(x, units)), units), name=f"e{level}")
        names = (f"pooled{level}", f"places{level}")
        x, place = b.nodes("MaxPool", x, names=names, kernel_shape=(2, 2), strides=(2, 2))
        places.append(place)
    for level in reversed(range(levels)):
        y = b.node("MaxUnpool", x, places[level], kernel_shape=(2, 2), strides=(2, 2))
        x = b.relu(b.conv(y, UNITS[max(level - 1, 0)]), name=f"d{level}")
    return b.model(b.conv(x, 2, name="classes"))


def stacked_round() -> Model:
    """Hourglasses with plain shortcuts round each, behind which the same begins again."""
    b = Builder((1, 3, 64, 64))
    x, outputs = b.relu(b.conv(b.image, 6, stride=2), name="stem"), []
    for step in range(3):
        down = b.relu(b.conv(x, 6, stride=2))
        deep = b.relu(b.conv(b.relu(b.conv(down, 6, stride=2)), 6))
        y = b.node("Add", b.conv(down, 6), up(b, deep))
        x = b.node("Add", x, up(b, b.relu(b.conv(y, 6))), name=f"glass{step}")
        outputs.append(b.conv(b.relu(b.conv(x, 6)), 3, 1))
    return b.model(*outputs)


ENCODER = ["e0", "e1", "e2", "e3"]
STEM = ["stem", *ENCODER]

FAMILIES: dict[str, tuple[Callable[[], Model], list[str]]] = {
    **{
        f"{way}, {'blocks' if blocks else 'plain'}": (functools.partial(additive, way, blocks), STEM)
        for way in ("spread", "sub-pixels", "resized")
        for blocks in (False, True)
    },
    "three levels": (lambda: additive(levels=3), STEM[:4]),
    "most work at the finest resolution": (lambda: additive(fine=3), STEM),
    "added to the picture": (lambda: additive("sub-pixels", picture=True), STEM),
    "round a u-net": (round_a_unet, STEM),
    "unpooled": (unpooled, ENCODER),
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


def test_a_module_that_others_follow_is_a_block(tmp_path: Path) -> None:
    network = load_network(save(stacked_round(), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["glass1"]


def test_a_pool_that_is_only_put_back_is_no_end_of_a_neck(tmp_path: Path) -> None:
    network = load_network(save(unpooled(), tmp_path / "model.onnx"))
    assert chosen(network, "neck") == ["d3", "d2", "d1", "d0"]
