"""Images painted by the concepts of their units, against the rule read pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import explanation as naive
from support.drawn_explanations import drawn_explanation, drawn_unit

from onnxdissect.experiments.explanation import segment_by_units


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.booleans(), st.sampled_from((0.2, 0.6, 0.9, 2.0))), max_size=5
    ),
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_a_pixel_is_painted_by_the_first_detector_whose_mask_holds_it(
    drawn: list[tuple[str, bool, float]], seed: int, height: int, width: int
) -> None:
    maps = np.random.default_rng(seed).random((max(len(drawn), 1), 3, 3))
    units = [
        drawn_unit(i, label, 5.0 - i, detector=detector, threshold=threshold)
        for i, (label, detector, threshold) in enumerate(drawn)
    ]
    found = drawn_explanation(units, maps, height, width)
    segmentation = segment_by_units(found)
    told = [{"label": one.label, "detector": one.detector} for one in found.units]
    masks = [found.mask(one.unit) for one in found.units]
    numbers, labels = naive.segments(told, masks, height, width)
    np.testing.assert_array_equal(segmentation.index, numbers)
    assert [one.concept for one in segmentation.concepts] == labels
    assert [one.number for one in segmentation.concepts] == list(range(1, len(labels) + 1))
    for one in segmentation.concepts:
        assert one.area == pytest.approx((numbers == one.number).mean())
        shares = [found.units[k].share for k in one.units]
        assert one.share == pytest.approx(sum(shares))
        assert all(found.units[k].label == one.concept for k in one.units)


def test_no_more_concepts_are_painted_than_a_number_of_eight_bits_tells_apart() -> None:
    side = 18
    maps = np.zeros((side * side, side, side))
    for k in range(len(maps)):
        maps[k, k // side, k % side] = 1
    units = [drawn_unit(k, f"c{k}", 400.0 - k, detector=True, threshold=0.5) for k in range(len(maps))]
    segmentation = segment_by_units(drawn_explanation(units, maps, side, side))
    assert len(segmentation.concepts) == 255
    expected = np.arange(1, side * side + 1).reshape(side, side)
    np.testing.assert_array_equal(segmentation.index, np.where(expected > 255, 0, expected))
