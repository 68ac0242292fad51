"""From scores to classes, beside the same said literally."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import segmenter as naive

from onnxdissect.segmenter.pixel_labels import UNLABELLED, choose_classes, resize_numbers, resize_scores


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 6),
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(0, 999),
    st.sampled_from([None, 0.3, 0.6, 1.0]),
)
def test_classes_are_those_of_the_naive_twin(
    classes: int, height: int, width: int, seed: int, least: float | None
) -> None:
    # whole numbers: many classes score alike
    scores = np.random.default_rng(seed).integers(-3, 4, (classes, height, width)).astype(np.float32)
    found = choose_classes(scores, least=least)
    assert found is not None
    assert np.array_equal(found, naive.chosen(scores, least))


def test_a_chance_is_taken_as_it_is() -> None:
    scores = np.array([[[0.2, 0.5, 0.51]], [[0.8, 0.5, 0.49]]], np.float32)
    found = choose_classes(scores, least=0.5, chances=True)
    assert found is not None
    assert found.tolist() == [[1, 0, 0]]
    assert np.array_equal(found, naive.chosen(scores, 0.5, chances=True))
    stricter = choose_classes(scores, least=0.6, chances=True)
    assert stricter is not None
    assert stricter.tolist() == [[1, UNLABELLED, UNLABELLED]]


def test_large_logits_overflow_nothing() -> None:
    scores = np.array([[[3e38]], [[-3e38]]], np.float32)
    with np.errstate(over="ignore"):
        found = choose_classes(scores, least=0.99)
    assert found is not None
    assert found.tolist() == [[0]]


def test_what_is_no_number_is_told() -> None:
    for strange in (np.nan, np.inf):
        scores = np.zeros((3, 2, 2), np.float32)
        scores[1, 0, 1] = strange
        assert choose_classes(scores) is None
    masked = np.zeros((3, 2, 2), np.float32)
    masked[1] = -np.inf
    found = choose_classes(masked)
    assert found is not None
    assert not found.any()
    masked[:] = -np.inf
    assert choose_classes(masked) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_numbers_are_taken_at_the_centres_of_cells(height: int, width: int, rows: int, columns: int) -> None:
    numbers = np.arange(height * width).reshape(height, width)
    assert np.array_equal(
        resize_numbers(numbers, (rows, columns)), naive.at_centres(numbers, (rows, columns))
    )


def test_scores_that_fall_together_are_averaged() -> None:
    scores = np.random.default_rng(3).normal(size=(5, 8, 12)).astype(np.float32)
    assert resize_scores(scores, (8, 12)) is scores
    np.testing.assert_allclose(resize_scores(scores, (4, 6)), naive.means(scores, 2), rtol=1e-5, atol=1e-6)


def test_scores_between_centres_are_bilinear() -> None:
    scores = np.array([[[0.0, 4.0]], [[8.0, 0.0]]], np.float32)
    wide = resize_scores(scores, (1, 4))
    assert wide.tolist() == [[[0, 1, 3, 4]], [[8, 6, 2, 0]]]
