"""Shapes over one another: no label of a pixel is lost, and there are no more maps than labels at a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxdissect.data.importers.drawing import planes as planes_module
from onnxdissect.data.importers.drawing.planes import Planes
from onnxdissect.data.importers.drawing.polygons import Patch


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shapes=st.integers(0, 12), labels=st.integers(1, 5))
def test_every_label_of_every_pixel_is_held_once(seed: int, shapes: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    planes = Planes((5, 6))
    want = np.zeros((labels + 1, 5, 6), bool)
    for _ in range(shapes):
        (top, bottom), (left, right) = np.sort(rng.integers(0, 6, 2)), np.sort(rng.integers(0, 7, 2))
        number, inside = int(rng.integers(1, labels + 1)), rng.random((bottom - top, right - left)) < 0.6
        planes.add(number, Patch(int(top), int(left), inside))
        want[number, top:bottom, left:right] |= inside
    found = np.array(planes.maps).reshape(-1, 5, 6)
    for number in range(1, labels + 1):
        assert ((found == number).sum(axis=0) == want[number]).all()
    assert len(found) == want.sum(axis=0).max()


def test_more_labels_than_the_layout_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes_module, "MOST_MAPS", 5)
    planes, pixel = Planes((2, 2)), Patch(1, 1, np.ones((1, 1), bool))
    for number in range(1, 6):
        planes.add(number, pixel)
    with pytest.raises(ValueError, match="more than 5 labels lie over one another"):
        planes.add(6, pixel)


def test_maps_of_a_large_image_are_fewer() -> None:
    planes, pixel = Planes((1 << 14, 1 << 12)), Patch(0, 0, np.ones((1, 1), bool))
    planes.add(1, pixel)
    planes.add(2, pixel)
    with pytest.raises(ValueError, match="more than 2 labels lie over one another"):
        planes.add(3, pixel)
