"""Tokens convolved along their row, and padded: the grid is found where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from support.models import Builder, images, run_whole, save

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import Network, load_network, open_session

UNITS, GRID = 8, (4, 6)
LENGTH = GRID[0] * GRID[1]


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def start() -> tuple[Builder, str]:
    """Patches of 4 pixels as (N, C, T)."""
    b = Builder((1, 3, 4 * GRID[0], 4 * GRID[1]), positive=True)
    x = b.conv("image", UNITS, 4, stride=4, pads=(0, 0, 0, 0), name="patches")
    x = b.node("Reshape", x, ints(b, 0, UNITS, -1))
    b.units[x] = UNITS
    return b, x


def along(b: Builder, x: str, taps: int, pads: tuple[int, int], **attributes: Any) -> str:
    group = attributes.get("group", 1)
    weight = b.weight((UNITS, UNITS // group, taps))
    return b.node("Conv", x, weight, kernel_shape=(taps,), pads=pads, **attributes)


def finish(b: Builder, x: str) -> onnx.ModelProto:
    return b.model(b.node("Relu", b.node("Transpose", x, perm=(0, 2, 1)), name="tokens"))


def load(model: onnx.ModelProto, folder: Path) -> Network:
    return load_network(save(model, folder / "m.onnx"))


def responses(network: Network) -> NDArray[np.float64]:
    """Middle of the tokens that a patch changes, along the row, as cells of the picture: (patches,)."""
    (base,) = run_whole(network.path, ["tokens"], np.zeros((1, 3, 16, 24), np.float32))
    found = []
    for patch in range(LENGTH):
        picture = np.zeros((1, 3, 16, 24), np.float32)
        row, column = divmod(patch, GRID[1])
        picture[..., 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1
        (after,) = run_whole(network.path, ["tokens"], picture)
        moved = np.flatnonzero(np.abs(after - base).max(axis=(0, 2)) > 1e-6)
        found.append((moved[0] + moved[-1]) / 2)
    return np.array(found)


@pytest.mark.parametrize(
    ("taps", "pads", "attributes"),
    [
        (1, (0, 0), {}),
        (3, (1, 1), {}),
        (3, (1, 1), {"group": UNITS}),
        (5, (4, 4), {"dilations": (2,)}),
        (3, (2, 0), {}),
        (4, (3, 0), {}),
        (4, (1, 2), {}),
    ],
)
def test_convolutions_along_the_row_keep_the_grid(
    tmp_path: Path, taps: int, pads: tuple[int, int], attributes: dict[str, Any]
) -> None:
    b, x = start()
    network = load(finish(b, along(b, x, taps, pads, **attributes)), tmp_path)
    (layer,) = network.select(["tokens"])
    assert (layer.layout, layer.grid, layer.skipped) == ("NTC", GRID, (0, 0))
    field = layer.receptive_field
    assert field is not None
    assert (field.size is None) == (taps > 1)
    assert (field.stride, field.offset[0]) == ((4.0, 4.0), 1.5)
    # where a patch is heard by the tokens around place p, token t hears the patches around t - (p - patch)
    inner = slice(8, -8)
    heard = np.median((responses(network) - np.arange(LENGTH))[inner])
    assert field.offset[1] == 1.5 - 4 * heard
    batch = images(network, 2)
    (maps,) = open_session(network, [layer], verify=batch)(batch)
    (whole,) = run_whole(network.path, ["tokens"], batch[:1])
    np.testing.assert_allclose(maps[:1], whole.transpose(0, 2, 1).reshape(1, UNITS, *GRID), rtol=1e-4)


@pytest.mark.parametrize("way", ["sliced behind", "padded before"])
def test_causal_convolutions(tmp_path: Path, way: str) -> None:
    """Each token hears itself and the three before it."""
    b, x = start()
    if way == "sliced behind":
        x = b.node("Slice", along(b, x, 4, (3, 3)), ints(b, 0), ints(b, LENGTH), ints(b, 2))
    else:
        x = along(b, b.node("Pad", x, ints(b, 0, 0, 3, 0, 0, 0)), 4, (0, 0))
    network = load(finish(b, x), tmp_path)
    (layer,) = network.select(["tokens"])
    field = layer.receptive_field
    assert (layer.grid, layer.skipped) == (GRID, (0, 0))
    assert field is not None
    assert field.offset == (1.5, 1.5 - 4 * 1.5)
    np.testing.assert_array_equal(responses(network)[:-3] - np.arange(LENGTH - 3), 1.5)


@pytest.mark.parametrize(("before", "behind"), [(0, 8), (8, 0), (3, 5), (0, 1)])
def test_padded_tokens(tmp_path: Path, before: int, behind: int) -> None:
    b, x = start()
    x = b.node("Transpose", x, perm=(0, 2, 1))
    padded = b.node("Pad", x, ints(b, 0, before, 0, 0, behind, 0))
    mixed = b.node("MatMul", padded, b.weight((UNITS, UNITS)), name="mixed")
    cut = b.node("Slice", mixed, ints(b, before), ints(b, before + LENGTH), ints(b, 1))
    cut_by_pad = b.node("Pad", mixed, ints(b, 0, -before, 0, 0, -behind, 0))
    b.relu(b.node("Add", cut, cut_by_pad), name="back")
    network = load(b.model("back"), tmp_path)
    mixed_layer, back = network.select(["mixed"])[0], network.select(["back"])[0]
    assert (mixed_layer.grid, mixed_layer.skipped) == (GRID, (before, behind))
    assert (back.grid, back.skipped) == (GRID, (0, 0))
    assert mixed_layer.receptive_field == back.receptive_field
    batch = images(network, 1)
    maps = open_session(network, [mixed_layer, back], verify=batch)(batch)
    whole = run_whole(network.path, ["mixed", "back"], batch)
    for found, tokens, first in zip(maps, whole, (before, 0), strict=True):
        expected = tokens[:, first : first + LENGTH].transpose(0, 2, 1).reshape(1, UNITS, *GRID)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_pad_that_cuts_into_the_grid_leaves_it_open(tmp_path: Path) -> None:
    b, x = start()
    x = b.node("Pad", x, ints(b, 0, 0, 2, 0, 0, -2))
    with pytest.raises(LayerLayoutError, match="Pad leaves open"):
        load(finish(b, x), tmp_path).select(["tokens"])


@pytest.mark.parametrize(("taps", "pads", "strides"), [(3, (0, 0), (1,)), (2, (0, 0), (2,))])
def test_a_convolution_that_loses_tokens_leaves_them_open(
    tmp_path: Path, taps: int, pads: tuple[int, int], strides: tuple[int]
) -> None:
    b, x = start()
    with pytest.raises(LayerLayoutError):
        load(finish(b, along(b, x, taps, pads, strides=strides)), tmp_path).select(["tokens"])


def test_tokens_mixed_with_each_other_by_a_convolution(tmp_path: Path) -> None:
    """An MLP over the tokens, written as convolutions whose channels are tokens, beside its shortcut."""
    b, x = start()
    x = b.relu(b.node("Transpose", x, perm=(0, 2, 1)), name="before")
    y = b.node("Conv", x, b.weight((16, LENGTH, 1)), kernel_shape=(1,))
    y = b.node("Conv", b.relu(y, name="hidden"), b.weight((LENGTH, 16, 1)), kernel_shape=(1,))
    b.relu(b.node("Add", x, y), name="sum")
    network = load(b.model("sum"), tmp_path)
    (layer,) = network.select(["sum"])
    assert (layer.layout, layer.grid) == ("NTC", GRID)
    assert layer.receptive_field is not None
    assert (layer.receptive_field.offset, layer.receptive_field.size) == ((1.5, 1.5), None)
    with pytest.raises(LayerLayoutError):
        network.select(["hidden"])
