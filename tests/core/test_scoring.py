"""Scoring against its naive twin, and by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import scoring as naive
from numpy.typing import NDArray

from onnxdissect.core import scoring
from onnxdissect.errors import ParameterError


@dataclass(frozen=True)
class Case:
    intersection: NDArray[np.int64]  # (Q, K, C)
    activation: NDArray[np.int64]  # (Q, K, G)
    total: NDArray[np.int64]  # (Q, K)
    truth: NDArray[np.int64]  # (C,)
    category_of: NDArray[np.int64]
    categories: int
    threshold: float


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Small counts, so that ties, empty masks, absent concepts and 0/0 are common."""
    Q, K = draw(st.integers(1, 2)), draw(st.integers(1, 6))
    C, G = draw(st.integers(0, 7)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    largest = draw(st.sampled_from([2, 5, 1000]))
    category_of = rng.integers(0, G, C)
    truth = rng.integers(0, largest, C)
    activation = rng.integers(0, largest, (Q, K, G))
    room = np.minimum(truth, activation[..., category_of])
    return Case(
        intersection=rng.integers(0, room + 1),
        activation=activation,
        total=activation.max(axis=-1) + rng.integers(0, largest, (Q, K)),
        truth=truth,
        category_of=category_of,
        categories=G,
        threshold=draw(st.sampled_from([0.0, 0.04, 0.25, 1 / 3, 0.5])),
    )


@given(cases())
@settings(deadline=None)
def test_iou_is_the_formula(case: Case) -> None:
    per_category = scoring.iou(case.intersection, case.activation, case.truth, case.category_of)
    once = scoring.iou(case.intersection, case.total, case.truth)
    for q in range(len(case.total)):
        of = case.category_of.tolist()
        expected = naive.all_iou(case.intersection[q], case.activation[q], case.truth, of)
        np.testing.assert_array_equal(per_category[q], expected, strict=True)
        expected = naive.all_iou(case.intersection[q], case.total[q], case.truth, None)
        np.testing.assert_array_equal(once[q], expected, strict=True)


@given(cases())
@settings(deadline=None)
def test_labels_and_counts_are_the_definitions(case: Case) -> None:
    iou = scoring.iou(case.intersection, case.activation, case.truth, case.category_of)
    scores = scoring.score(iou, case.category_of, case.categories)
    found = scoring.detectors(scores.best, case.threshold)
    for q in range(len(case.total)):
        expected = naive.verdict(iou[q], case.category_of.tolist(), case.categories, case.threshold)
        assert indices(scores.concept[q]) == expected["labels"]
        assert scores.best[q].tolist() == expected["best"]
        assert [
            list(zip(indices(concepts), values.tolist(), strict=True))
            for concepts, values in zip(scores.category_concept[q], scores.category_best[q], strict=True)
        ] == expected["in_category"]
        assert found[q].tolist() == expected["detectors"]
        assert scoring.unique_detectors(scores.concept[q], found[q]) == expected["unique"]
        by_category = scoring.unique_by_category(
            scores.concept[q], found[q], case.category_of, case.categories
        )
        assert by_category.tolist() == expected["unique_by_category"]
        assert (
            scoring.unique_any(scores.category_concept[q], scores.category_best[q], case.threshold)
            == expected["unique_any"]
        )


def indices(concepts: NDArray[np.int64]) -> list[int | None]:
    return [None if c == scoring.NO_CONCEPT else c for c in concepts.tolist()]


def test_zero_over_zero_is_zero() -> None:
    nothing = np.zeros((1, 1), np.int64)
    assert scoring.iou(nothing, nothing, np.zeros(1, np.int64), np.zeros(1, np.int64)).tolist() == [[0.0]]


def test_counts_beyond_int32_stay_exact() -> None:
    big = np.array([[2**40 + 1]])
    score = scoring.iou(big, big + 2**40, np.array([2**41]), np.array([0]))
    assert score.item() == (2**40 + 1) / (2**41 + 2**40)


def test_the_lowest_number_wins_a_tie() -> None:
    concept, best = scoring.best_concepts(np.array([[0.1, 0.3, 0.3]]))
    assert (concept.item(), best.item()) == (1, 0.3)


def test_a_mask_that_meets_nothing_has_no_label() -> None:
    scores = scoring.score(np.zeros((2, 3)), np.array([0, 0, 1]), 3)
    assert (scores.concept == scoring.NO_CONCEPT).all()
    assert (scores.category_concept == scoring.NO_CONCEPT).all()
    # At a threshold of 0 everything with a label is a detector, and nothing without one.
    assert not scoring.detectors(scores.best, 0.0).any()


def test_a_detector_exceeds_the_threshold() -> None:
    best = np.array([0.04, np.nextafter(0.04, 1), 0.0])
    assert scoring.detectors(best, 0.04).tolist() == [False, True, False]


def test_a_unit_counts_in_every_category_it_passes() -> None:
    # Two units, both "car" by top label; the first also passes in the colours, the second in the textures.
    iou = np.array([[0.30, 0.01, 0.10, 0.00, 0.02], [0.20, 0.00, 0.03, 0.02, 0.05]])
    category_of = np.array([0, 0, 1, 1, 2])
    scores = scoring.score(iou, category_of, 3)
    found = scoring.detectors(scores.best, 0.04)
    assert found.tolist() == [True, True]
    assert scoring.unique_detectors(scores.concept, found) == 1
    assert scoring.unique_by_category(scores.concept, found, category_of, 3).tolist() == [1, 0, 0]
    assert scoring.unique_any(scores.category_concept, scores.category_best, 0.04) == 3


@pytest.mark.parametrize("threshold", [-0.01, 1.0, 2.0, float("nan"), float("inf")])
def test_an_iou_threshold_is_a_share(threshold: float) -> None:
    with pytest.raises(ParameterError, match="IoU threshold"):
        scoring.check_iou_threshold(threshold)


def test_the_conventions_are_listed() -> None:
    with pytest.raises(ParameterError) as caught:
        scoring.check_scoring("Paper")
    assert caught.value.candidates[0] == "paper"
    assert [scoring.check_scoring(name) for name in scoring.SCORINGS] == ["paper", "lite", "pnas"]
