"""Numbers of tables: ASCII digits, in range, of whatever length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxdissect.storage.numerals import any_number, finite_number, whole_number

STRANGE = ["", " ", "+5", "-0", "1_000", "٣", "²", "५", "1.0", "1e3", "0x10", "inf", "nan", "5 5", "\x005"]


@given(st.integers(0, 10**40), st.integers(0, 10**40), st.integers(0, 3))
def test_a_whole_number_is_read_or_out_of_range(value: int, most: int, zeros: int) -> None:
    text = f" {'0' * zeros}{value}\t"
    assert whole_number(text, most=most) == (value if value <= most else None)
    assert whole_number(text, most=most, least=value + 1) is None


@pytest.mark.parametrize("text", STRANGE)
def test_what_is_no_whole_number(text: str) -> None:
    assert whole_number(text, most=10**9) is None


def test_lengths_that_int_refuses() -> None:
    assert whole_number("9" * 5000, most=65535) is None
    assert whole_number("0" * 5000, most=65535) == 0
    assert whole_number("0" * 5000 + "7", most=65535) == 7
    assert finite_number("9" * 5000, most=1e15) is None
    began = time.process_time()
    assert whole_number("9" * 10_000_000, most=65535) is None
    assert time.process_time() - began < 5


@given(st.floats(0, 1e15))
def test_a_number_reads_back(value: float) -> None:
    assert finite_number(f" {value!r} ", most=1e15) == value


@pytest.mark.parametrize(
    "text", ["", "inf", "-inf", "nan", "1e400", "1e16", "-1", "1_000", "٣", "1.5.2", "0x1p3", "1e", "five"]
)
def test_what_is_no_number(text: str) -> None:
    assert finite_number(text, most=1e15) is None


@given(st.floats())
def test_any_number_reads_back(value: float) -> None:
    found = any_number(f" {value!r} ")
    assert found == value or (value != value and found is not None and found != found)


@pytest.mark.parametrize("text", ["", "0_1", "٠.5", "1e-400", "-0.0001e-999", "0x1p3", "1e", "half"])
def test_what_is_no_number_of_either_sign(text: str) -> None:
    assert any_number(text) is None


def test_zero_is_a_number_in_every_spelling() -> None:
    assert [any_number(text) for text in ("0", "-0.0", "0e9", ".0E-500")] == [0, 0, 0, 0]
