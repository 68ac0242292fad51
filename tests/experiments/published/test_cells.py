"""Numbers as other tools write them."""

from __future__ import annotations

import pytest

from onnxdissect.experiments.published.cells import pixels, ratio, unit_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("0.0", 0),
        ("0e5", 0),
        ("2106473.0", 2106473),
        (" 12 ", 12),
        ("12.", 12),
        ("1.5e1", 15),
        ("1.185e+08", 118_500_000),
        ("120e-1", None),
        ("0012.000", 12),
        ("9007199254740992", 2**53),
        ("9007199254740993", None),
        ("9e15", 9 * 10**15),
        ("1e999", None),
        ("0.5", None),
        (".5", None),
        ("1.5", None),
        ("+1", None),
        ("0x10", None),
    ],
)
def test_pixels(text: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match=r"truth is '.*', not a whole number of pixels"):
            pixels(text, "truth")
    else:
        assert pixels(text, "truth") == value


@pytest.mark.parametrize(
    ("text", "value", "rounding"),
    [
        ("0.04", 0.04, 0.005),
        ("1", 1.0, 0.005),
        ("5e-05", 5e-5, 5e-6),
        ("1.25E-2", 0.0125, 5e-5),
        ("0e9", 0.0, 0.005),
    ],
)
def test_ratios_know_how_far_they_are_rounded(text: str, value: float, rounding: float) -> None:
    found = ratio(text, "iou")
    assert found.value == value
    assert found.rounding == pytest.approx(rounding)


def test_units_may_be_written_as_floats() -> None:
    assert (unit_number("7"), unit_number("7.0")) == (7, 7)
