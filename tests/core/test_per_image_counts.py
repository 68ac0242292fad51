"""When the annotations of two runs are the same."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from support.resampled import made_up

from onnxdissect.core.per_image_counts import TruthCounts


@pytest.fixture
def truth() -> TruthCounts:
    _, truth, _, _ = made_up(np.random.default_rng(1), images=5, units=1)
    return replace(truth, groups=np.array([0, 0, 1, 1, 2]))


def test_equal_annotations_are_the_same(truth: TruthCounts) -> None:
    copied = TruthCounts(*(getattr(truth, field.name).copy() for field in fields(truth)))
    assert truth.same(truth) and truth.same(copied) and copied.same(truth)


@pytest.mark.parametrize("name", [field.name for field in fields(TruthCounts)])
def test_annotations_that_differ_anywhere_are_not(truth: TruthCounts, name: str) -> None:
    array = getattr(truth, name)
    other = replace(truth, **{name: np.concatenate([array[:1] ^ 1, array[1:]])})
    assert not truth.same(other) and not other.same(truth)
    assert not truth.same(replace(truth, **{name: array[:-1]}))


def test_groups_on_one_side_only_are_a_difference(truth: TruthCounts) -> None:
    plain = replace(truth, groups=None)
    assert plain.same(replace(plain)) and not plain.same(truth) and not truth.same(plain)
