"""Label sets of packed annotations, and the pixels of each concept, against the planes pixel by pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxdissect.core.kernels.labels.label_runs import pack
from onnxdissect.core.kernels.labels.label_sets import unpack
from onnxdissect.core.kernels.labels.truth import image_truth
from onnxdissect.data.annotation import Annotation, annotate

CONCEPTS = 6
# Runs of all lengths about the eight pixels that are written at a time, also at the end of an image.
GRIDS = np.array([[1, 1], [3, 5], [1, 8], [5, 40]])


@st.composite
def drawn_annotations(draw: st.DrawFn) -> Annotation:
    grid = GRIDS[draw(st.integers(0, len(GRIDS) - 1))]
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    longest = draw(st.integers(1, 20))
    maps = []
    for _ in range(draw(st.integers(0, 3))):
        runs = random.integers(1, longest + 1, grid.prod())
        labels = random.integers(0, CONCEPTS + 1, grid.prod())
        maps.append(np.repeat(labels, runs)[: grid.prod()].reshape(grid))
    return annotate((int(grid[0]), int(grid[1])), maps, draw(st.lists(st.integers(0, 5), max_size=2)))


@settings(deadline=None, max_examples=200)
@given(chunk=st.lists(drawn_annotations(), min_size=1, max_size=5))
def test_sets_and_truths(chunk: list[Annotation]) -> None:
    packed, truths = pack(chunk, GRIDS, np.zeros(CONCEPTS, np.int64), 1)
    unpacked = unpack(packed, GRIDS)
    assert unpacked.label_sets.size == unpacked.pixel_starts[-1]
    for i, annotation in enumerate(chunk):
        at, end = unpacked.pixel_starts[i : i + 2]
        first, last = unpacked.label_set_starts[i : i + 2]
        sets = unpacked.label_sets[at:end]
        counted = np.bincount(sets, minlength=last - first)
        np.testing.assert_array_equal(unpacked.label_set_pixels[first:last], counted)
        for pixel, label_set in enumerate(sets):
            parts = slice(*unpacked.part_starts[first + label_set : first + label_set + 2])
            held = {int(plane.ravel()[pixel]) - 1 for plane in annotation.planes} - {-1}
            assert sorted(unpacked.parts[parts].tolist()) == sorted(held)
    sizes, concept, pixels = image_truth(unpacked, CONCEPTS)
    found = np.zeros((len(chunk), CONCEPTS), np.int64)
    found[np.repeat(np.arange(len(chunk)), sizes), concept] = pixels
    np.testing.assert_array_equal(found, truths)
