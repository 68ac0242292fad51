"""The rule of places on small networks of many families, layer by layer and along both axes."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import Builder, save
from support.probing import impulses, inspect

from onnxdissect.model import Network, load_network

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

architectures: Any = import_module("architectures")
families: Any = import_module("families")

# what is nowhere in particular: a mean of the image that was spread out again
UNPLACED = {"DeepLab, linear": 1, "DeepLab, corners": 1}
# what attention over the whole image hands on before it is added to the query, and the softmax's weights
EVERYWHERE = {"ViT": 4}


def drawn(folder: Path, family: str, **options: Any) -> Network:
    return load_network(save(architectures.draw(family, 0, positive=True, **options), folder / "m.onnx"))


# U2-Net halves its maps by pools of two, which need no padding
PADDED = [(family, same) for family in architectures.FAMILIES for same in (False, True)]
PADDED.remove(("U2-Net", True))


@pytest.mark.parametrize(("family", "same"), PADDED)
def test_every_layer_responds_where_the_rule_has_it(family: str, same: bool, tmp_path: Path) -> None:
    """Mirrored weights that cannot cancel, on an image that is wider than high."""
    network = drawn(tmp_path, family, same=same)
    placed, unplaced = families.placed_and_not(network)
    apart = families.distances(network, placed, 0)
    assert len(unplaced) == UNPLACED.get(family, 0)
    assert np.isnan(apart).any(axis=1).sum() == EVERYWHERE.get(family, 0)
    beyond = np.nan_to_num(np.abs(apart)).max(axis=1) > 0.5
    assert not beyond.any(), [
        (layer.name, *cells) for layer, cells, far in zip(placed, apart, beyond, strict=True) if far
    ]


def test_a_shifted_rule_would_be_noticed(tmp_path: Path) -> None:
    network = drawn(tmp_path, "U-Net, nearest")
    placed, _ = families.placed_and_not(network)
    for side in (-1, 1):
        wrong = []
        for layer in placed:
            rule = layer.receptive_field
            assert rule is not None
            down, across = (o + side * s for o, s in zip(rule.offset, rule.stride, strict=True))
            wrong.append(replace(layer, receptive_field=replace(rule, offset=(down, across))))
        assert np.all(np.abs(families.distances(network, wrong, 0)) > 0.5)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_skip_beside_aligned_corners_keeps_its_place(levels: int) -> None:
    """Aligned corners make cells nearer to each other than the skip's, which says where they are."""
    b = Builder((81, 3, 32, 48), positive=True)
    skips = [b.conv(b.image, 4)]
    for _ in range(levels):
        skips.append(b.conv(skips[-1], 4, stride=2))
    x = skips.pop()
    for skip in reversed(skips):
        scales = b.constant((1, 1, 2, 2), np.float32)
        x = b.node("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="align_corners")
        b.units[x] = 4
        x = b.node("Add", b.conv(x, 4), skip)
    model = b.model(b.node("Identity", x))
    field = inspect(model, x).receptive_field
    assert field is not None and field.size is not None
    assert [*field.offset, *field.stride] == [0, 0, 1, 1]
    for axis, moved in enumerate(impulses(x, model)):
        # skip and coarse branch run from each other along the map: no cell sees beyond the stated size
        for cell in range(moved.shape[1]):
            rows = np.flatnonzero(moved[:, cell])
            assert rows[-1] - rows[0] + 1 <= field.size[axis]


def test_maps_that_run_away_from_each_other_have_no_place() -> None:
    """A map that covers half the image beside one that covers all of it."""
    b = Builder((1, 3, 32, 32), positive=True)
    whole = b.conv(b.image, 4, stride=2)
    half = b.node("Slice", b.conv(b.image, 4), *(b.constant(n, np.int64) for n in ([0, 0], [16, 16], [2, 3])))
    x = b.node("Add", whole, half)
    model = b.model(b.node("Identity", x))
    assert inspect(model, x).receptive_field is None


def test_attention_over_a_grid_of_unequal_sides(tmp_path: Path) -> None:
    network = drawn(tmp_path, "MaxViT", size=(64, 96))
    placed, unplaced = families.placed_and_not(network)
    assert not unplaced
    assert np.nan_to_num(np.abs(families.distances(network, placed, 0))).max() <= 0.5
