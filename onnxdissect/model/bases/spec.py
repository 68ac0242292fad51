"""What a command line asks for as a basis: ``rotation:seed=1,alpha=0.5``, ``pca:n=16``, or a file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onnxdissect.errors import ParameterError, nearest, shown
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.components import check_components
from onnxdissect.model.bases.files.tensor_file import SUFFIXES
from onnxdissect.model.bases.limits import LARGEST_SEED, MOST_ROWS, check_size
from onnxdissect.model.bases.moments import Moments
from onnxdissect.storage.numerals import any_number
from onnxdissect.wording import described

__all__ = ["KINDS", "BasisSpec", "basis_identity", "make_bases", "parse_bases"]

KINDS: dict[str, tuple[str, ...]] = {
    "identity": (),
    "rotation": ("seed", "alpha"),
    "permutation": ("seed",),
    "directions": ("seed", "n"),
    "pca": ("n",),
}
"""Kinds of bases that are made, and the keys of each.

Seed is 0 and alpha 1 if not given. Without ``n`` there are as many random directions as the layer has
units; of principal components it has to be given.
"""

_EXAMPLES = {
    "identity": "identity",
    "rotation": "rotation:seed=0,alpha=0.5",
    "permutation": "permutation:seed=0",
    "directions": "directions:seed=0,n=64",
    "pca": "pca:n=16",
}
_SPEC = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9_-]+)(?::(?P<settings>.*))?", re.DOTALL)
_SHOWN = 80
_WHOLE = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class BasisSpec:
    """A basis that can be made once the number of a layer's units is known.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    seed : int
    alpha : float
        Of rotations.
    n : int
        Rows of directions and principal components; 0 for as many as the layer has units, as the others have.
    """

    kind: str
    seed: int = 0
    alpha: float = 1.0
    n: int = 0

    @property
    def needs_moments(self) -> bool:
        """Whether it is fitted to a layer's activations, which takes a pass over the images beforehand."""
        return self.kind == "pca"

    @property
    def name(self) -> str:
        """What a basis made of it is called."""
        said = {"seed": str(self.seed), "alpha": f"{self.alpha:.12g}", "n": str(self.n)}
        settings = ",".join(f"{key}={said[key]}" for key in KINDS[self.kind] if key != "n" or self.n)
        return f"{self.kind}:{settings}" if settings else self.kind

    def rows(self, units: int) -> int:
        """Tell how many units a layer has under it.

        Parameters
        ----------
        units : int
            Of the layer.

        Returns
        -------
        int
        """
        return self.n or units

    def check(self, units: int) -> None:
        """Refuse a layer that it can give no basis for, before anything is drawn or fitted.

        Parameters
        ----------
        units : int
            Of the layer.

        Raises
        ------
        ParameterError
            If the matrix would be too large, or there are more principal components than units.
        """
        check_size(f"the basis {self.name}", self.rows(units), units)
        if self.kind == "pca":
            check_components(self.n, units)
            check_size("the covariance that principal components are made of", units, units)


def parse_bases(texts: Iterable[str | Basis]) -> tuple[BasisSpec | Basis, ...]:
    """Read what was asked for; files are read at once.

    Parameters
    ----------
    texts : iterable of str or Basis
        SPECs, paths of files, and bases, which stay what they are.

    Returns
    -------
    tuple of BasisSpec or Basis
        In the order given.

    Raises
    ------
    ParameterError
        If a SPEC cannot be read, something is neither a text nor a basis, or two bases have one name.
    BasisFileError
        If a file cannot be used.
    """
    if not isinstance(texts, Iterable):
        raise _no_basis(texts)
    found = tuple(_given(one) for one in texts)
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(
                f"two bases are called {name!r}",
                hint="ask for it once; a basis from a file is called as the file is, without the ending",
            )
    return found


def basis_identity(asked: BasisSpec | Basis) -> str:
    """Tell what makes a basis this one, before it is made.

    Parameters
    ----------
    asked : BasisSpec or Basis

    Returns
    -------
    str
        The name; of numbers, which a name does not give again, their SHA-256 as well, and that of the names
        of rows.
    """
    if isinstance(asked, BasisSpec):
        return asked.name
    told = f"{asked.name}:sha256={asked.digest}"
    if asked.row_names:
        told += f",names={hashlib.sha256(json.dumps(asked.row_names).encode()).hexdigest()}"
    return told


def make_bases(
    asked: Sequence[BasisSpec | Basis], units: int, moments: Moments | None = None
) -> tuple[Basis, ...]:
    """Make the bases of a layer. Rotations of one seed are decomposed together.

    Parameters
    ----------
    asked : sequence of BasisSpec or Basis
        As `parse_bases` gives them.
    units : int
        Of the layer.
    moments : Moments, optional
        Of the layer's activations, which principal components need.

    Returns
    -------
    tuple of Basis
        In the order asked for.

    Raises
    ------
    ParameterError
        If one cannot be made for so many units, or of these activations.
    """
    rotations: dict[BasisSpec, Basis] = {}
    specs = [one for one in asked if isinstance(one, BasisSpec) and one.kind == "rotation"]
    for seed in dict.fromkeys(spec.seed for spec in specs):
        of_seed = [spec for spec in specs if spec.seed == seed]
        made = Basis.rotations(units, seed, [spec.alpha for spec in of_seed])
        rotations.update(zip(of_seed, made, strict=True))
    return tuple(
        one if isinstance(one, Basis) else rotations.get(one) or _make(one, units, moments) for one in asked
    )


