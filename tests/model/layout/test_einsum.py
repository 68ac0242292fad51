"""Products by equation, and patches cut out by tables of indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from support.models import Builder, images, run_whole
from support.token_networks import LENGTH, LOOKING, PROJECTIONS, WIDTH, check_tokens, load, named, tokens

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import ReceptiveField, open_session
from onnxdissect.model.layout.products.einsum import parse_equation

# ------------------------------------------------------------------------------------------ einsum


def as_is(b: Builder, x: str, equation: str, *weights: tuple[int, ...]) -> str:
    return b.node("Einsum", x, *(b.weight(shape) for shape in weights), equation=equation)


MAPS: list[tuple[str, tuple[int, ...], int]] = [
    ("bchw,oc->bohw", (12, 8), 64 * 8 * 12),
    ("b c h w, c o -> b o h w", (8, 12), 64 * 8 * 12),
    ("...chw,oc->...ohw", (12, 8), 64 * 8 * 12),
    ("nchw,c->nchw", (8,), 64 * 8),
    ("nchw,hw->nchw", (8, 8), 64 * 8),
]


@pytest.mark.parametrize(("equation", "shape", "macs"), MAPS)
def test_products_of_maps_by_einsum(tmp_path: Path, equation: str, shape: tuple[int, ...], macs: int) -> None:
    b = Builder()
    x = b.conv("image", 8, stride=4, name="c")
    b.node("Relu", as_is(b, x, equation, shape), name="act")
    network = load(b, "act", folder=tmp_path)
    layer = named(network, "act")
    units = 12 if "o" in equation else 8
    assert (layer.layout, layer.units, layer.grid) == ("NCHW", units, (8, 8))
    assert layer.receptive_field == named(network, "c").receptive_field
    assert layer.macs == named(network, "c").macs + macs
    assert layer.parameters == named(network, "c").parameters + int(np.prod(shape))


def test_channels_last_and_fully_connected_by_einsum(tmp_path: Path) -> None:
    b = Builder()
    x = b.node("Transpose", b.conv("image", 8, stride=4), perm=[0, 2, 3, 1])
    b.node("Relu", as_is(b, x, "bhwc,cd->bhwd", (8, 12)), name="map")
    b.node("Relu", as_is(b, x, "bhwc,hwcd->bd", (8, 8, 8, 12)), name="all")
    network = load(b, "map", "all", folder=tmp_path)
    assert (named(network, "map").layout, named(network, "map").units) == ("NHWC", 12)
    assert (named(network, "all").layout, named(network, "all").units) == ("NC", 12)


def test_attention_by_einsum_is_attention(tmp_path: Path) -> None:
    b, x = tokens()
    q, k, v = (as_is(b, x, "btc,chd->bhtd", (WIDTH, 2, 8)) for _ in range(3))
    scores = b.node("Softmax", b.node("Einsum", q, k, equation="bhid,bhjd->bhij"), axis=-1)
    looked = b.node("Einsum", scores, v, equation="bhij,bhjd->bhid")
    b.node("Relu", as_is(b, looked, "bhtd,hdo->bto", (2, 8, 24)), name="act")
    check_tokens(load(b, "act", folder=tmp_path), "act", 24, PROJECTIONS + LOOKING + LENGTH * WIDTH * 24)


@pytest.mark.parametrize("equation", ["bchw->bcwh", "bchw,hk->bckw", "bchw,hck->bkhw"])
def test_einsum_that_mixes_or_turns_cells_is_no_map(tmp_path: Path, equation: str) -> None:
    b = Builder()
    x = b.conv("image", 8, stride=4)
    weights = [(8,) * len(side) for side in equation.split("->")[0].split(",")[1:]]
    b.node("Relu", as_is(b, x, equation, *weights), name="act")
    with pytest.raises(LayerLayoutError):
        load(b, "act", folder=tmp_path).select(["act"])


def test_pairs_of_operands_are_multiplied_from_the_left() -> None:
    node = ir.node("Einsum", [None, None, None], {"equation": "ab,bc,cd->ad"})
    equation = parse_equation(node, [2, 2, 2])
    assert equation is not None
    assert equation.multiply_accumulates([(2, 3), (3, 5), (5, 7)]) == 2 * 3 * 5 + 2 * 5 * 7
    implicit = parse_equation(ir.node("Einsum", [None, None], {"equation": "ij,jk"}), [2, 2])
    assert implicit is not None
    assert implicit.out == "ik"
    assert parse_equation(ir.node("Einsum", [None], {"equation": "ij->ijk"}), [2]) is None


# ------------------------------------------------------------------------------------------ unfolding


def unfolded(b: Builder, x: str, size: int, count: int, way: str) -> str:
    """Cut rows and columns into blocks by tables of indices, stored or computed from the image's size."""
    for axis in (2, 4):
        if way == "computed":
            long = b.node("Gather", b.node("Shape", x), b.constant(axis, np.int64))
            first = b.node("Range", b.constant(0, np.int64), long, b.constant(size, np.int64))
            table = b.node(
                "Add",
                b.node("Unsqueeze", first, b.constant([0], np.int64)),
                b.constant(np.arange(size)[:, None], np.int64),
            )
        else:
            numbers = np.arange(size)[:, None] + size * np.arange(count)
            if way == "another order":
                numbers = numbers[:, np.random.default_rng(0).permutation(count)]
            table = b.constant(numbers, np.int64)
        x = b.node("Gather", x, table, axis=axis)
    return b.node("Transpose", x, perm=[0, 1, 2, 4, 3, 5])


