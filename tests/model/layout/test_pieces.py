"""Values cut into pieces, normalised piece by piece, and put together: maps again, if in the same order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.models import Builder, images, run_whole, save

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import load_network, open_session

UNITS, GROUPS, SIDE = 8, 4, 8
CELLS = UNITS // GROUPS * SIDE * SIDE
Way = Callable[[Builder, str], tuple[list[str], int]]


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def normalise(b: Builder, x: str, axes: tuple[int, ...]) -> str:
    centred = b.node("Sub", x, b.node("ReduceMean", x, axes=axes))
    variance = b.node("ReduceMean", b.node("Mul", centred, centred), axes=axes)
    return b.node("Div", centred, b.node("Sqrt", b.node("Add", variance, b.constant(1e-5))))


def split_cubes(b: Builder, x: str) -> tuple[list[str], int]:
    r = b.node("Reshape", x, ints(b, 0, GROUPS, UNITS // GROUPS, SIDE, SIDE))
    parts = b.nodes("Split", r, names=[f"part{i}" for i in range(GROUPS)], axis=1)
    return [normalise(b, part, (2, 3, 4)) for part in parts], 1


def split_rows(b: Builder, x: str) -> tuple[list[str], int]:
    r = b.node("Reshape", x, ints(b, 0, GROUPS, -1))
    parts = b.nodes("Split", r, names=[f"part{i}" for i in range(GROUPS)], axis=-2)
    return [normalise(b, part, (2,)) for part in parts], -2


def sliced_rows(b: Builder, x: str) -> tuple[list[str], int]:
    r = b.node("Reshape", x, ints(b, 0, GROUPS, -1))
    parts = [b.node("Slice", r, *(ints(b, n) for n in (i, i + 1, 1))) for i in range(GROUPS)]
    return [normalise(b, part, (2,)) for part in parts], 1


def gathered_cubes(b: Builder, x: str) -> tuple[list[str], int]:
    r = b.node("Reshape", x, ints(b, 0, GROUPS, UNITS // GROUPS, SIDE, SIDE))
    parts = [b.node("Gather", r, b.constant(i, np.int64), axis=1) for i in range(GROUPS)]
    return [b.node("Unsqueeze", normalise(b, part, (1, 2, 3)), ints(b, 1)) for part in parts], 1


def uneven(b: Builder, x: str) -> tuple[list[str], int]:
    r = b.node("Reshape", x, ints(b, 0, GROUPS, -1))
    parts = b.nodes("Split", r, ints(b, 1, 3), names=["one", "three"], axis=1)
    return [normalise(b, part, (2,)) for part in parts], 1


def reshaped_within(b: Builder, x: str) -> tuple[list[str], int]:
    r = b.node("Reshape", x, ints(b, 0, GROUPS, UNITS // GROUPS, SIDE, SIDE))
    parts = b.nodes("Split", r, names=[f"part{i}" for i in range(GROUPS)], axis=1)
    rows = [normalise(b, b.node("Reshape", part, ints(b, 0, 1, -1)), (2,)) for part in parts]
    return [b.node("Reshape", row, ints(b, 0, 1, UNITS // GROUPS, SIDE, SIDE)) for row in rows], 1


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (split_cubes, split_rows, sliced_rows, gathered_cubes, uneven, reshaped_within)
}


@pytest.mark.parametrize("way", list(WAYS))
def test_groups_normalised_one_by_one(tmp_path: Path, way: str) -> None:
    b = Builder()
    x = b.conv("image", UNITS, stride=4, name="before")
    parts, axis = WAYS[way](b, x)
    y = b.node("Concat", *parts, axis=axis)
    y = b.relu(b.node("Reshape", y, ints(b, 0, UNITS, SIDE, SIDE), name="normal"), name="active")
    b.units[y] = UNITS
    path = save(b.model(b.head(b.relu(b.conv(y, 4), name="deep"))), tmp_path / "m.onnx")
    network = load_network(path)
    before, active = network.select(["before"])[0], network.select(["active"])[0]
    assert (active.layout, active.receptive_field) == ("NCHW", before.receptive_field)
    assert active.receptive_field is not None
    assert network.select(["deep"])[0].receptive_field is not None
    batch = images(network, 2)
    (maps,) = open_session(network, [active], verify=batch)(batch)
    (expected,) = run_whole(path, ["active"], batch)
    np.testing.assert_allclose(maps, expected, atol=1e-5)


@pytest.mark.parametrize("fault", ["swapped", "twice", "left out", "other axis", "moved"])
def test_pieces_in_another_order_are_not_taken_back(tmp_path: Path, fault: str) -> None:
    b = Builder()
    x = b.conv("image", UNITS, stride=4, name="before")
    parts, axis = split_rows(b, x)
    parts = {
        "swapped": [parts[1], parts[0], *parts[2:]],
        "twice": [parts[0], parts[0], *parts[2:]],
        "left out": parts[:2],
        "other axis": parts,
        "moved": [b.node("CumSum", part, b.constant(2, np.int64)) for part in parts],
    }[fault]
    y = b.node("Concat", *parts, axis=2 if fault == "other axis" else axis)
    units = UNITS // 2 if fault == "left out" else UNITS
    b.node("Reshape", y, ints(b, -1, units, SIDE, SIDE), name="mixed")
    network = load_network(save(b.model("mixed"), tmp_path / "m.onnx"))
    with pytest.raises(LayerLayoutError):
        network.select(["mixed"])
