"""Accuracies, areas and ranks are what the formulas say, and resamples of equal images say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import ablation as naive

from onnxdissect.experiments.ablation.accuracy import areas, class_rates, interval, resampled_images
from onnxdissect.experiments.ablation.importance import rank_correlation, rank_units

CLASSES = 3


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """What is shown, each class at least once, what is predicted, and scores with equal ones among them."""
    count = draw(st.integers(CLASSES, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = rng.permutation(np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, count - CLASSES)]))
    predicted = rng.integers(-1, CLASSES, (4, count))
    return truth, predicted, rng.integers(0, 4, (4, count, CLASSES)).astype(np.float64)


@settings(max_examples=60, deadline=None)
@given(predictions())
def test_rates_are_the_formulas(drawn: tuple[Any, Any, Any]) -> None:
    truth, predicted, scores = drawn
    highest = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    losses = -np.take_along_axis(highest, truth[None, :, None], axis=2)[:, :, 0]
    found = class_rates(predicted, losses, truth, CLASSES)
    of_class = np.array([-1, 1, -1, 0])
    area = areas(scores[[1, 3], :, [1, 0]], scores[[0, 2]], of_class, truth, CLASSES)
    for v in range(4):
        for number in range(CLASSES):
            assert found.accuracy[v, number] == pytest.approx(
                naive.balanced_accuracy(predicted[v].tolist(), truth.tolist(), number)
            )
            assert found.top1[v, number] == pytest.approx(naive.top1(predicted[v], truth, number))
            assert found.log_loss[v, number] == pytest.approx(naive.log_loss(scores[v], truth, number))
            if of_class[v] in (-1, number):
                expected = naive.roc_area(scores[v, :, number].tolist(), (truth == number).tolist())
                assert area[v, number] == pytest.approx(expected)
            else:
                assert np.isnan(area[v, number])


@settings(max_examples=40, deadline=None)
@given(predictions())
def test_units_are_ranked_by_accuracy_then_loss_then_number(drawn: tuple[Any, Any, Any]) -> None:
    truth, predicted, scores = drawn
    found = class_rates(predicted, scores[:, :, 0], truth, CLASSES)
    ranked = rank_units(found)
    for number in range(CLASSES):
        drops = (found.accuracy[0] - found.accuracy[1:])[:, number].round(12)
        rises = (found.log_loss[1:] - found.log_loss[0])[:, number]
        np.testing.assert_array_equal(ranked.drop[number], drops)
        assert ranked.order[number].tolist() == naive.order(drops.tolist(), rises.tolist())
        by_loss = rank_units(found, "log-loss")
        assert by_loss.order[number].tolist() == naive.order(rises.tolist(), drops.tolist())
        np.testing.assert_array_equal(by_loss.needed()[number], rises > 0)
    needed = ranked.needed()
    assert (needed == (ranked.drop > 0)).all(), "of three units each is among the four first"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12))
def test_ranks_are_correlated_with_ties(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array(values, np.float64) for values in zip(*pairs, strict=True))
    found, expected = rank_correlation(one, other), naive.rank_correlation(one.tolist(), other.tolist())
    assert (found is None) == (expected is None)
    if found is not None:
        assert found == pytest.approx(expected, abs=1e-12)


def test_resamples_hold_each_class_as_often_and_measure_what_they_hold() -> None:
    truth = np.array([2, 0, 1, 0, 2, 2, 1, 0])
    predicted = np.array([2, 0, -1, 1, 0, 2, 1, 0])
    resampled = resampled_images(truth, 130, 5)
    assert resampled is not None
    sizes = np.bincount(truth)
    top1, accuracy = resampled.rates(predicted)
    for b in range(130):
        often = np.empty(len(truth), np.int64)
        often[resampled.order] = resampled.weights[b]
        images = np.repeat(np.arange(len(truth)), often)
        np.testing.assert_array_equal(np.bincount(truth[images], minlength=3), sizes)
        for number in range(3):
            drawn = predicted[images].tolist(), truth[images].tolist(), number
            assert accuracy[b, number] == pytest.approx(naive.balanced_accuracy(*drawn))
            assert top1[b, number] == pytest.approx(naive.top1(*drawn))
    for number in range(3):
        one = resampled.rates(predicted, number)
        np.testing.assert_array_equal(one[0][:, 0], top1[:, number])
        np.testing.assert_array_equal(one[1][:, 0], accuracy[:, number])
    again = resampled_images(truth, 130, 5)
    assert again is not None
    np.testing.assert_array_equal(again.weights, resampled.weights)
    # two classes of equal size are not drawn alike
    assert (resampled.weights[:, :3] != resampled.weights[:, 5:]).any()
    assert resampled_images(truth, 0, 5) is None and interval(None) == (None, None)
    low, high = interval(accuracy[:, 0])
    assert (low, high) == tuple(np.quantile(accuracy[:, 0], (0.025, 0.975)))
