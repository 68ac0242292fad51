"""Confusions, strongest units and held shares of drawn numbers, against counting image by image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import confusions as naive
from support.confusions import expect_confusions

from onnxdissect.errors import OutOfMemoryError
from onnxdissect.experiments.confusions import PredictedImage, PredictionArrays
from onnxdissect.experiments.confusions.confused_units import find_confusions
from onnxdissect.experiments.confusions.held_shares import held_shares
from onnxdissect.experiments.confusions.image_pass import expect_memory
from onnxdissect.experiments.confusions.strongest import choose_examples, strongest_units
from onnxdissect.results.records import Unit

UNITS = 5
PLAIN = Unit("deep", 0.005, 0, "cat", "object", 0.1, None, None, None, True, 1.0, {})


@st.composite
def drawn(draw: st.DrawFn) -> tuple[PredictionArrays, list[Unit]]:
    images, seed = draw(st.integers(1, 40)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    classes = draw(st.integers(2, 3))
    shown = rng.integers(0, classes, images).astype(np.int32)
    told = np.where(rng.random(images) < 0.5, shown, rng.integers(0, classes, images)).astype(np.int32)
    # whole numbers add up exactly, in whatever order, and some are equal
    contribution = rng.integers(-3, 4, (images, UNITS)).astype(np.float32)
    wrong = np.flatnonzero(shown != told).astype(np.int32)
    fired = rng.random((images, UNITS)) < 0.6
    arrays = PredictionArrays(
        shown,
        told,
        contribution,
        wrong,
        rng.integers(-3, 4, (len(wrong), UNITS)).astype(np.float32),
        fired,
        fired & (rng.random((images, UNITS)) < 0.5),
        rng.random(UNITS) < 0.7,
    )
    detectors = rng.random(UNITS) < 0.8
    units = [replace(PLAIN, unit=k, detector=bool(detectors[k])) for k in range(UNITS)]
    return arrays, units


@settings(deadline=None, max_examples=60)
@given(drawn())
def test_whatever_is_predicted_is_counted(made: tuple[PredictionArrays, list[Unit]]) -> None:
    arrays, units = made
    detectors = [unit.unit for unit in units if unit.detector]
    expect_confusions(find_confusions(arrays, units, 2, str), arrays, detectors, 2)
    which = np.array([unit.detector for unit in units])
    found = strongest_units(arrays.contribution, arrays.fired, which, 2)
    for i, row in enumerate(found):
        expected = naive.strongest(
            arrays.contribution[i].tolist(), arrays.fired[i].tolist(), set(detectors), 2
        )
        assert row.tolist() == expected
    shares = held_shares(arrays, found, 0, 0)
    known = np.flatnonzero(arrays.known).tolist()
    if not known:
        assert shares is None
        return
    assert shares is not None
    for right, side in ((True, "right"), (False, "wrong")):
        of = np.flatnonzero((arrays.class_index == arrays.predicted_index) == right).tolist()
        told = [
            (
                [k for k in found[i].tolist() if k in known],
                arrays.held[i],
                [k for k in known if arrays.fired[i, k]],
            )
            for i in of
        ]
        if not any(strongest for strongest, _, _ in told):
            assert getattr(shares.strongest, side).value is None
            continue
        own, random = naive.held_share(told)
        assert getattr(shares.strongest, side).value == pytest.approx(own)
        assert getattr(shares.fired, side).value == pytest.approx(random)
        _, random = naive.held_share([(strongest, held, known) for strongest, held, _ in told])
        assert getattr(shares.random, side).value == pytest.approx(random)
        assert getattr(shares.strongest, side).low is None


def test_whole_groups_of_images_are_drawn() -> None:
    images = 60
    held = np.arange(images)[:, None] < 30
    arrays = PredictionArrays(
        np.zeros(images, np.int32),
        np.zeros(images, np.int32),
        np.ones((images, 1), np.float32),
        np.empty(0, np.int32),
        np.empty((0, 1), np.float32),
        np.ones((images, 1), np.bool_),
        held,
        np.ones(1, np.bool_),
    )
    strongest = [np.zeros(1, np.int64)] * images
    alone = held_shares(arrays, strongest, 400, 1)
    # twenty groups of three images that are alike
    grouped = held_shares(arrays, strongest, 400, 1, np.arange(images) // 3)
    few = held_shares(arrays, strongest, 400, 1, np.arange(images) // 4)
    assert alone and grouped and few
    width = [one.strongest.right.high - one.strongest.right.low for one in (alone, grouped)]  # type: ignore[operator]
    assert width[0] == pytest.approx(2 * 1.96 * 0.5 / 60**0.5, rel=0.15)
    assert width[1] == pytest.approx(2 * 1.96 * 0.5 / 20**0.5, rel=0.15)
    assert few.strongest.right.value == 0.5 and few.strongest.right.low is None


def test_a_page_has_room_for_so_many_images() -> None:
    def images(classes: int, of_each: int) -> list[PredictedImage]:
        return [
            PredictedImage("", t, t if i % 2 else (t + 1) % classes, 0.0, 0.0, ())
            for i in range(of_each)
            for t in range(classes)
        ]

    assert len(choose_examples(images(3, 40), 12)) == 3 * 2 * 12
    assert len(choose_examples(images(100, 40), 12)) == 100 * 2 * 3
    most = choose_examples(images(1000, 4), 12)
    assert len(most) == len(set(most)) == 600 and most == sorted(most)
    assert choose_examples(images(3, 40), 0) == []


def test_what_does_not_fit_into_memory_is_refused_beforehand() -> None:
    expect_memory(10**9, 10**5, None)
    expect_memory(1000, 1000, 6 * 10**6)
    with pytest.raises(OutOfMemoryError, match=r"1,000 units contribute in 1,001 images") as error:
        expect_memory(1001, 1000, 6 * 10**6)
    assert error.value.hint is not None and "at most 1,000," in error.value.hint
