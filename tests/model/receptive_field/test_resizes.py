"""Receptive fields of enlarged maps: how opsets write the scales, and how cells between two are rounded."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from support.models import Builder
from support.probing import inspect

from onnxdissect.model import ReceptiveField


def test_an_old_resize_takes_its_scales_second() -> None:
    b = Builder(("N", 1, 16, 16), positive=True, opset=10)
    x = b.conv(b.image, 2, 3)
    y = b.node("Resize", x, b.constant([1, 1, 2, 2], np.float32), mode="linear", name="grown")
    field = inspect(b.model(b.node("Identity", y)), "grown").receptive_field
    assert field == ReceptiveField((0.0, 0.0), (0.5, 0.5), (4.0, 4.0))


def test_upsample_by_attribute() -> None:
    b = Builder(("N", 1, 16, 16), positive=True, opset=7)
    x = b.conv(b.image, 2, 3)
    y = b.node("Upsample", x, scales=[1.0, 1.0, 2.0, 2.0], mode="nearest", name="grown")
    field = inspect(b.model(b.node("Identity", y)), "grown").receptive_field
    assert field == ReceptiveField((-0.25, -0.25), (0.5, 0.5), (3.0, 3.0))


@pytest.mark.parametrize("scale", [2, 3, 5, 6, 7])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_cells_that_lie_exactly_between_are_rounded_as_the_operator_does(scale: int, rounding: str) -> None:
    """In floating point a coordinate that is a whole number may come out just below it."""
    cells = 8
    b = Builder((1, 3, cells, cells), positive=True)
    how = {"nearest_mode": rounding, "coordinate_transformation_mode": "half_pixel", "mode": "nearest"}
    empty = b.constant(np.zeros(0, np.float32))
    y = b.node("Resize", b.image, empty, b.constant([1, 1, scale, scale], np.float32), **how)
    y = b.conv(y, 4, 1, pads=(0, 0, 0, 0))
    half = Fraction(1, 2)
    exact = [Fraction(2 * i + 1, 2 * scale) - half for i in range(cells * scale)]
    rounded = {
        "floor": math.floor,
        "ceil": math.ceil,
        "round_prefer_floor": lambda x: math.ceil(x - half),
        "round_prefer_ceil": lambda x: math.floor(x + half),
    }[rounding]
    shift = sum(rounded(x) - x for x in exact) / len(exact)
    field = inspect(b.model(b.head(y)), y).receptive_field
    assert field is not None
    np.testing.assert_allclose(field.offset, [float(exact[0] + shift)] * 2, atol=1e-6)
    np.testing.assert_allclose(field.stride, [1 / scale] * 2)