@pytest.mark.parametrize("way", ["stored", "computed", "another order"])
def test_patches_that_are_pictures_of_their_own(tmp_path: Path, way: str) -> None:
    """A transformer in a transformer looks into each patch before it makes it a token."""
    b = Builder((1, 3, 32, 32))
    x = unfolded(b, b.image, 8, 4, way)
    x = b.node("Reshape", x, b.constant([1, 192, 16], np.int64))
    x = b.node("Reshape", b.node("Transpose", x, perm=[0, 2, 1]), b.constant([16, 3, 8, 8], np.int64))
    b.units[x] = 3
    x = b.conv(x, 6, 4, stride=4, pads=(0, 0, 0, 0))
    x = b.node("Transpose", b.node("Reshape", x, b.constant([16, 6, 4], np.int64)), perm=[0, 2, 1])
    x = b.node("Reshape", x, b.constant([1, 16, 24], np.int64))
    b.node("Relu", b.node("MatMul", x, b.weight((24, 10))), name="act")
    network = load(b, "act", folder=tmp_path)
    if way == "another order":
        with pytest.raises(LayerLayoutError):
            network.select(["act"])
        return
    layer = named(network, "act")
    assert (layer.layout, layer.units, layer.grid) == ("NTC", 10, (4, 4))
    assert layer.receptive_field == ReceptiveField((3.5, 3.5), (8.0, 8.0), (8.0, 8.0))
    batch = images(network, 1)
    (expected,) = run_whole(network.path, ["act"], batch)
    (maps,) = open_session(network, [layer], verify=batch)(batch)
    np.testing.assert_allclose(maps, expected.transpose(0, 2, 1).reshape(1, 10, 4, 4), atol=1e-5)
    # each token hears its own patch, and no other
    moved = batch.copy()
    moved[:, :, 8:16, 24:32] += 1
    (after,) = run_whole(network.path, ["act"], moved)
    changed = np.abs(after - expected).max(axis=2).reshape(4, 4) > 1e-6
    assert np.argwhere(changed).tolist() == [[1, 3]]


def test_columns_that_the_picture_chooses_are_not_placed(tmp_path: Path) -> None:
    b = Builder()
    x = b.conv("image", 8, stride=4, name="c")
    best = b.node("ReduceMax", x, axes=[1, 2], keepdims=0)
    order = b.nodes(
        "TopK",
        b.node("Squeeze", best, b.constant([0], np.int64)),
        b.constant([4], np.int64),
        names=["v", "i"],
    )
    b.relu(b.node("Gather", x, order[1], axis=3), "act")
    b.input.type.tensor_type.shape.dim[0].dim_value = 1
    with pytest.raises(LayerLayoutError):
        load(b, "act", folder=tmp_path).select(["act"])
