"""Tokens unrolled into blocks of blocks: maps again where their cells come back to the picture's order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from support.models import Builder, images, run_whole, save

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import load_network, open_session
from onnxdissect.model.layers.coverage_warnings import order_warnings

UNITS = 8


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def reshaped(b: Builder, x: str, *shape: int, name: str | None = None) -> str:
    return b.node("Reshape", x, ints(b, *shape), name=name)


def perceptron(b: Builder, x: str, name: str) -> str:
    hidden = b.node("Relu", b.node("MatMul", x, b.weight((UNITS, UNITS))), name=f"{name}/hidden")
    return b.node("Add", x, b.node("MatMul", hidden, b.weight((UNITS, UNITS))), name=name)


def attention(b: Builder, x: str, blocks: int, cells: int) -> str:
    """Within blocks: tokens (N, cells * blocks, C), the blocks counted last."""
    heads, size = 2, UNITS // 2
    y = b.node("MatMul", x, b.weight((UNITS, 3 * UNITS)))
    y = b.node("Transpose", reshaped(b, y, 1, cells, blocks, 3, heads, size), perm=(3, 0, 4, 2, 1, 5))
    query, key, value = (b.node("Gather", y, b.constant(i, np.int64), axis=0) for i in range(3))
    weights = b.node(
        "Softmax", b.node("MatMul", query, b.node("Transpose", key, perm=(0, 1, 2, 4, 3))), axis=-1
    )
    y = b.node("Transpose", b.node("MatMul", weights, value), perm=(0, 3, 2, 1, 4))
    return b.node("Add", x, b.node("MatMul", reshaped(b, y, 1, -1, UNITS), b.weight((UNITS, UNITS))))


def patches(h: int, w: int) -> tuple[Builder, str]:
    b = Builder((1, 3, 4 * h, 4 * w), positive=True)
    x = b.conv("image", UNITS, 4, stride=4, pads=(0, 0, 0, 0))
    return b, b.relu(b.node("Transpose", reshaped(b, x, 1, UNITS, -1), perm=(0, 2, 1)), name="tokens")


UNROLL, REROLL, WINDOWS = (0, 2, 4, 1, 3, 5), (0, 3, 1, 4, 2, 5, 6), (0, 1, 3, 2, 4, 5)


def reroll(b: Builder, x: str, levels: int, rows: int, columns: int, name: str, last: tuple[int, ...]) -> str:
    """From tokens in mask units, block of blocks, to the map (N, h, w, C)."""
    side, left = 1, 4**levels * rows * columns
    for _ in range(levels):
        left //= 4
        x = b.node("Transpose", reshaped(b, x, 1, 2, 2, left, side, side, UNITS), perm=REROLL)
        side *= 2
        x = reshaped(b, x, 1, left, side, side, UNITS)
    x = b.node("Transpose", reshaped(b, x, 1, rows, columns, side, side, UNITS), perm=last)
    return reshaped(b, x, 1, rows * side, columns * side, UNITS, name=name)


def hiera(
    h: int, w: int, *, attends: bool = False, pool: str = "ReduceMax", last: tuple[int, ...] = WINDOWS
) -> onnx.ModelProto:
    """Two levels of mask units, pooled over one after the other, each level rerolled to a map."""
    b, x = patches(h, w)
    rows, columns, batch = h, w, 1
    for _ in range(2):
        rows, columns = rows // 2, columns // 2
        x = reshaped(b, x, batch, rows, 2, columns, 2, UNITS)
        x = b.node("Transpose", x, perm=UNROLL)
        batch *= 4
    x = reshaped(b, x, 1, h * w, UNITS, name="unrolled")
    maps = []
    for level in (2, 1):
        if attends:
            x = attention(b, x, rows * columns, 4**level)
        x = perceptron(b, x, f"block{level}")
        maps.append(reroll(b, x, level, rows, columns, f"map{level}", last))
        x = reshaped(b, x, 1, 4, -1, UNITS)
        x = b.node(pool, x, axes=(1,), keepdims=0, name=f"pooled{level}")
    x = perceptron(b, x, "block0")
    return b.model(b.relu(x, name="out"), *maps)


def peaks(path: Path, name: str, grid: tuple[int, int], size: tuple[int, int]) -> NDArray[np.int64]:
    """Which cell changes most, in the order of the file, when the pixels that belong to a cell are raised."""
    probed = onnx.load(path)
    del probed.graph.output[:]
    probed.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    base = np.zeros((1, 3, *size), np.float32)
    (before,) = session.run([name], {"image": base})
    high, wide = size[0] // grid[0], size[1] // grid[1]
    found = np.zeros(grid, np.int64)
    for row, column in np.ndindex(*grid):
        raised = base.copy()
        raised[..., row * high : (row + 1) * high, column * wide : (column + 1) * wide] = 1
        (after,) = session.run([name], {"image": raised})
        found[row, column] = np.abs(after - before).sum(axis=-1).argmax()
    return found


@pytest.mark.parametrize("grid", [(8, 8), (8, 12)])
@pytest.mark.parametrize("pool", ["ReduceMax", "ReduceMean"])
def test_mask_units_are_followed_to_the_map(tmp_path: Path, grid: tuple[int, int], pool: str) -> None:
    h, w = grid
    path = save(hiera(h, w, pool=pool), tmp_path / "m.onnx")
    network = load_network(path)
    for name, block, layout in (
        ("map2", 1, "NHWC"),
        ("map1", 2, "NHWC"),
        ("pooled1", 4, "NTC"),
        ("out", 4, "NTC"),
    ):
        (layer,) = network.select([name])
        assert (layer.layout, layer.grid) == (layout, (h // block, w // block))
        field = layer.receptive_field
        assert field is not None
        assert field.offset == ((4 * block - 1) / 2,) * 2
        assert field.stride == field.size == (4.0 * block,) * 2
        # and the cells do lie so
        cells = np.arange(h * w // block**2).reshape(layer.grid)
        np.testing.assert_array_equal(peaks(path, name, layer.grid, network.size), cells)
    batch = images(network, 1)
    (maps,) = open_session(network, network.select(["out"]), verify=batch)(batch)
    (whole,) = run_whole(path, ["out"], batch)
    np.testing.assert_allclose(maps, whole.transpose(0, 2, 1).reshape(1, UNITS, h // 4, w // 4), rtol=1e-4)
    for name in ("unrolled", "block2", "pooled2", "block1/hidden"):
        with pytest.raises(LayerLayoutError, match="not in the order of the picture"):
            network.select([name])
    # what is refused lies elsewhere
    assert (peaks(path, "block2", grid, network.size) != np.arange(h * w).reshape(grid)).any()


def test_attention_within_mask_units_leaves_cells_in_their_places(tmp_path: Path) -> None:
    network = load_network(save(hiera(8, 12, attends=True), tmp_path / "m.onnx"))
    for name, block in (("map2", 1), ("map1", 2), ("out", 4)):
        (layer,) = network.select([name])
        field = layer.receptive_field
        assert field is not None
        assert (layer.grid, field.size) == ((8 // block, 12 // block), None)
        assert field.offset == ((4 * block - 1) / 2,) * 2
    # most of the network works on blocks, and that is said
    (warning,) = order_warnings(network.listing)
    assert "since operator Reshape ('unrolled'); 'tokens', before it, has them in order" in warning


def test_windows_that_each_block_puts_back_are_not_worth_a_word(tmp_path: Path) -> None:
    b, x = patches(8, 8)
    for i in range(4):
        y = b.node("Transpose", reshaped(b, x, 1, 2, 4, 2, 4, UNITS), perm=WINDOWS)
        y = perceptron(b, reshaped(b, y, 4, 16, UNITS), f"windows{i}")
        y = b.node("Transpose", reshaped(b, y, 1, 2, 2, 4, 4, UNITS), perm=WINDOWS)
        x = perceptron(b, b.node("Add", x, reshaped(b, y, 1, 64, UNITS)), f"sum{i}")
    network = load_network(save(b.model(x), tmp_path / "m.onnx"))
    assert network.select(["sum3"])[0].grid == (8, 8)
    assert order_warnings(network.listing) == []


@pytest.mark.parametrize("last", [(0, 1, 4, 2, 3, 5), (0, 3, 1, 2, 4, 5), (0, 3, 1, 4, 2, 5)])
def test_rerolled_in_another_order_they_are_no_map(tmp_path: Path, last: tuple[int, ...]) -> None:
    path = save(hiera(8, 8, last=last), tmp_path / "m.onnx")
    network = load_network(path)
    assert (peaks(path, "map2", (8, 8), network.size) != np.arange(64).reshape(8, 8)).any()
    with pytest.raises(LayerLayoutError):
        network.select(["map2"])


def test_a_maximum_over_other_cells_than_neighbours_is_no_map(tmp_path: Path) -> None:
    """Over the blocks in place of the cells within: what is left are cells of all blocks at once."""
    b, x = patches(8, 8)
    x = b.node("Transpose", reshaped(b, x, 1, 4, 2, 4, 2, UNITS), perm=UNROLL)
    x = b.node("ReduceMax", reshaped(b, x, 1, 4, 16, UNITS), axes=(2,), keepdims=0)
    b.relu(x, name="mixed")
    with pytest.raises(LayerLayoutError):
        load_network(save(b.model("mixed"), tmp_path / "m.onnx")).select(["mixed"])


@pytest.mark.parametrize("grid", [(8, 8), (8, 12)])
@pytest.mark.parametrize("attends", [False, True])
def test_blocks_of_unequal_sides_come_back(tmp_path: Path, grid: tuple[int, int], attends: bool) -> None:
    """NesT: (N, blocks, cells, C), and back."""
    h, w = grid
    b, x = patches(h, w)
    x = b.node("Transpose", reshaped(b, x, 1, 2, h // 2, 2, w // 2, UNITS), perm=WINDOWS)
    x = perceptron(b, reshaped(b, x, 1, 4, -1, UNITS), "block")
    if attends:
        keys = b.node("Transpose", x, perm=(0, 1, 3, 2))
        x = b.node("Add", x, b.node("MatMul", b.node("Softmax", b.node("MatMul", x, keys), axis=-1), x))
    x = b.node("Transpose", reshaped(b, x, 1, 2, 2, h // 2, w // 2, UNITS), perm=WINDOWS)
    x = b.node("Transpose", reshaped(b, x, 1, h, w, UNITS, name="map"), perm=(0, 3, 1, 2))
    b.units[x] = UNITS
    network = load_network(save(b.model(b.relu(b.conv(x, 4, stride=2), name="down")), tmp_path / "m.onnx"))
    layer, down = network.select(["map"])[0], network.select(["down"])[0]
    assert (layer.grid, down.grid) == (grid, (h // 2, w // 2))
    assert layer.receptive_field is not None and down.receptive_field is not None
    assert layer.receptive_field.offset == down.receptive_field.offset == (1.5, 1.5)
    assert (layer.receptive_field.size is None) == attends
    with pytest.raises(LayerLayoutError, match="not in the order of the picture"):
        network.select(["block"])


@pytest.mark.parametrize("op", ["MatMul", "FusedMatMul"])
def test_a_product_with_what_is_computed_has_no_units_along_its_columns(tmp_path: Path, op: str) -> None:
    """Scores of queries by keys that are not followed: columns are keys, not units."""
    b, x = patches(4, 6)
    keys = b.node("CumSum", reshaped(b, x, 1, UNITS, 24), b.constant(1, np.int64))
    b.node(op, x, keys, name="scores", **({} if op == "MatMul" else {"domain": "com.microsoft"}))
    model = b.model("scores", domains=[("com.microsoft", 1)])
    network = load_network(save(model, tmp_path / "m.onnx"))
    assert network.listing.axes["scores"] == "NT?"
    with pytest.raises(LayerLayoutError):
        network.select(["scores"])


def test_cells_of_reduced_keys_do_not_move_those_of_the_queries(tmp_path: Path) -> None:
    """Attention of one head whose keys and values come from a coarser map (PVT)."""
    b = Builder((1, 3, 64, 64))
    fine = b.conv(b.image, UNITS, 4, stride=4, pads=(0,) * 4)
    coarse = b.conv(fine, UNITS, 4, stride=4, pads=(0,) * 4)
    tokens = b.node("Transpose", reshaped(b, fine, 1, UNITS, 256), perm=(0, 2, 1))
    heard = b.node("Transpose", reshaped(b, coarse, 1, UNITS, 16), perm=(0, 2, 1))
    query = b.node("MatMul", tokens, b.weight((UNITS, UNITS)))
    query = b.node("Transpose", reshaped(b, query, 1, 256, 1, UNITS), perm=(0, 2, 1, 3))
    both = reshaped(b, b.node("MatMul", heard, b.weight((UNITS, 2 * UNITS))), 1, 16, 2, 1, UNITS)
    both = b.node("Transpose", both, perm=(2, 0, 3, 1, 4))
    key, value = (b.node("Gather", both, b.constant(i, np.int64), axis=0) for i in range(2))
    weights = b.node("Softmax", b.node("MatMul", query, b.node("Transpose", key, perm=(0, 1, 3, 2))))
    y = b.node("Transpose", b.node("MatMul", weights, value), perm=(0, 2, 1, 3))
    y = b.node("Add", tokens, reshaped(b, y, 1, 256, UNITS), name="stream")
    network = load_network(save(b.model(b.node("ReduceMean", y, axes=[1])), tmp_path / "model.onnx"))
    (layer,) = network.select(["stream"])
    assert layer.grid == (16, 16)
    assert layer.receptive_field is not None
    assert (layer.receptive_field.offset, layer.receptive_field.stride) == ((1.5, 1.5), (4.0, 4.0))