def _make(spec: BasisSpec, units: int, moments: Moments | None) -> Basis:
    if spec.kind == "identity":
        return Basis.identity(units)
    if spec.kind == "permutation":
        return Basis.permutation(units, spec.seed)
    if spec.kind == "directions":
        return replace(Basis.directions(units, spec.rows(units), spec.seed), name=spec.name)
    if moments is None:
        raise ParameterError(f"{spec.name} is fitted to activations, and none have been gathered")
    return Basis.pca(moments, spec.n)


def _given(asked: object) -> BasisSpec | Basis:
    if isinstance(asked, Basis):
        return asked
    if isinstance(asked, Path):
        return Basis.from_file(asked)
    if not isinstance(asked, str):
        raise _no_basis(asked)
    return _parse(asked)


def _no_basis(given: object) -> ParameterError:
    matrix = isinstance(given, np.ndarray | list | tuple)
    return ParameterError(
        f"a basis is asked for by a SPEC, the path of a file or a Basis, not by {described(given)}",
        hint="Basis.of('mine', matrix) makes one of a matrix"
        if matrix
        else 'such as bases=["rotation:seed=0"]',
    )


def _parse(text: str) -> BasisSpec | Basis:
    if not text.strip():
        raise ParameterError(
            f"{text!r} asks for no basis",
            candidates=list(_EXAMPLES.values()),
            hint="a basis is one of these, or a file " + ", ".join(SUFFIXES),
        )
    match = _SPEC.fullmatch(text)
    kind = match["kind"] if match else ""
    if match and kind in KINDS:
        return _spec(text, kind, match["settings"])
    path = Path(text)
    # Path.exists raises for names that no file can have
    looks_like_a_file = path.suffix.lower() in SUFFIXES or len(path.parts) > 1 or os.path.exists(path)  # noqa: PTH110
    if looks_like_a_file or not match:
        return Basis.from_file(path)
    raise ParameterError(
        f"there is neither a kind of basis {shown(kind)} nor a file {shown(text)}",
        candidates=[_EXAMPLES[name] for name in nearest(kind, KINDS) or KINDS],
        hint="a basis is one of these, or a file " + ", ".join(SUFFIXES),
    )


def _spec(text: str, kind: str, settings: str | None) -> BasisSpec:
    keys = KINDS[kind]
    found: dict[str, str] = {}
    for part in (settings or "").split(",") if settings is not None else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in keys:
            asked = f"has the key {shown(key)}" if key else "has a setting without a key"
            raise ParameterError(
                f"the basis {shown(text)} {asked}, which {kind} does not take",
                candidates=nearest(key, keys) or keys,
                hint=f"such as {_EXAMPLES[kind]}",
            )
        if key in found:
            raise ParameterError(f"the basis {shown(text)} has the key {shown(key)} twice")
        if not equals or not value:
            raise ParameterError(
                f"the basis {shown(text)} has no value for {key!r}", hint=f"such as {_EXAMPLES[kind]}"
            )
        found[key] = value
    if kind == "pca" and "n" not in found:
        raise ParameterError(
            f"the basis {shown(text)} does not say how many rows it has", hint=f"such as {_EXAMPLES[kind]}"
        )
    return BasisSpec(
        kind,
        seed=_integer(text, "seed", found.get("seed", "0"), 0, LARGEST_SEED),
        alpha=_alpha(text, found.get("alpha", "1")),
        n=_integer(text, "n", found["n"], 1, MOST_ROWS) if "n" in found else 0,
    )


def _short(value: str) -> str:
    """Show what was typed as it is, unless it is long or cannot be printed."""
    if not value.isprintable():
        return shown(value)
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}... ({len(value):,} characters)"


def _integer(text: str, key: str, value: str, lowest: int, highest: int) -> int:
    if _WHOLE.fullmatch(value) is None or not lowest <= int(value) <= highest:
        raise ParameterError(
            f"the basis {shown(text)} has {key}={_short(value)}",
            hint=f"{key} is a whole number from {lowest} to {highest}",
        )
    return int(value)


def _alpha(text: str, value: str) -> float:
    alpha = any_number(value)
    if alpha is None or not 0 <= alpha <= 1:
        raise ParameterError(
            f"the basis {shown(text)} has alpha={_short(value)}",
            hint="alpha is a number from 0, the layer's own units, to 1, the whole rotation",
        )
    return alpha + 0.0
