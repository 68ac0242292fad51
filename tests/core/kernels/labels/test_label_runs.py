"""Annotations packed as runs, against the planes pixel by pixel."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxdissect.core.kernels.labels.label_runs import pack
from onnxdissect.data.annotation import Annotation, annotate

CONCEPTS = 6
CATEGORY_OF = np.array([0, 0, 1, 2, 2, 1])
GRIDS = np.array([[1, 1], [3, 5], [4, 2]])


@st.composite
def drawn_annotations(draw: st.DrawFn) -> Annotation:
    grid = GRIDS[draw(st.integers(0, 2))]
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    most = draw(st.integers(0, CONCEPTS))
    maps = [random.integers(0, most + 1, grid) for _ in range(draw(st.integers(0, 3)))]
    labels = draw(st.lists(st.integers(0, CONCEPTS - 1), max_size=2))
    return annotate((int(grid[0]), int(grid[1])), maps, labels)


def covers(annotation: Annotation, concept: int) -> NDArray[np.bool_]:
    if concept in annotation.image_labels:
        return np.ones(annotation.grid, np.bool_)
    covered: NDArray[np.bool_] = (annotation.planes == concept + 1).any(axis=0)
    return covered


@settings(deadline=None, max_examples=200)
@given(chunk=st.lists(drawn_annotations(), max_size=5), fortran=st.booleans())
def test_runs_and_truths(chunk: list[Annotation], fortran: bool) -> None:
    if fortran:  # as a data set of one's own may give them
        chunk = [Annotation(a.grid, np.asfortranarray(a.planes), a.image_labels) for a in chunk]
    packed, truths = pack(chunk, GRIDS, CATEGORY_OF, 3)
    assert truths.shape == (len(chunk), CONCEPTS)
    runs = []
    for i, annotation in enumerate(chunk):
        runs += [(label, len(list(pixels))) for label, pixels in groupby(annotation.planes.ravel().tolist())]
        held = [int(covers(annotation, concept).sum()) for concept in range(CONCEPTS)]
        assert truths[i].tolist() == held
        categories = {CATEGORY_OF[concept] for concept in range(CONCEPTS) if held[concept]}
        assert set(np.flatnonzero(packed.has_category[i])) == categories
        assert tuple(GRIDS[packed.grid_of[i]]) == annotation.grid
        at, end = packed.image_label_starts[i : i + 2]
        np.testing.assert_array_equal(packed.image_labels[at:end], annotation.image_labels)
    assert list(zip(packed.run_labels.tolist(), packed.run_lengths.tolist(), strict=True)) == runs
    assert np.diff(packed.plane_starts).tolist() == [annotation.planes.size for annotation in chunk]
    dtypes = {"run_labels": np.uint16, "run_lengths": np.uint32, "image_labels": np.int64}
    assert all(getattr(packed, name).dtype == dtype for name, dtype in dtypes.items())
