"""Bases, literally: rotations by Gram and Schmidt, powers by eigenvalues, sums and activations cell by cell.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def haar_rotation(rng: np.random.Generator, units: int) -> Array:
    """Orthonormalise Gaussian vectors one after the other; mirrored, a row changes its sign."""
    rows: list[Array] = []
    for _ in range(units):
        row = rng.normal(size=units)
        for _ in range(2):  # once more for what rounding left
            for other in rows:
                row = row - (row @ other) * other
        rows.append(row / np.sqrt(row @ row))
    if np.linalg.det(np.array(rows)) < 0:
        rows[-1] = -rows[-1]
    return np.array(rows)


def power(rotation: Array, alpha: float) -> Array:
    """Q^alpha by its complex eigenvalues, of angles in (-pi, pi)."""
    values, vectors = np.linalg.eig(rotation)
    turned = vectors @ np.diag(np.exp(1j * alpha * np.angle(values))) @ np.linalg.inv(vectors)
    assert np.abs(turned.imag).max() < 1e-9
    return turned.real


def angles(rotation: Array) -> list[float]:
    """Angles by which the planes are turned, from 0 to pi: one of each pair of eigenvalues."""
    found = sorted(float(angle) for angle in np.angle(np.linalg.eigvals(rotation)))
    return found[-(len(found) // 2) :]


def moments(batches: list[Array]) -> tuple[Array, Array]:
    """Mean and covariance of (n, units, h, w) over all places, from all of them at once."""
    places = np.concatenate([batch.transpose(0, 2, 3, 1).reshape(-1, batch.shape[1]) for batch in batches])
    places = places.astype(np.longdouble)
    mean = places.sum(axis=0) / len(places)
    units = len(mean)
    covariance = np.zeros((units, units), np.longdouble)
    for u in range(units):
        for v in range(units):
            covariance[u, v] = ((places[:, u] - mean[u]) * (places[:, v] - mean[v])).sum() / len(places)
    return mean.astype(float), covariance.astype(float)


def change(activations: Array, matrix: Array, bias: Array | None, activation: str) -> Array:
    """A layer's activations under a basis, place by place."""
    n, _, h, w = activations.shape
    found = np.zeros((n, len(matrix), h, w))
    for x in range(n):
        for i in range(h):
            for j in range(w):
                units = [float(value) for value in activations[x, :, i, j]]
                sums = [sum(float(m) * a for m, a in zip(row, units, strict=True)) for row in matrix]
                if bias is not None:
                    sums = [value + float(b) for value, b in zip(sums, bias, strict=True)]
                if activation:
                    sums = [max(value, 0.0) for value in sums]
                if activation.startswith("topk:"):
                    kth = sorted(sums, reverse=True)[int(activation[5:]) - 1]
                    sums = [value if value >= kth else 0.0 for value in sums]
                found[x, :, i, j] = sums
    return found
