"""Permutations, random directions, and bases of numbers that were given."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from onnxdissect.errors import ParameterError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.draws import random_directions, random_permutation


@settings(max_examples=40, deadline=None)
@given(units=st.integers(1, 300), seed=st.integers(0, 2**63 - 1))
def test_a_permutation_has_every_unit_once(units: int, seed: int) -> None:
    basis = Basis.permutation(units, seed)
    assert set(np.unique(basis.matrix)) <= {0, 1}
    assert (basis.matrix.sum(axis=0) == 1).all() and (basis.matrix.sum(axis=1) == 1).all()
    unit, cosine = basis.nearest_units()
    np.testing.assert_array_equal(unit, random_permutation(units, seed))
    np.testing.assert_array_equal(cosine, 1)


def test_permutations_are_as_likely() -> None:
    orders = [str(random_permutation(3, seed)) for seed in range(3000)]
    counts = [orders.count(order) for order in sorted(set(orders))]
    assert len(counts) == 6 and chisquare(counts).pvalue > 0.01
    # what a seed gives is part of published results: this order never changes, on no machine
    assert random_permutation(6, 1).tolist() == [2, 3, 5, 0, 4, 1]
    assert Basis.permutation(6, 1).name == "permutation:seed=1"


@settings(max_examples=40, deadline=None)
@given(units=st.integers(1, 60), n=st.integers(1, 90), seed=st.integers(0, 2**63 - 1))
def test_directions_are_unit_vectors(units: int, n: int, seed: int) -> None:
    basis = Basis.directions(units, n, seed)
    assert basis.matrix.shape == (n, units)
    np.testing.assert_allclose(np.linalg.norm(basis.matrix.astype(float), axis=1), 1, rtol=0, atol=1e-6)
    more = Basis.directions(units, n + 3, seed)
    np.testing.assert_array_equal(more.matrix[:n], basis.matrix)


def test_directions_are_uniform_over_the_sphere() -> None:
    # on the sphere in three dimensions every coordinate is uniform
    found = random_directions(3, 3000, 0)
    for axis in range(3):
        assert kstest((found[:, axis] + 1) / 2, "uniform").pvalue > 0.01
    assert np.abs(found.T @ found / len(found) - np.eye(3) / 3).max() < 0.03
    np.testing.assert_allclose(
        Basis.directions(3, 1, 1).matrix[0], [-0.83272952, 0.46154916, 0.30583316], rtol=0, atol=2e-7
    )


def test_given_numbers_are_kept_and_locked() -> None:
    matrix = np.array([[1, 2, 3], [0, 0.5, -4]])
    names = ["first", "second"]
    basis = Basis.of("mine", matrix.T.copy().T, [1, -1], "topk:2", names)
    matrix[:] = 9
    np.testing.assert_array_equal(basis.matrix, [[1, 2, 3], [0, 0.5, -4]])
    assert basis.matrix.flags.c_contiguous and basis.matrix.dtype == np.float32 and basis.units == 3
    assert basis.nbytes == (6 + 2) * 4
    assert basis.bias is not None
    for array in (basis.matrix, basis.bias):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    assert basis.record["names"] == names and basis.record["activation"] == "topk:2" and basis.record["bias"]
    assert pickle.loads(pickle.dumps(basis)) == basis
    others = [
        Basis.of("other", basis.matrix, [1, -1], "topk:2", names),
        Basis.of("mine", basis.matrix, [1, -1.5], "topk:2", names),
        Basis.of("mine", basis.matrix, [1, -1], "topk:1", names),
        Basis.of("mine", basis.matrix, [1, -1], "topk:2"),
        Basis.of("mine", basis.matrix, None, "topk:2", names),
    ]
    assert all(basis != other for other in others)
    assert len({one.digest for one in others}) == 4


def test_nearest_units() -> None:
    unit, cosine = Basis.of("mine", [[3, 4, 0], [-9, 0, 1], [1, 1, 0]]).nearest_units()
    assert unit.tolist() == [1, 2, 0]
    np.testing.assert_allclose(cosine, [0.8, 1 / np.sqrt(82), np.sqrt(0.5)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "a basis has no name"),
        ({"matrix": [1, 2]}, r"the matrix of the basis 'b' has the shape \[2\], not \[rows, units\]"),
        ({"matrix": np.zeros((0, 2))}, r"has the shape \[0, 2\]"),
        ({"matrix": [[1, np.inf]]}, "not finite in float32, as in row 0"),
        ({"matrix": [[1, 1], [1e39, 0]]}, "not finite in float32, as in row 1"),
        ({"matrix": [["a", "b"]]}, "holds <U1, no real numbers"),
        ({"matrix": [[1j, 0]]}, "holds complex128, no real numbers"),
        ({"matrix": [[0, 1], [0, 0], [0, 1e-60]]}, "has 2 rows of zeros, the first is row 1"),
        ({"bias": [1, 2]}, "has 1 row and a bias for 2"),
        ({"bias": [np.nan]}, "the bias of the basis 'b' holds numbers that are not finite"),
        ({"bias": [[1]]}, r"the bias of the basis 'b' has the shape \[1, 1\], not \[rows\]"),
        ({"name": 3}, "a basis is called by a text, not by 3"),
        ({"name": "a\udfff"}, r"is called 'a\\udfff', which UTF-8 cannot write"),
        ({"row_names": ["\ud800"]}, r"row 0 of the basis 'b' is called '\\ud800', which UTF-8 cannot write"),
        ({"row_names": [7]}, "row 0 of the basis 'b' is called by a text, not by 7"),
        ({"row_names": 7}, "names of the rows of the basis 'b' are a list of texts, not 7"),
        ({"matrix": [[1, 2], [3]]}, "the matrix of the basis 'b' is no array"),
        ({"matrix": [[0, 0]]}, "has 1 row of zeros, the first is row 0"),
        ({"activation": 3}, "has the activation 3"),
        ({"row_names": ["a", "b"]}, "has 1 row and names for 2"),
        ({"activation": "gelu"}, "has the activation 'gelu'"),
        ({"activation": "topk"}, "has the activation 'topk'"),
        ({"activation": "topk:0"}, "has the activation 'topk:0' and 1 rows"),
        ({"activation": "topk:2"}, "has the activation 'topk:2' and 1 rows"),
        ({"matrix": np.ones((65_537, 1))}, "has 65,537 rows for 1 unit, where at most 65536 rows are taken"),
    ],
)
def test_numbers_that_make_no_basis(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Basis.of(**{"name": "b", "matrix": [[1.0, 2.0]], **given})


def test_draws_that_cannot_be_made() -> None:
    with pytest.raises(ParameterError, match="the seed of a basis is -1"):
        Basis.permutation(4, -1)
    with pytest.raises(ParameterError, match="of 0 rows for 4 units was asked for as random directions"):
        Basis.directions(4, 0)
    with pytest.raises(ParameterError, match="where at most 65536 rows are taken"):
        Basis.directions(4, 65_537)
    with pytest.raises(ParameterError, match="of 0 rows"):
        Basis.identity(0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda made: made.rotation(4, seed=1.5), "seeds of a basis are whole numbers, not 1.5"),
        (lambda made: made.permutation(4, seed=True), "seeds of a basis are whole numbers, not True"),
        (lambda made: made.directions(4, "3"), "rows of a basis are whole numbers, not '3'"),
        (lambda made: made.identity(None), "rows of a basis are whole numbers, not None"),
        (lambda made: made.identity(np.ones(3)), "not an object of the type ndarray"),
        (lambda made: made.rotation(4, alpha="x"), "alpha is 'x' where a rotation takes one from 0 to 1"),
        (lambda made: made.rotation(4, alpha=None), "alpha is None where"),
        (lambda made: made.rotation(4, alpha=float("nan")), "alpha is nan where"),
        (lambda made: made.rotations(4, 0, "1"), "shares of a rotation are a list, not '1'"),
        (lambda made: made.rotations(4, 0, 0.5), "shares of a rotation are a list, not 0.5"),
        (lambda made: made.from_file(3), "a basis is read from the path of a file, not from 3"),
    ],
)
def test_values_of_a_wrong_type_are_refused_by_name(make: Callable[[Any], Basis], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        make(Basis)


def test_whole_numbers_of_numpy_are_taken() -> None:
    numbers: Any = (np.int64(4), np.uint8(3), np.float32(0.5))
    assert Basis.rotation(*numbers) == Basis.rotation(4, 3, 0.5)
    assert Basis.of("both", np.eye(2), row_names=["\U0001f600", "größe"]).row_names[0] == "\U0001f600"
