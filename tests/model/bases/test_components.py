"""Mean and covariance gathered batch by batch, and the principal components made of them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import bases as naive
from numpy.typing import NDArray

from onnxdissect.errors import NonFiniteError, ParameterError
from onnxdissect.model.bases import moments as of_moments
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.moments import Moments


def drawn(rng: np.random.Generator, units: int, far: float = 0.0) -> list[NDArray[Any]]:
    mixed = rng.normal(size=(units, units))
    batches = []
    for _ in range(int(rng.integers(1, 5))):
        n, h, w = (int(size) for size in rng.integers(1, 5, 3))
        batch = np.einsum("vu,nuhw->nvhw", mixed, rng.normal(size=(n, units, h, w))) + far
        batches.append(batch.astype(np.float32))
    return batches


def gathered(units: int, batches: list[NDArray[Any]]) -> Moments:
    found = Moments(units)
    for batch in batches:
        found.add(batch)
    return found


@settings(max_examples=60, deadline=None)
@given(units=st.integers(1, 7), seed=st.integers(0, 10_000), far=st.sampled_from([0.0, 5.0, -3e4]))
def test_moments_are_those_of_all_at_once(units: int, seed: int, far: float) -> None:
    batches = drawn(np.random.default_rng(seed), units, far)
    found = gathered(units, batches)
    mean, covariance = naive.moments(batches)
    assert found.count == sum(batch.size // units for batch in batches)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, rtol=0, atol=1e-12 * (1 + covariance.max()))
    np.testing.assert_array_equal(found.covariance, found.covariance.T)


def test_a_large_mean_costs_no_digits() -> None:
    # sums of squares, even in float64, lose most of their digits here
    batches = [batch * 2.0**-10 + 2.0**10 for batch in drawn(np.random.default_rng(4), 4)]
    batches = [batch.astype(np.float32) for batch in batches]
    _, covariance = naive.moments(batches)
    found = gathered(4, batches).covariance
    np.testing.assert_allclose(found, covariance, rtol=0, atol=1e-9 * np.diag(covariance).max())
    places = np.concatenate([batch.transpose(1, 0, 2, 3).reshape(4, -1) for batch in batches], 1).astype(
        float
    )
    plain = places @ places.T / places.shape[1] - np.outer(places.mean(1), places.mean(1))
    assert np.abs(plain - covariance).max() > 1e-6 * np.diag(covariance).max()


@settings(max_examples=40, deadline=None)
@given(units=st.integers(1, 5), seed=st.integers(0, 10_000), data=st.data())
def test_parts_merge(units: int, seed: int, data: st.DataObject) -> None:
    batches = drawn(np.random.default_rng(seed), units, 10.0)
    order = data.draw(st.permutations(range(len(batches))))
    parts = [gathered(units, [batches[i]]) for i in order]
    parts.insert(data.draw(st.integers(0, len(parts))), Moments(units))
    merged = Moments(units)
    for part in parts:
        again = pickle.loads(pickle.dumps(part))
        assert again.count == part.count
        merged.merge(again)
    whole = gathered(units, batches)
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-9, atol=1e-9)


def test_large_batches_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = drawn(np.random.default_rng(0), 3)
    whole = gathered(3, batches)
    for numbers in (3, 7, 20, 50):
        monkeypatch.setattr(of_moments, "_NUMBERS_AT_ONCE", numbers)
        cut = gathered(3, batches)
        assert cut.count == whole.count
        np.testing.assert_allclose(cut.mean, whole.mean, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(cut.scatter, whole.scatter, rtol=1e-10, atol=1e-10)


def test_what_moments_do_not_take() -> None:
    found = Moments(2)
    batch = np.ones((3, 2, 2, 2), np.float32)
    batch[1, 1, 0, 0] = np.inf
    with pytest.raises(NonFiniteError, match="unit 1 is not finite in image 1 of the batch"):
        found.add(batch)
    assert found.count == 0
    found.add(np.ones((0, 2, 4, 4), np.float32))
    assert found.count == 0 and found.nbytes == (2 + 4) * 8
    with pytest.raises(ValueError, match="none of 2 units"):
        found.add(np.ones((1, 3, 2, 2), np.float32))
    with pytest.raises(ValueError, match="moments of 3 units do not go with those of 2"):
        found.merge(Moments(3))


@settings(max_examples=40, deadline=None)
@given(units=st.integers(1, 8), seed=st.integers(0, 10_000), data=st.data())
def test_components_are_numpys(units: int, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    batches = [*drawn(rng, units, 2.0), *drawn(rng, units, 2.0)]
    batches.append(rng.normal(size=(3, units, 3, 3)).astype(np.float32))
    n = data.draw(st.integers(1, units))
    basis = Basis.pca(gathered(units, batches), n)
    mean, covariance = naive.moments(batches)
    values, vectors = np.linalg.eigh(covariance)
    matrix = basis.matrix.astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(n), rtol=0, atol=1e-6)
    gaps = np.abs(np.subtract.outer(values, values)) + np.diag(np.full(units, np.inf))
    for row in range(n):
        assert matrix[row, np.argmax(np.abs(matrix[row]))] > 0
        if gaps[units - 1 - row].min() < 1e-3 * values[-1]:
            continue  # directions of nearly one variance are any in their plane
        expected = vectors[:, units - 1 - row]
        expected = expected * np.sign(expected[np.argmax(np.abs(expected))])
        np.testing.assert_allclose(matrix[row], expected, rtol=0, atol=1e-6)
    places = np.concatenate([b.transpose(1, 0, 2, 3).reshape(units, -1) for b in batches], axis=1)
    assert basis.bias is not None
    made = matrix @ places + basis.bias[:, np.newaxis]
    scale = np.sqrt(values[-1])
    np.testing.assert_allclose(made.mean(axis=1), 0, rtol=0, atol=1e-5 * (scale + np.abs(mean).max()))
    np.testing.assert_allclose(made.var(axis=1), values[::-1][:n], rtol=0, atol=1e-5 * values[-1])
    record = basis.record
    assert (record["kind"], record["n"], record["places"]) == ("pca", n, places.shape[1])
    assert record["variance_share"] == pytest.approx(values[::-1][:n].sum() / values.sum(), abs=1e-6)


def test_activations_that_vary_in_fewer_directions() -> None:
    rng = np.random.default_rng(1)
    three = rng.normal(size=(40, 3, 5, 5))
    activations = np.einsum("vu,nuhw->nvhw", rng.normal(size=(16, 3)), three).astype(np.float32)
    found = gathered(16, [activations])
    assert Basis.pca(found, 3).record["variance_share"] == pytest.approx(1)
    with pytest.raises(ParameterError, match="vary in 3 directions") as caught:
        Basis.pca(found, 4)
    assert "the 16 units, at 1,000 places" in caught.value.message and str(caught.value.hint).startswith(
        "pca:n=3"
    )
    with pytest.raises(ParameterError, match="are the same everywhere"):
        Basis.pca(gathered(4, [np.full((2, 4, 3, 3), 7.1, np.float32)]), 1)
    with pytest.raises(ParameterError, match="of no activation at all"):
        Basis.pca(Moments(4), 1)
    for n in (0, 17):
        with pytest.raises(
            ParameterError, match=f"pca:n={n} asks for {n} principal components of a layer of 16"
        ):
            Basis.pca(found, n)
    few = gathered(16, [rng.normal(size=(1, 16, 2, 2)).astype(np.float32)])
    with pytest.raises(ParameterError, match="vary in 3 directions"):
        Basis.pca(few, 4)
