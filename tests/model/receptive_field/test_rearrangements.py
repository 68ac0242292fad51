"""Receptive fields of cells that are cut out, joined, gathered and reshaped, without a window over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.models import Builder
from support.probing import assert_exact, impulses, inspect, refusal

from onnxdissect.model import ReceptiveField

SIZE = (47, 41)


def test_a_space_to_depth_of_slices_and_an_operator_agree() -> None:
    """Four shifted slices, concatenated: no slice nests in another, and together they see the block."""
    b = Builder(("N", 1, 32, 32), positive=True)
    x = b.conv(b.image, 2, 3)
    slices = [
        b.node("Slice", x, *(b.constant(v, np.int64) for v in ((i, j), (99, 99), (2, 3), (2, 2))))
        for j in (0, 1)
        for i in (0, 1)
    ]
    focus = b.node("Concat", *slices, axis=1)
    folded = b.node("SpaceToDepth", x, blocksize=2)
    b.units[focus] = b.units[folded] = 8
    ends = [b.conv(focus, 2, 3, name="of_slices"), b.conv(folded, 2, 3, name="of_operator")]
    model = b.model(*(b.node("Identity", end) for end in ends))
    fields = [assert_exact(model, end) for end in ends]
    assert fields[0] == fields[1] == ReceptiveField((0.5, 0.5), (2.0, 2.0), (8.0, 8.0))


@pytest.mark.parametrize(("left", "right"), [((0, 2), (2, 0)), ((2, 1), (0, 0)), ((0, 3), (1, 1))])
def test_branches_that_look_to_different_sides_see_both(left: Any, right: Any) -> None:
    b = Builder(("N", 1, *SIZE), positive=True)
    x = b.conv(b.image, 2, 3)
    ends = [b.conv(x, 2, (sum(pads) + 1, 3), pads=(pads[0], 1, pads[1], 1)) for pads in (left, right)]
    model = b.model(b.node("Identity", b.node("Add", *ends, name="both")))
    field = inspect(model, "both").receptive_field
    assert field is not None and field.size is not None
    assert field.size[0] == max(left[0], right[0]) + max(left[1], right[1]) + 3
    # both resolve equally finely, so the place is the mean of their centres, not the middle of the reach
    assert field.offset[0] == (left[1] - left[0] + right[1] - right[0]) / 4
    moved, _ = impulses("both", model)
    assert np.flatnonzero(moved[:, 20]).size == field.size[0]


def wrapped(b: Builder, x: str, reach: int) -> str:
    """Circular padding along the columns, as exporters write it."""

    def columns(first: int, last: int) -> str:
        return b.node("Slice", x, *(b.constant([v], np.int64) for v in (first, last, 3)))

    return b.node("Concat", columns(-reach, 2**60), x, columns(0, reach), axis=3)


def test_circular_padding_does_not_move_the_picture() -> None:
    b = Builder(("N", 1, *SIZE), positive=True)
    x = b.conv(b.image, 2, 3)
    y = wrapped(b, x, 2)
    b.units[y] = 2
    y = b.conv(y, 2, (1, 5), pads=(0, 0, 0, 0), name="seen")
    assert assert_exact(b.model(b.node("Identity", y)), "seen").offset == (0.0, 0.0)


def test_a_roll_and_its_return() -> None:
    b = Builder(("N", 1, *SIZE), positive=True)
    x = b.conv(b.image, 2, 3, name="before")

    def roll(x: str, by: int, name: str) -> str:
        ends = [
            b.node("Slice", x, *(b.constant([v], np.int64) for v in span))
            for span in ((by, 2**60, 2), (0, by, 2))
        ]
        return b.node("Concat", *ends, axis=2, name=name)

    rolled = roll(x, 3, "rolled")
    model = b.model(b.node("Identity", roll(rolled, -3, "returned")))
    fields = [inspect(model, name).receptive_field for name in ("before", "returned")]
    assert fields[0] is not None and fields[0] == fields[1]
    assert "not in the order" in refusal(model, "rolled")


def test_halves_that_were_processed_apart() -> None:
    b = Builder(("N", 1, 40, 40), positive=True)
    x = b.conv(b.image, 2, 3)
    halves = b.nodes("Split", x, b.constant([20, 20], np.int64), names=["top", "bottom"], axis=2)
    whole = b.node("Concat", *[b.conv(half, 2, 1) for half in halves], axis=2, name="whole")
    swapped = b.node("Concat", *reversed(halves), axis=2, name="swapped")
    model = b.model(b.node("Identity", whole), b.node("Identity", swapped))
    assert assert_exact(model, "whole") == ReceptiveField((0.0, 0.0), (1.0, 1.0), (3.0, 3.0))
    assert "not in the order" in refusal(model, "swapped")


def test_a_frame_of_constants() -> None:
    b = Builder((1, 1, *SIZE), positive=True)
    x = b.conv(b.image, 2, 3)
    rows = b.constant(np.zeros((1, 2, 3, SIZE[1])))
    y = b.node("Concat", rows, x, axis=2)
    b.units[y] = 2
    model = b.model(b.node("Identity", b.conv(y, 2, 1, name="framed")))
    field = inspect(model, "framed").receptive_field
    assert field is not None and field.offset == (-3.0, 0.0)


@pytest.mark.parametrize(
    ("indices", "field"),
    [
        (np.arange(40)[::-1], None),
        (np.repeat(np.arange(40), 2), ReceptiveField((0.0, -0.25), (1.0, 0.5), (3.0, 3.0))),
        (np.arange(-40, 0, 4), ReceptiveField((0.0, 0.0), (1.0, 4.0), (3.0, 3.0))),
        (np.random.default_rng(0).permutation(40), None),
    ],
    ids=["flipped", "repeated", "every fourth", "shuffled"],
)
def test_gathered_columns(indices: Any, field: ReceptiveField | None) -> None:
    b = Builder(("N", 1, 40, 40), positive=True)
    x = b.node("Gather", b.conv(b.image, 2, 3), b.constant(indices, np.int64), axis=3, name="picked")
    model = b.model(b.node("Identity", x))
    if field is None:
        assert "not in the order" in refusal(model, "picked")
        return
    found = inspect(model, "picked").receptive_field
    assert found is not None and found.size is not None and field.size is not None
    for one_pair, other in zip(
        (found.offset, found.stride, found.size), (field.offset, field.stride, field.size), strict=True
    ):
        assert one_pair == pytest.approx(other, abs=0.01)


def reshaped(b: Builder, x: str, *target: int) -> str:
    return b.node("Reshape", x, b.constant(target, np.int64))


def test_blocks_of_cells_that_become_units() -> None:
    """An unshuffle of pixels by reshapes: split both axes, move the parts, merge them with the units."""
    b = Builder(("N", 1, 40, 36), positive=True)
    x = b.conv(b.image, 2, 3)
    parts = b.node("Transpose", reshaped(b, x, 0, 2, 20, 2, 18, 2), perm=(0, 1, 3, 5, 2, 4))
    x = reshaped(b, parts, 0, 8, 20, 18)
    b.units[x] = 8
    field = assert_exact(b.model(b.node("Identity", b.conv(x, 2, 3, name="seen"))), "seen")
    assert field == ReceptiveField((0.5, 0.5), (2.0, 2.0), (8.0, 8.0))


def test_cells_that_are_repeated_by_reshapes() -> None:
    b = Builder(("N", 1, 20, 18), positive=True)
    x = b.conv(b.image, 2, 3)
    room = reshaped(b, x, 0, 2, 20, 1, 18, 1)
    filled = b.node("Expand", room, b.constant((1, 2, 20, 2, 18, 3), np.int64))
    x = reshaped(b, filled, 0, 2, 40, 54)
    b.units[x] = 2
    grown = b.node("Identity", x)
    x = b.conv(x, 2, 1, name="grown")
    field = inspect(b.model(b.node("Identity", x), grown), "grown").receptive_field
    assert field is not None
    assert field.offset == pytest.approx((-0.25, -1 / 3))
    assert field.stride == pytest.approx((0.5, 1 / 3)) and field.size == (3.0, 3.0)


@pytest.mark.parametrize("moved", [False, True], ids=["cells in a row", "images and cells in a row"])
def test_a_dense_layer_over_cells_in_a_row(moved: bool) -> None:
    """As TensorFlow writes dense layers over maps; without it a residual branch would be lost."""
    b = Builder((1, 1, 24, 20), positive=True)
    x = b.conv(b.image, 4, 3)
    y = b.node("Transpose", b.conv(x, 4, 5, dilation=2), perm=(0, 2, 3, 1))
    y = reshaped(b, y, *((480, 4) if moved else (1, 480, 4)))
    y = b.relu(b.node("MatMul", y, b.weight((4, 4))))
    y = b.relu(reshaped(b, y, 1, 24, 20, 4), name="wide")
    y = b.node("Transpose", y, perm=(0, 3, 1, 2))
    joined = b.node("Add", x, y, name="joined")
    model = b.model(b.node("Identity", joined))
    assert inspect(model, "wide").layout == "NHWC"
    for name in ("wide", "joined"):
        field = inspect(model, name).receptive_field
        assert field == ReceptiveField((0.0, 0.0), (1.0, 1.0), (11.0, 11.0))


def test_attention_weighs_cells_but_does_not_move_them() -> None:
    b = Builder((1, 1, 16, 12), positive=True)
    x = b.conv(b.image, 4, 4, stride=2, pads=(1, 1, 1, 1))
    rows = b.node("Transpose", reshaped(b, x, 1, 4, 48), perm=(0, 2, 1))
    columns = b.node("Transpose", rows, perm=(0, 2, 1))
    weights = b.node("Softmax", b.node("MatMul", rows, columns), axis=-1)
    seen = b.node("Add", rows, b.node("MatMul", weights, rows), name="tokens")
    y = reshaped(b, b.node("Transpose", seen, perm=(0, 2, 1)), 1, 4, 8, 6)
    b.units[y] = 4
    model = b.model(b.node("Identity", b.conv(y, 2, 1, name="map")))
    for name in ("tokens", "map"):
        assert inspect(model, name).receptive_field == ReceptiveField((0.5, 0.5), (2.0, 2.0), None)
    assert inspect(model, rows).receptive_field == ReceptiveField((0.5, 0.5), (2.0, 2.0), (4.0, 4.0))


@pytest.mark.parametrize("axis", [2, 3, -1])
def test_running_sums_hear_all_before_them(axis: int) -> None:
    b = Builder(("n", 3, 12, 12), positive=True)
    x = b.conv(b.image, 4, 3, stride=2, name="before")
    y = b.node("CumSum", x, b.constant(axis, np.int64), name="out")
    row = b.node("Reshape", x, b.constant((0, 4, 36), np.int64))
    row = b.node("CumSum", b.node("Transpose", row, perm=(0, 2, 1)), b.constant(1, np.int64), name="tokens")
    model = b.model(y, row)
    before = inspect(model, "before").receptive_field
    assert before is not None and before.size == (3.0, 3.0)
    for name in ("out", "tokens"):
        field = inspect(model, name).receptive_field
        assert field == ReceptiveField(before.offset, before.stride, None)
    # the last cell along the axis hears the first pixel, whose field ends far before it
    assert impulses("out", model)[axis % 4 - 2][0, -1]
