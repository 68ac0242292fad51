"""Small vision transformers as ONNX files, one per way in which exporters write them; tokens as maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from support.models import Builder

SIZE = 12
PATCH = 4
UNITS = 8
GRID = (3, 3)


def patches(b: Builder, way: str) -> str:
    """Cut the image into patches and give each its features, as (N, tokens, units)."""
    if way == "reshape":
        # JAX and Keras: rows of patches, and rows within each, taken apart and put together again
        cut = b.constant((0, 3, GRID[0], PATCH, GRID[1], PATCH), np.int64)
        x = b.node("Transpose", b.node("Reshape", b.image, cut), perm=(0, 2, 4, 3, 5, 1))
        x = b.node("Reshape", x, b.constant((0, 9, PATCH * PATCH * 3), np.int64))
        return b.node("MatMul", x, b.weight((PATCH * PATCH * 3, UNITS)), name="patches")
    weight = b.weight((UNITS, 3, PATCH, PATCH))
    x = b.node("Conv", b.image, weight, strides=(PATCH, PATCH), name="embedding")
    if way == "channels last":
        x = b.node("Transpose", x, perm=(0, 2, 3, 1))
        return b.node("Reshape", x, b.constant((0, 9, UNITS), np.int64), name="patches")
    x = b.node("Reshape", x, b.constant((0, UNITS, -1), np.int64), name="row")
    return b.node("Transpose", x, perm=(0, 2, 1), name="patches")


def with_tokens(b: Builder, x: str, before: int, after: int, *, frozen: bool = False) -> str:
    """Put tokens of the network's own beside the patches, spread over the batch as PyTorch does.

    Where the batch is frozen, exporters fold the spreading.
    """
    if not before + after:
        return x
    batch = b.node("Gather", b.node("Shape", b.image), b.constant((0,), np.int64))
    parts = [x]
    for count, at in ((before, 0), (after, len(parts) + 1)):
        if count:
            target = b.node("Concat", batch, b.constant((count, UNITS), np.int64), axis=0)
            own = b.constant(b.rng.normal(size=(1, count, UNITS)))
            parts.insert(at, b.node("Identity", own) if frozen else b.node("Expand", own, target))
    return b.node("Concat", *parts, axis=1, name="joined")


def attention(b: Builder, x: str, order: str) -> str:
    """Two heads over tokens in either order."""
    heads = b.constant((0, 0, 2, UNITS // 2), np.int64)
    swap = (0, 2, 1, 3) if order == "NTC" else (1, 2, 0, 3)
    back = (0, 2, 1, 3) if order == "NTC" else (2, 0, 1, 3)

    def head(last: tuple[int, ...]) -> str:
        y = b.node("Reshape", b.node("MatMul", x, b.weight((UNITS, UNITS))), heads)
        return b.node("Transpose", y, perm=last)

    query, value = head(swap), head(swap)
    key = head((*swap[:2], swap[3], swap[2]))
    scores = b.node("Softmax", b.node("MatMul", query, key), axis=-1)
    mixed = b.node("Transpose", b.node("MatMul", scores, value), perm=back)
    joined = b.node("Reshape", mixed, b.constant((0, 0, UNITS), np.int64), name="attended")
    return b.node("MatMul", joined, b.weight((UNITS, UNITS)))


def layer_norm(b: Builder, x: str, spelled: bool) -> str:
    if not spelled:
        return b.node(
            "LayerNormalization", x, b.constant(np.ones(UNITS)), b.constant(np.zeros(UNITS)), axis=-1
        )
    centred = b.node("Sub", x, b.node("ReduceMean", x, axes=(-1,)))
    square = b.node("Pow", centred, b.constant(2), name=f"square_of_{x}")
    spread = b.node("Sqrt", b.node("Add", b.node("ReduceMean", square, axes=(-1,)), b.constant(1e-5)))
    return b.node("Div", centred, spread)


def transformer(
    before: int = 1,
    after: int = 0,
    *,
    order: str = "NTC",
    way: str = "conv",
    spelled: bool = False,
    frozen: bool = False,
) -> onnx.ModelProto:
    """Patches, one block of attention and a perceptron, and logits from the first token, or from the mean."""
    b = Builder((1 if frozen else "N", 3, SIZE, SIZE))
    x = with_tokens(b, patches(b, way), before, after, frozen=frozen)
    tokens = before + after + 9
    x = b.node("Add", x, b.constant(b.rng.normal(size=(1, tokens, UNITS))), name="placed")
    if order == "TNC":
        x = b.node("Transpose", x, perm=(1, 0, 2))
    x = b.node("Add", x, attention(b, layer_norm(b, x, spelled), order), name="block")
    hidden = b.node("MatMul", layer_norm(b, x, spelled), b.weight((UNITS, 12)))
    hidden = b.relu(hidden, name="hidden")
    x = b.node("Add", x, b.node("MatMul", hidden, b.weight((12, UNITS))), name="final")
    x = layer_norm(b, x, spelled)
    if order == "TNC":
        x = b.node("Transpose", x, perm=(1, 0, 2))
    if before:
        x = b.node("Gather", x, b.constant(0, np.int64), axis=1, name="summary")
    else:
        x = b.node("ReduceMean", x, axes=(1,), keepdims=0, name="summary")
    return b.model(b.node("Gemm", x, b.weight((UNITS, 5)), name="logits"))


def as_map(array: NDArray[Any], layout: str, before: int, grid: tuple[int, int]) -> NDArray[Any]:
    """What the contract says of a value, written down a second time."""
    if layout == "NC":
        return array[:, :, None, None]
    if layout == "TNC":
        array = array.transpose(1, 0, 2)
    n, _, units = array.shape
    result = np.zeros((n, units, *grid), array.dtype)
    for row in range(grid[0]):
        for column in range(grid[1]):
            result[:, :, row, column] = array[:, before + row * grid[1] + column]
    return result
