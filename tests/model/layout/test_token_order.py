"""Tokens that were turned round or moved, and what is put together with tokens in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from support.models import Builder
from support.probing import inspect, refusal

GRID, UNITS = (4, 6), 4
LENGTH = GRID[0] * GRID[1]
CELLS = np.arange(LENGTH).reshape(GRID)
ORDERS = {"NTC": (0, 1, 2), "TNC": (1, 0, 2), "NCT": (0, 2, 1)}


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def cut(b: Builder, x: str, first: int, last: int, axis: int, step: int = 1) -> str:
    return b.node("Slice", x, ints(b, first), ints(b, last), ints(b, axis), ints(b, step))


def turned(b: Builder, x: str, axis: int) -> str:
    return cut(b, x, -1, -(2**60), axis, -1)


def rolled(b: Builder, x: str, axis: int, by: int = 7) -> str:
    return b.node("Concat", cut(b, x, by, 2**60, axis), cut(b, x, 0, by, axis), axis=axis)


def swapped(b: Builder, x: str, axis: int) -> str:
    first, second = b.nodes("Split", x, ints(b, 9, LENGTH - 9), names=("first", "second"), axis=axis)
    return b.node("Concat", second, first, axis=axis)


def gathered(b: Builder, x: str, axis: int) -> str:
    order = np.random.default_rng(3).permutation(LENGTH)
    return b.node("Gather", x, b.constant(order, np.int64), axis=axis)


def walked(b: Builder, x: str, axis: int) -> str:
    """Every second row from right to left, as scans over a picture go that turn at its edge."""
    order = np.where(np.arange(4)[:, None] % 2, CELLS[:, ::-1], CELLS).ravel()
    return b.node("Gather", x, b.constant(order, np.int64), axis=axis)


DISORDERS: dict[str, Callable[[Builder, str, int], str]] = {
    "turned": turned,
    "rolled": rolled,
    "a row on": lambda b, x, axis: rolled(b, x, axis, GRID[1]),
    "swapped": swapped,
    "gathered": gathered,
    "walked": walked,
}


def some(axis: int) -> NDArray[np.bool_]:
    """Every second unit, along an axis of three."""
    return np.expand_dims(np.arange(UNITS) % 2 > 0, [i for i in range(3) if i != axis])


JOINS: dict[str, Callable[[Builder, str, str, int], str]] = {
    "Add": lambda b, x, y, _: b.node("Add", x, y),
    "Mul": lambda b, x, y, _: b.node("Mul", b.node("Sigmoid", y), x),
    "Max": lambda b, x, y, _: b.node("Max", y, x),
    "Where": lambda b, x, y, units: b.node("Where", b.constant(some(units), bool), x, y),
    "Concat": lambda b, x, y, units: b.node("Concat", x, y, axis=units),
}


def tokens(b: Builder) -> str:
    x = b.conv(b.image, UNITS, 4, stride=4, pads=(0, 0, 0, 0))
    x = b.node("Transpose", b.node("Reshape", x, ints(b, 0, UNITS, -1)), perm=(0, 2, 1))
    return b.node("MatMul", x, b.weight((UNITS, UNITS)), name="before")


def builder() -> Builder:
    return Builder((1, 1, 4 * GRID[0], 4 * GRID[1]), positive=True)


def values(model: onnx.ModelProto, name: str) -> NDArray[Any]:
    """What a value of (N, T, C) is with each patch of the picture raised in turn: (patches, tokens)."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    del probed.graph.output[:]
    probed.graph.output.extend([onnx.ValueInfoProto(name=name)])
    session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    base = np.random.default_rng(0).random((1, 1, 4 * GRID[0], 4 * GRID[1]), np.float32)
    (before,) = session.run([name], {"image": base})
    found = []
    for patch in range(LENGTH):
        row, column = divmod(patch, GRID[1])
        raised = base.copy()
        raised[..., 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 1
        found.append(np.abs(session.run([name], {"image": raised})[0] - before)[0].max(axis=1))
    return np.array(found)


@pytest.mark.parametrize("join", list(JOINS))
@pytest.mark.parametrize("way", list(DISORDERS))
@pytest.mark.parametrize("layout", list(ORDERS))
def test_put_together_with_tokens_in_another_order(way: str, join: str, layout: str) -> None:
    b = builder()
    order = ORDERS[layout]
    x = b.node("Transpose", tokens(b), perm=order, name="straight")
    y = b.node("Relu", DISORDERS[way](b, x, layout.index("T")), name="moved")
    both = JOINS[join](b, x, y, layout.index("C"))
    units = UNITS * (1 + (join == "Concat"))
    back = b.node("Transpose", both, perm=tuple(np.argsort(order).tolist()), name="joined")
    model = b.model(b.relu(b.node("MatMul", back, b.weight((units, 3))), name="out"))
    assert inspect(model, "before").layout == "NTC"
    # patches are heard at other places than their own
    assert np.any(values(model, "out")[~np.eye(LENGTH, dtype=bool)] > 1e-6)
    for name in ("joined", "out"):
        assert "not in the order of the picture since operator" in refusal(model, name)
        assert "'straight'" in refusal(model, name) or "'before'" in refusal(model, name)


def test_a_sequence_turned_round_by_its_own_operator() -> None:
    b = builder()
    x = tokens(b)
    length = b.constant([LENGTH], np.int64)
    y = b.node("ReverseSequence", x, length, batch_axis=0, time_axis=1, name="moved")
    back = b.node("ReverseSequence", b.relu(y), length, batch_axis=0, time_axis=1, name="back")
    model = b.model(b.relu(b.node("Add", x, y), name="sum"), b.relu(back, name="out"))
    for name in ("moved", "sum"):
        assert "not in the order of the picture since operator ReverseSequence" in refusal(model, name)
    field = inspect(model, "out").receptive_field
    assert field is not None and field.offset == (1.5, 1.5) and field.stride == (4.0, 4.0)
    np.testing.assert_array_equal(values(model, "out").argmax(axis=1), np.arange(LENGTH))


@pytest.mark.parametrize(
    ("way", "back"),
    [
        (turned, turned),
        (rolled, lambda b, x, axis: rolled(b, x, axis, LENGTH - 7)),
        (swapped, lambda b, x, axis: rolled(b, x, axis, LENGTH - 9)),
    ],
    ids=["turned", "rolled", "swapped"],
)
def test_tokens_that_are_put_back(
    way: Callable[[Builder, str, int], str], back: Callable[[Builder, str, int], str]
) -> None:
    """A scan that runs backwards, with weights and a convolution along the row on its way."""
    b = builder()
    x = tokens(b)
    y = b.node("Transpose", b.relu(way(b, x, 1)), perm=(0, 2, 1))
    y = b.node("Conv", y, b.weight((UNITS, 1, 1)), kernel_shape=(1,), group=UNITS)
    y = b.node("Transpose", y, perm=(0, 2, 1), name="away")
    y = b.node("Identity", back(b, b.node("MatMul", y, b.weight((UNITS, UNITS))), 1), name="returned")
    model = b.model(b.relu(b.node("Add", x, y), name="out"), b.relu(y, name="alone"))
    assert "not in the order of the picture" in refusal(model, "away")
    for name in ("alone", "out"):
        field = inspect(model, name).receptive_field
        assert field is not None and field.offset == (1.5, 1.5) and field.stride == (4.0, 4.0)
        np.testing.assert_array_equal(values(model, name).argmax(axis=1), np.arange(LENGTH))


@pytest.mark.parametrize("by", [1, GRID[1], -1, -GRID[1], 1 + GRID[1]])
def test_tokens_beside_those_shifted_by_some_cells(by: int) -> None:
    """As for a map and a shifted one, the sum lies between the two."""
    b = builder()
    x = tokens(b)
    kept = cut(b, x, 0, LENGTH - by, 1) if by > 0 else cut(b, x, -by, LENGTH, 1)
    pads = (0, max(by, 0), 0, 0, max(-by, 0), 0)
    model = b.model(b.relu(b.node("Add", x, b.node("Pad", kept, ints(b, *pads))), name="out"))
    field = inspect(model, "out").receptive_field
    rows, columns = divmod(abs(by), GRID[1])
    sign = np.sign(by)
    assert field is not None and field.size is None
    assert field.offset == (1.5 - sign * rows * 4 / 2, 1.5 - sign * columns * 4 / 2)
    middle = 2 * GRID[1] + 2
    heard = np.flatnonzero(values(model, "out")[:, middle] > 1e-6)
    assert heard.tolist() == sorted((middle, middle - by))


def test_tokens_beside_those_shifted_half_a_row() -> None:
    b = builder()
    x = tokens(b)
    shifted = b.node("Pad", cut(b, x, 0, LENGTH - 3, 1), ints(b, 0, 3, 0, 0, 0, 0))
    model = b.model(b.relu(b.node("Add", x, shifted), name="out"))
    assert "not in the order of the picture" in refusal(model, "out")


def test_a_class_token_that_is_cut_out_of_the_middle() -> None:
    b = builder()
    x = tokens(b)
    beside = b.constant(np.ones((1, 1, UNITS)), np.float32)
    whole = b.node("Concat", cut(b, x, 0, 10, 1), beside, cut(b, x, 10, LENGTH, 1), axis=1)
    looked = b.node("MatMul", whole, b.weight((UNITS, UNITS)), name="within")
    cells = [cut(b, looked, 0, 10, 1), cut(b, looked, 11, LENGTH + 1, 1)]
    shifted = [cut(b, looked, 0, 11, 1), cut(b, looked, 12, LENGTH + 1, 1)]
    out = b.relu(b.node("Concat", *cells, axis=1), name="out")
    wrong = b.relu(b.node("Concat", *shifted, axis=1), name="wrong")
    model = b.model(out, wrong)
    layer = inspect(model, "out")
    assert (layer.layout, layer.grid, layer.skipped) == ("NTC", GRID, (0, 0))
    np.testing.assert_array_equal(values(model, "out").argmax(axis=1), np.arange(LENGTH))
    assert refusal(model, "wrong")


@pytest.mark.parametrize("returned", [True, False])
def test_windows_shifted_by_one_list_of_all_tokens(returned: bool) -> None:
    b = builder()
    x = tokens(b)
    moved = np.roll(CELLS, (-1, -2), (0, 1)).ravel()
    y = b.node("Gather", x, b.constant(moved, np.int64), axis=1)
    y = b.node("Reshape", y, ints(b, -1, 2, 2, 2, 3, UNITS))
    y = b.node("Reshape", b.node("Transpose", y, perm=(0, 1, 3, 2, 4, 5)), ints(b, -1, 6, UNITS))
    y = b.node("MatMul", y, b.weight((UNITS, UNITS)), name="windows")
    y = b.node("Reshape", y, ints(b, -1, 2, 2, 2, 3, UNITS))
    y = b.node("Reshape", b.node("Transpose", y, perm=(0, 1, 3, 2, 4, 5)), ints(b, -1, LENGTH, UNITS))
    back = np.argsort(moved) if returned else moved
    y = b.node("Gather", y, b.constant(back, np.int64), axis=1)
    model = b.model(b.relu(b.node("Add", x, y), name="out"))
    straight = np.array_equal(values(model, "out").argmax(axis=1), np.arange(LENGTH))
    if returned:
        field = inspect(model, "out").receptive_field
        assert field is not None and field.offset == (1.5, 1.5) and straight
    else:
        assert "not in the order of the picture" in refusal(model, "out") and not straight


def test_attention_that_hears_tokens_in_another_order() -> None:
    """Queries stay in their places, whatever the order of keys and values is."""
    b = builder()
    x = tokens(b)
    y = turned(b, x, 1)
    scores = b.node("MatMul", x, b.node("Transpose", y, perm=(0, 2, 1)))
    heard = b.node("MatMul", b.node("Softmax", scores, axis=-1), y, name="heard")
    own = b.node("MatMul", y, b.node("Transpose", x, perm=(0, 2, 1)))
    other = b.node("MatMul", b.node("Softmax", own, axis=-1), x)
    model = b.model(
        b.relu(b.node("Add", x, heard), name="out"), b.relu(b.node("Add", x, other), name="wrong")
    )
    field = inspect(model, "out").receptive_field
    assert field is not None and field.offset == (1.5, 1.5) and field.size is None
    assert "not in the order of the picture" in refusal(model, "wrong")


def parts(b: Builder, x: str, *, columns_first: bool = False) -> list[str]:
    """Every second row and column, from each of four corners: patches merged by lists of tokens."""
    found = []
    for row in (0, 1):
        for column in (0, 1):
            cells = CELLS[row::2, column::2]
            listed = (cells.T if columns_first else cells).ravel()
            found.append(b.node("Gather", x, b.constant(listed, np.int64), axis=1))
    return found


@pytest.mark.parametrize("together", ["units", "sum"])
def test_patches_merged_by_lists_of_tokens(together: str) -> None:
    b = builder()
    four = parts(b, tokens(b))
    if together == "units":
        y = b.node("MatMul", b.node("Concat", *four, axis=2), b.weight((4 * UNITS, UNITS)))
    else:
        y = b.node("Sum", *four)
    model = b.model(b.relu(y, name="out"))
    layer = inspect(model, "out")
    assert (layer.layout, layer.grid) == ("NTC", (2, 3))
    assert layer.receptive_field is not None
    assert layer.receptive_field.offset == (3.5, 3.5) and layer.receptive_field.stride == (8.0, 8.0)
    merged = CELLS // GRID[1] // 2 * 3 + CELLS % GRID[1] // 2
    np.testing.assert_array_equal(values(model, "out").argmax(axis=1), merged.ravel())


def test_patches_merged_column_by_column() -> None:
    b = builder()
    four = parts(b, tokens(b), columns_first=True)
    y = b.node("MatMul", b.node("Concat", *four, axis=2), b.weight((4 * UNITS, UNITS)), name="out")
    assert "not in the order of the picture" in refusal(b.model(y), "out")


def test_parts_of_a_grid_laid_behind_each_other_are_not_the_grid() -> None:
    b = builder()
    x = tokens(b)
    y = b.node("Concat", *(b.relu(part) for part in parts(b, x)), axis=1, name="blocks")
    model = b.model(b.relu(b.node("Add", x, y), name="out"))
    for name in ("blocks", "out"):
        assert "not in the order of the picture" in refusal(model, name)
