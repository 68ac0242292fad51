"""Blocks that tables of indices cut out of a map, overlapping or not, as `unfold` is exported."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from support.models import Builder
from support.probing import assert_exact, inspect, refusal

WINDOWS = [(2, 2, 1, 0), (3, 1, 1, 1), (7, 4, 1, 2), (3, 2, 2, 2), (2, 3, 1, 0)]
"""Cells a side, step, dilation and padding."""
ORDERS = {
    (True, True): (0, 1, 2, 4, 3, 5),
    (True, False): (0, 1, 2, 5, 3, 4),
    (False, True): (0, 1, 3, 4, 2, 5),
    (False, False): (0, 1, 3, 5, 2, 4),
}
"""Where the cells within a block come to lie before the blocks, by whether tables have them first."""


def unfolded(b: Builder, x: str, window: tuple[int, int, int, int], within: tuple[bool, bool]) -> str:
    """A map (N, C, H, W) as (N, C, k, k, blocks, blocks)."""
    side, step, dilation, pad = window
    height, width = (16, 20)
    if pad:
        x = b.node("Pad", x, b.constant((0, 0, pad, pad, 0, 0, pad, pad), np.int64))
    for axis, length, first in ((2, height, within[0]), (4, width, within[1])):
        blocks = (length + 2 * pad - dilation * (side - 1) - 1) // step + 1
        table = dilation * np.arange(side)[:, None] + step * np.arange(blocks)
        x = b.node("Gather", x, b.constant(table if first else table.T, np.int64), axis=axis)
    return x


def reshaped(b: Builder, x: str, *target: int) -> str:
    return b.node("Reshape", x, b.constant(target, np.int64))


def network(
    window: tuple[int, int, int, int], within: tuple[bool, bool], order: tuple[int, ...], *, row: bool
) -> onnx.ModelProto:
    b = Builder(("n", 3, 16, 20), positive=True)
    side, step, dilation, pad = window
    x = b.node("Transpose", unfolded(b, b.image, window, within), perm=order)
    grid = [(n + 2 * pad - dilation * (side - 1) - 1) // step + 1 for n in (16, 20)]
    units = 3 * side * side
    if row:
        x = b.node("Transpose", reshaped(b, x, 0, units, -1), perm=(0, 2, 1))
        x = b.relu(b.node("MatMul", x, b.weight((units, 6))), name="tokens")
        x = reshaped(b, b.node("Transpose", x, perm=(0, 2, 1)), 0, 6, *grid)
        b.units[x] = 6
    else:
        x = reshaped(b, x, 0, units, *grid)
        b.units[x] = units
    return b.model(b.relu(b.conv(x, 4, 1, pads=(0, 0, 0, 0)), name="out"))


@pytest.mark.parametrize("row", [False, True], ids=["map", "tokens"])
@pytest.mark.parametrize("within", list(ORDERS))
@pytest.mark.parametrize("window", WINDOWS)
def test_blocks_lie_where_a_convolution_has_them(
    window: tuple[int, int, int, int], within: tuple[bool, bool], row: bool
) -> None:
    side, step, dilation, pad = window
    model = network(window, within, ORDERS[within], row=row)
    reach = dilation * (side - 1)
    field = assert_exact(model, "out")
    for want, found in ((reach / 2 - pad, field.offset), (step, field.stride), (reach + 1, field.size)):
        assert found == pytest.approx((want, want))
    if row:
        assert inspect(model, "tokens").layout == "NTC"
        assert inspect(model, "tokens").receptive_field == field


@pytest.mark.parametrize("within", list(ORDERS))
def test_blocks_put_together_in_another_order_are_refused(within: tuple[bool, bool]) -> None:
    rows, columns = ORDERS[within], list(ORDERS[within])
    columns[4], columns[5] = columns[5], columns[4]
    b = Builder(("n", 3, 16, 20), positive=True)
    x = b.node("Transpose", unfolded(b, b.image, (4, 4, 1, 0), within), perm=tuple(columns))
    x = reshaped(b, x, 0, 48, 4, 5)
    b.units[x] = 48
    wrong = b.model(b.conv(x, 4, 1, pads=(0, 0, 0, 0), name="out"))
    assert refusal(wrong, "out")
    assert_exact(network((4, 4, 1, 0), within, rows, row=False), "out")


def test_overlapping_blocks_one_behind_the_other_are_no_map() -> None:
    b = Builder(("n", 3, 16, 20), positive=True)
    x = b.node("Transpose", unfolded(b, b.image, (3, 1, 1, 1), (True, True)), perm=(0, 1, 3, 2, 5, 4))
    x = reshaped(b, x, 0, 3, 48, 60)
    b.units[x] = 3
    model = b.model(b.conv(x, 4, 1, pads=(0, 0, 0, 0), name="out"))
    assert "not in the order of the picture" in refusal(model, "out")
