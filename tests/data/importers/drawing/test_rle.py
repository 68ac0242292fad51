"""Run lengths, beside reading them letter by letter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import shapes as naive
from support.samples.coco import packed, runs

from onnxdissect.data.importers.drawing.rle import fill_runs, unpack_runs


@settings(max_examples=200, deadline=None)
@given(counts=st.lists(st.integers(0, 2**27), min_size=1, max_size=30))
def test_packed_runs_are_read_back(counts: list[int]) -> None:
    text = packed(counts)
    assert unpack_runs(text).tolist() == counts == naive.runs(text)


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_any_text_is_read_as_it_is_or_refused(text: str) -> None:
    try:
        found = unpack_runs(text).tolist()
    except ValueError:
        assert any(not "0" <= one <= "o" for one in text) or text[-1] >= "P" or len(text) > 7
        return
    assert found == naive.runs(text)


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_mask_is_filled_by_its_runs(seed: int, columns: bool) -> None:
    mask = np.random.default_rng(seed).random((7, 5)) < 0.4
    counts = runs(mask if columns else mask.T)
    assert np.array_equal(fill_runs(counts, (7, 5), columns=columns), mask)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([3, 4], "add up to 7 pixels, and its mask of 4 x 2 has 8"),
        ([3, 4, 2], "not whole numbers|add up to 9"),
        ([], "add up to 0 pixels"),
        ([-1, 9], "not whole numbers from 0 to 8"),
        ([9], "not whole numbers from 0 to 8"),
        ([3.0, 5], "not whole numbers"),
        ([True, 7], "not whole numbers"),
        ([None], "not whole numbers"),
        (["8"], "not whole numbers"),
    ],
)
def test_runs_that_do_not_fit_are_refused(counts: list[object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fill_runs(counts, (4, 2), columns=True)


def test_runs_of_64_bits_do_not_wrap_around() -> None:
    with pytest.raises(ValueError, match="not whole numbers"):
        fill_runs(np.array([2**62, 2**62, 2**62, 2**62, 8], np.int64), (4, 2), columns=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0é", "letters that"),
        ("0 ", "letters that"),
        ("5P", "break off"),
        ("oooooooo0", "no image is large enough"),
    ],
)
def test_texts_that_packing_does_not_make_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        unpack_runs(text)
