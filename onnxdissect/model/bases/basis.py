"""A basis: a matrix for the channels of a layer, with what may come behind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.errors import BasisFileError, ParameterError, nearest, shown
from onnxdissect.model.bases.components import principal_components
from onnxdissect.model.bases.draws import haar_rotation, on_grid, random_directions, random_permutation
from onnxdissect.model.bases.files.stored_basis import read_stored_basis
from onnxdissect.model.bases.limits import check_size
from onnxdissect.model.bases.moments import Moments
from onnxdissect.model.bases.planes import RotationPlanes
from onnxdissect.model.bases.values import (
    check_activation,
    check_path,
    check_seed,
    checked_alphas,
    checked_name,
    checked_numbers,
    checked_row_names,
)
from onnxdissect.wording import counted

__all__ = ["Basis"]

_KINDS = ("identity", "rotation", "permutation", "directions", "pca", "file", "matrix")
_AT_ONCE = 2**20  # numbers brought to float64 together


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """New units of a layer, each a weighted sum of the layer's own at the same place.

    Unit u' is B[u', y, x] = f(sum over u of matrix[u', u] * A[u, y, x] + bias[u']), in float32. Equal to
    another of the same name, numbers, activation and names of rows.

    Attributes
    ----------
    name : str
        Unique among the bases of a layer.
    matrix : ndarray of float32, shape (units', units)
        Not writable.
    bias : ndarray of float32, shape (units',), or None
        Not writable.
    activation : str
        f: "" for none; "relu"; "topk:k", which keeps of all new units of one place those that are not below
        the k-th largest, so that equal ones stay together, and sets the others and what is negative to 0.
    row_names : tuple of str
        A name per new unit, or none at all.
    kind : str
        "identity", "rotation", "permutation", "directions", "pca", "file", or "matrix" for numbers given in
        Python.
    details : tuple of (str, object)
        What the numbers were made of, as `record` has it.
    digest : str
        SHA-256 of the numbers and the activation.
    """

    name: str
    matrix: NDArray[np.float32] = field(repr=False)
    bias: NDArray[np.float32] | None = field(default=None, repr=False)
    activation: str = ""
    row_names: tuple[str, ...] = field(default=(), repr=False)
    kind: str = "matrix"
    details: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    digest: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        checked_name(self.name)
        if self.kind not in _KINDS:
            raise ParameterError(
                f"the basis {self.name!r} is of the kind {shown(str(self.kind))}",
                candidates=nearest(str(self.kind), _KINDS) or _KINDS,
                hint='numbers given in Python are of the kind "matrix"',
            )
        matrix = checked_numbers(self.name, "matrix", self.matrix, ndim=2)
        rows, units = matrix.shape
        check_size(f"the basis {self.name!r}", rows, units)
        bias = None if self.bias is None else checked_numbers(self.name, "bias", self.bias, ndim=1)
        if bias is not None and len(bias) != rows:
            said = f"has {counted(rows, 'row')} and a bias for {len(bias)}"
            raise ParameterError(f"the basis {self.name!r} {said}")
        names = checked_row_names(self.name, self.row_names, rows)
        check_activation(self.name, self.activation, rows)
        numbers = hashlib.sha256(json.dumps([rows, units, self.activation]).encode())
        for array in (matrix, bias):
            if array is not None:
                numbers.update(np.ascontiguousarray(array, "<f4").data)
        made = {"matrix": matrix, "bias": bias, "row_names": names, "digest": numbers.hexdigest()}
        for attribute, value in made.items():
            object.__setattr__(self, attribute, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Basis) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        # arrays come back writable from a pickle; making the value anew locks them again
        return Basis, tuple(getattr(self, one.name) for one in fields(self) if one.init)

    @classmethod
    def of(
        cls,
        name: str,
        matrix: ArrayLike,
        bias: ArrayLike | None = None,
        activation: str = "",
        row_names: Sequence[str] = (),
    ) -> Basis:
        """Make a basis of numbers of any type.

        Parameters
        ----------
        name : str
            Unique among the bases of a layer.
        matrix : array_like, shape (units', units)
            Row u' gives the new unit u' as a sum of the layer's units.
        bias : array_like, shape (units',), optional
            Added to the new units.
        activation : str
            "", "relu" or "topk:k".
        row_names : sequence of str
            A name per new unit, or none at all.

        Returns
        -------
        Basis

        Raises
        ------
        ParameterError
            If shapes do not go together, a number is not finite, a row is zero, or the activation is unknown.
        """
        numbers = cast(NDArray[np.float32], matrix)
        names = cast(tuple[str, ...], row_names)  # checked and made one of when the value is made
        return cls(name, numbers, cast(NDArray[np.float32] | None, bias), activation, names)

    @classmethod
    def identity(cls, units: int) -> Basis:
        """Give the layer's own units.

        Parameters
        ----------
        units : int
            Of the layer.

        Returns
        -------
        Basis
        """
        check_size("the identity", units, units)
        return cls("identity", np.eye(units, dtype=np.float32), kind="identity")

    @classmethod
    def rotation(cls, units: int, seed: int = 0, alpha: float = 1.0) -> Basis:
        """Draw a rotation and turn by a share of it.

        Parameters
        ----------
        units : int
            Of the layer.
        seed : int
            Which rotation. It follows from seed and units alone.
        alpha : float
            From 0, the identity, to 1, the rotation itself, which is uniform (Haar) over all rotations.

        Returns
        -------
        Basis
            Entries are rounded to multiples of 2^-24, and rows and columns are orthonormal to 1e-6. On
            processors whose linear algebra rounds otherwise an entry may be another multiple, which is rare;
            `digest` tells.

        Raises
        ------
        ParameterError
            If alpha is not from 0 to 1, or another number is out of range.
        """
        return cls.rotations(units, seed, [alpha])[0]

    @classmethod
    def rotations(cls, units: int, seed: int, alphas: Sequence[float]) -> tuple[Basis, ...]:
        """Turn by several shares of one rotation, decomposed once: `rotation` for every alpha.

        Parameters
        ----------
        units : int
            Of the layer.
        seed : int
            Which rotation.
        alphas : sequence of float
            Shares, each from 0 to 1.

        Returns
        -------
        tuple of Basis
            One per alpha.

        Raises
        ------
        ParameterError
            As `rotation`.
        """
        check_size("a rotation", units, units)
        check_seed(seed)
        alphas = checked_alphas(alphas)
        whole = haar_rotation(units, seed) if any(alpha > 0 for alpha in alphas) else np.eye(units)
        planes = RotationPlanes.of(whole) if any(0 < alpha < 1 for alpha in alphas) else None
        found = []
        for alpha in alphas:
            if alpha == 0:
                turned = np.eye(units)
            else:
                turned = whole if planes is None or alpha == 1 else planes.power(alpha)
            name = f"rotation:seed={seed},alpha={alpha:.12g}"
            details = (("seed", int(seed)), ("alpha", float(alpha)))
            found.append(cls(name, on_grid(turned), kind="rotation", details=details))
        return tuple(found)

    @classmethod
    def permutation(cls, units: int, seed: int = 0) -> Basis:
        """Draw another order of the layer's units.

        Parameters
        ----------
        units : int
            Of the layer.
        seed : int
            Which order. It follows from seed and units alone, on every machine.

        Returns
        -------
        Basis
            Each new unit is one of the layer's, bit for bit.

        Raises
        ------
        ParameterError
            If a number is out of range.
        """
        check_size("a permutation", units, units)
        check_seed(seed)
        matrix = np.eye(units, dtype=np.float32)[random_permutation(units, seed)]
        name, details = f"permutation:seed={seed}", (("seed", int(seed)),)
        return cls(name, matrix, kind="permutation", details=details)

    @classmethod
    def directions(cls, units: int, n: int, seed: int = 0) -> Basis:
        """Draw unit vectors, independent of each other.

        Parameters
        ----------
        units : int
            Of the layer.
        n : int
            How many; there may be more than units.
        seed : int
            Which ones. They follow from seed and units alone; the first ones are the same for every n.

        Returns
        -------
        Basis
            Rounded as `rotation` says.

        Raises
        ------
        ParameterError
            If a number is out of range.
        """
        check_size("random directions", n, units)
        check_seed(seed)
        name, details = f"directions:seed={seed},n={n}", (("seed", int(seed)), ("n", int(n)))
        matrix = on_grid(random_directions(units, n, seed))
        return cls(name, matrix, kind="directions", details=details)

    @classmethod
    def pca(cls, moments: Moments, n: int) -> Basis:
        """Give the principal components of a layer's activations, centred.

        Parameters
        ----------
        moments : Moments
            Of the activations.
        n : int
            How many, largest variance first.

        Returns
        -------
        Basis
            With a bias that takes the mean off.

        Raises
        ------
        ParameterError
            If n is more than the activations' rank, or not from 1 to units.
        """
        found = principal_components(moments, n)
        details = (("n", int(n)), ("places", moments.count), ("variance_share", round(found.share, 9)))
        return cls(
            f"pca:n={n}", on_grid(found.matrix), found.bias.astype(np.float32), kind="pca", details=details
        )

    @classmethod
    def from_file(cls, path: str | Path) -> Basis:
        """Read a matrix, and what belongs to it, from a ``.npy``, ``.npz`` or ``.safetensors`` file.

        Parameters
        ----------
        path : str or Path
            What the file has to hold is said in the documentation, under "Bases".

        Returns
        -------
        Basis
            Named after the file.

        Raises
        ------
        BasisFileError
            If the file is missing, damaged, too large, a pickle, or holds no matrix that can be used.
        """
        check_path(path)
        stored = read_stored_basis(Path(path))
        details = (("file", Path(path).name), ("file_sha256", stored.sha256))
        try:
            return cls(
                Path(path).stem,
                cast(NDArray[np.float32], stored.matrix),
                cast(NDArray[np.float32] | None, stored.bias),
                stored.activation,
                stored.row_names,
                kind="file",
                details=details,
            )
        except ParameterError as error:
            said = f"{path} cannot be used: {error.message}"
            raise BasisFileError(said, candidates=error.candidates, hint=error.hint) from error

    @property
    def units(self) -> int:
        """How many units the layer has that the basis is for."""
        return int(self.matrix.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers."""
        return self.matrix.nbytes + (0 if self.bias is None else self.bias.nbytes)

    @property
    def record(self) -> dict[str, Any]:
        """What a run keeps of it: JSON values, new ones each time."""
        optional = {
            "bias": self.bias is not None,
            "activation": self.activation,
            "names": list(self.row_names),
        }
        return {
            "kind": self.kind,
            "name": self.name,
            **dict(self.details),
            "shape": list(self.matrix.shape),
            **{key: value for key, value in optional.items() if value},
            "sha256": self.digest,
        }

    def nearest_units(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Give the layer's unit that each new one is most like.

        Returns
        -------
        unit : ndarray of int64, shape (units',)
            The one of largest cosine, the lowest of equal ones.
        cosine : ndarray of float64, shape (units',)
            Between the row of the matrix and that unit's axis.
        """
        nearest = np.empty(len(self.matrix), np.int64)
        cosine = np.empty(len(self.matrix), np.float64)
        # A matrix may be a gigabyte, and is twice that in float64.
        step = max(1, _AT_ONCE // self.units)
        for first in range(0, len(self.matrix), step):
            rows = self.matrix[first : first + step].astype(np.float64)
            found = np.argmax(rows, axis=1)
            largest = rows[np.arange(len(rows)), found]
            nearest[first : first + step] = found
            cosine[first : first + step] = largest / np.linalg.norm(rows, axis=1)
        return nearest, cosine

    def _key(self) -> tuple[Any, ...]:
        return self.name, self.digest, self.row_names
