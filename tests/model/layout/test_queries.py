"""Attention whose queries have a grid of their own, and products over the units of what is no map."""

from __future__ import annotations

from pathlib import Path

from support.models import Builder, save

from onnxdissect.model import load_network


def test_coarser_queries_keep_their_grid(tmp_path: Path) -> None:
    """Attention that shrinks a map looks from every other cell at all of them."""
    b = Builder((1, 3, 16, 16))
    x = b.conv("image", 8, 2, stride=2, name="patches")
    keys = b.node("Reshape", x, b.constant((1, 8, 64), "i8"), name="keys")
    values = b.node("Transpose", keys, perm=(0, 2, 1), name="values")
    sparse = b.node("Slice", x, *(b.constant(n, "i8") for n in ((0, 0), (8, 8), (2, 3), (2, 2))))
    flat = b.node("Reshape", sparse, b.constant((1, 8, 16), "i8"))
    queries = b.node("Transpose", flat, perm=(0, 2, 1), name="queries")
    weights = b.node("Softmax", b.node("MatMul", queries, keys, name="scores"), axis=-1)
    mixed = b.node("MatMul", weights, values, name="mixed")
    out = b.node("MatMul", mixed, b.weight((8, 6)), name="projected")
    network = load_network(save(b.model(out), tmp_path / "m.onnx"))
    assert network.listing.axes["scores"] == "NT?"
    grids = {layer.name: layer.grid for layer in network.layers}
    assert grids["patches"] == (8, 8)
    assert grids["projected"] == (4, 4)


def test_a_product_over_units_keeps_axes_that_are_no_map(tmp_path: Path) -> None:
    """Cells within patches by patches look like a map to a convolution, and are none."""
    b = Builder((1, 3, 16, 16))
    x = b.conv("image", 4, name="c1")
    x = b.node("Reshape", x, b.constant((1, 4, 8, 2, 8, 2), "i8"))
    x = b.node("Transpose", x, perm=(0, 1, 3, 5, 2, 4))
    x = b.node("Reshape", x, b.constant((1, 4, 4, 64), "i8"), name="unfolded")
    b.units[x] = 4
    for i in range(3):
        x = b.conv(x, 4, 1, name=f"inside{i}")
    x = b.node("Reshape", x, b.constant((1, 4, 2, 2, 8, 8), "i8"))
    x = b.node("Transpose", x, perm=(0, 1, 4, 2, 5, 3))
    x = b.node("Reshape", x, b.constant((1, 4, 16, 16), "i8"), name="folded")
    network = load_network(save(b.model(x), tmp_path / "m.onnx"))
    assert {network.listing.axes[f"inside{i}"] for i in range(3)} == {"NCtT"}
    assert [layer.name for layer in network.layers] == ["c1", "folded"]
    assert network.layers[-1].grid == (16, 16)


def test_a_batch_of_one_among_the_heads_comes_back(tmp_path: Path) -> None:
    b = Builder((1, 3, 16, 16))
    x = b.conv("image", 8, name="c1")
    heads = b.node("Reshape", x, b.constant((2, 4, 256), "i8"), name="heads")
    rows = b.node("Transpose", heads, perm=(0, 2, 1))
    weights = b.node("Softmax", b.node("MatMul", rows, heads), axis=-1)
    mixed = b.node("Transpose", b.node("MatMul", weights, rows), perm=(0, 2, 1))
    x = b.node("Reshape", mixed, b.constant((1, 8, 16, 16), "i8"), name="attended")
    network = load_network(save(b.model(x), tmp_path / "m.onnx"))
    assert network.listing.axes["attended"] == "NCHW"
