"""Rotations are orthogonal, uniform, and have powers that multiply as those of numbers do."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import bases as naive
from numpy.typing import NDArray
from scipy.stats import ks_2samp, kstest

from onnxdissect.errors import ParameterError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.draws import GRID, haar_rotation
from onnxdissect.model.bases.planes import RotationPlanes

SHARES = st.floats(0, 1, allow_subnormal=False)


def in_float64(basis: Basis) -> NDArray[np.float64]:
    return basis.matrix.astype(np.float64)


@settings(max_examples=40, deadline=None)
@given(units=st.integers(1, 40), seed=st.integers(0, 2**63 - 1), one=SHARES, other=SHARES)
def test_powers_multiply(units: int, seed: int, one: float, other: float) -> None:
    total = one + other
    share = 1 / total if total > 1 else 1.0
    alphas = [one * share, other * share, min(one * share + other * share, 1.0)]
    a, b, both = (in_float64(basis) for basis in Basis.rotations(units, seed, alphas))
    for matrix in (a, b, both):
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(units), rtol=0, atol=1e-6)
        assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-5)
        np.testing.assert_array_equal(matrix / GRID, np.round(matrix / GRID))
    np.testing.assert_allclose(a @ b, both, rtol=0, atol=1e-6)
    np.testing.assert_allclose(b @ a, both, rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(units=st.integers(1, 30), seed=st.integers(0, 1000), alpha=SHARES)
def test_powers_are_those_by_eigenvalues(units: int, seed: int, alpha: float) -> None:
    whole = haar_rotation(units, seed)
    np.testing.assert_allclose(
        RotationPlanes.of(whole).power(alpha), naive.power(whole, alpha), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("units", [1, 2, 3, 64, 257])
def test_power_0_is_the_identity_and_power_1_the_rotation(units: int) -> None:
    none, half, whole = Basis.rotations(units, 5, [0, 0.5, 1])
    np.testing.assert_array_equal(none.matrix, Basis.identity(units).matrix)
    np.testing.assert_allclose(in_float64(whole), haar_rotation(units, 5), rtol=0, atol=GRID)
    np.testing.assert_allclose(in_float64(half) @ in_float64(half), in_float64(whole), rtol=0, atol=1e-6)
    planes = RotationPlanes.of(haar_rotation(units, 5))
    np.testing.assert_allclose(planes.power(0), np.eye(units), rtol=0, atol=1e-12)
    np.testing.assert_allclose(planes.power(1), haar_rotation(units, 5), rtol=0, atol=1e-12)
    assert units < 2 or np.abs(in_float64(whole) - np.eye(units)).max() > 0.1
    # one by one they are the same ones, in any order
    assert Basis.rotation(units, 5, 0.5) == half == Basis.rotations(units, 5, [1, 0.5])[1]


def test_planes_turned_by_pi_are_turned_by_half_of_it() -> None:
    vectors = naive.haar_rotation(np.random.default_rng(0), 7)
    mirrored = vectors @ np.diag([-1.0, -1, 1, -1, 1, 1, -1]) @ vectors.T
    half = RotationPlanes.of(mirrored).power(0.5)
    np.testing.assert_allclose(half @ half, mirrored, rtol=0, atol=1e-12)
    np.testing.assert_allclose(half @ half.T, np.eye(7), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="mirrors"):
        RotationPlanes.of(vectors @ np.diag([-1.0, 1, 1, 1, 1, 1, 1]) @ vectors.T)


def compared(draw: Any, units: int, count: int) -> dict[str, float]:
    """How likely as large a difference between drawn rotations and naive ones is, for several statistics."""
    rng = np.random.default_rng(units)
    found = [draw(units, seed) for seed in range(count)]
    naively = [naive.haar_rotation(rng, units) for _ in range(count)]
    statistics: dict[str, Any] = {
        "first entry": lambda matrix: [matrix[0, 0]],
        "last entry": lambda matrix: [matrix[-1, -1]],
        "trace": lambda matrix: [np.trace(matrix)],
        # each angle is compared in its rank, since those of one matrix repel each other
        "smallest angle": lambda matrix: naive.angles(matrix)[:1],
        "largest angle": lambda matrix: naive.angles(matrix)[-1:],
        "one angle": lambda matrix: [naive.angles(matrix)[len(naive.angles(matrix)) // 2]],
    }
    return {
        name: float(ks_2samp(*(np.concatenate([of(m) for m in ms]) for ms in (found, naively))).pvalue)
        for name, of in statistics.items()
    }


@pytest.mark.parametrize("units", [2, 3, 6, 9])
def test_rotations_are_uniform(units: int) -> None:
    likely = compared(haar_rotation, units, 600)
    assert min(likely.values()) > 0.01, likely
    determinants = [np.linalg.det(haar_rotation(units, seed)) for seed in range(50)]
    np.testing.assert_allclose(determinants, 1, rtol=1e-9)


def test_angles_in_the_plane_are_uniform() -> None:
    found = [naive.angles(haar_rotation(2, seed))[0] for seed in range(800)]
    assert kstest(np.array(found) / np.pi, "uniform").pvalue > 0.01


def test_the_comparison_notices_what_is_not_uniform() -> None:
    def uncorrected(units: int, seed: int) -> Any:
        return np.linalg.qr(np.random.default_rng(seed).normal(size=(units, units)))[0]

    def mirrored_as_well(units: int, seed: int) -> Any:
        matrix = haar_rotation(units, seed)
        matrix[0] *= (-1) ** seed
        return matrix

    assert min(compared(uncorrected, 6, 600).values()) < 1e-6
    assert min(compared(mirrored_as_well, 6, 600).values()) < 1e-6


def test_seeds_and_sizes_give_others() -> None:
    seen = {Basis.rotation(8, seed).digest for seed in (0, 1, 2**63 - 1)}
    assert len(seen) == 3
    assert not np.array_equal(Basis.rotation(9, 0).matrix[:8, :8], Basis.rotation(8, 0).matrix)
    # what a seed gives is part of published results: these numbers never change
    known = [
        [0.38945717, 0.53799415, 0.74758637],
        [0.92101407, -0.23408788, -0.31134540],
        [0.00749892, 0.80979329, -0.58666742],
    ]
    np.testing.assert_allclose(Basis.rotation(3, 1).matrix, known, rtol=0, atol=2 * GRID)


def test_rotations_are_values() -> None:
    basis = Basis.rotation(12, 3, 0.3)
    again = pickle.loads(pickle.dumps(basis))
    assert again == basis and hash(again) == hash(basis) and again.record == basis.record
    assert not again.matrix.flags.writeable and again.matrix.dtype == np.float32
    assert basis != Basis.rotation(12, 3, 0.4)
    assert basis.name == "rotation:seed=3,alpha=0.3"
    assert basis.record == {
        "kind": "rotation",
        "name": "rotation:seed=3,alpha=0.3",
        "seed": 3,
        "alpha": 0.3,
        "shape": [12, 12],
        "sha256": basis.digest,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((8, 0, 1.5), "alpha is 1.5 where a rotation takes one from 0 to 1"),
        ((8, 0, -0.1), "alpha is -0.1"),
        ((8, 0, float("nan")), "alpha is nan"),
        ((8, -1, 0.5), "the seed of a basis is -1"),
        ((8, 2**63, 0.5), "the seed of a basis is 9223372036854775808"),
        ((0, 0, 0.5), "of 0 rows for 0 units"),
        ((70_000, 0, 0.5), "has 70,000 rows for 70,000 units"),
        ((20_000, 0, 0.5), "where at most 13421 rows are taken"),
    ],
)
def test_rotations_that_cannot_be_drawn(arguments: tuple[int, int, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Basis.rotation(*arguments)
