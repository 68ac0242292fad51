"""Ways of removing units: none, each by itself, and sets of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError
from onnxdissect.experiments.ablation.groups import UnitGroup
from onnxdissect.experiments.ablation.importance import Importance
from onnxdissect.experiments.ablation.records import KINDS

__all__ = ["Variants", "default_counts", "expect_counts", "sets_of_units", "single_units"]

_PAPER = 20
"""How many units PNAS 2020 removes and keeps of each class."""


@dataclass(frozen=True, slots=True)
class Variants:
    """V ways of removing some of K units.

    Attributes
    ----------
    kind : ndarray of int64, shape (V,)
        Position in `KINDS`.
    of_class : ndarray of int64, shape (V,)
        Position of the class whose important units they are; -1 for none.
    repeat : ndarray of int64, shape (V,)
        Of random ones, or which group; else -1.
    removed : ndarray of bool, shape (V, K)
        Which units are set to zero.
    """

    kind: NDArray[np.int64]
    of_class: NDArray[np.int64]
    repeat: NDArray[np.int64]
    removed: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many ways there are."""
        return len(self.kind)

    def joined(self, other: Variants) -> Variants:
        """Put others behind these.

        Parameters
        ----------
        other : Variants
            Of the same units.

        Returns
        -------
        Variants
        """
        return Variants(
            np.concatenate([self.kind, other.kind]),
            np.concatenate([self.of_class, other.of_class]),
            np.concatenate([self.repeat, other.repeat]),
            np.concatenate([self.removed, other.removed]),
        )

    def rest(self) -> Variants:
        """Leave out the first.

        Returns
        -------
        Variants
        """
        return Variants(self.kind[1:], self.of_class[1:], self.repeat[1:], self.removed[1:])

    def places(self) -> Mapping[tuple[str, int, int], tuple[int, ...]]:
        """Find all ways, once: there are thousands, and as many are looked for.

        Returns
        -------
        mapping of (str, int, int) to tuple of int
            By one of `KINDS`, position of the class (-1 for none), and how many units are removed, or kept
            where others are: their positions, ascending.
        """
        removed = self.removed.sum(axis=1)
        units = self.removed.shape[1]
        found: dict[tuple[str, int, int], list[int]] = {}
        for v, (number, one, count) in enumerate(
            zip(self.kind.tolist(), self.of_class.tolist(), removed.tolist(), strict=True)
        ):
            kind = KINDS[number]
            n = units - count if "kept" in kind else count
            found.setdefault((kind, one, n), []).append(v)
        return {key: tuple(ways) for key, ways in found.items()}


def default_counts(units: int) -> tuple[int, ...]:
    """Choose numbers of units to remove and to keep.

    Parameters
    ----------
    units : int
        How many the layer has.

    Returns
    -------
    tuple of int
        Powers of two below it, and 20 as in the paper.
    """
    powers = {2**i for i in range(units.bit_length()) if 2**i < units}
    return tuple(sorted(powers | ({_PAPER} if units > _PAPER else set())))


def expect_counts(counts: Sequence[int], units: int) -> tuple[int, ...]:
    """Refuse numbers of units that cannot be removed and kept.

    Parameters
    ----------
    counts : sequence of int
    units : int
        How many the layer has.

    Returns
    -------
    tuple of int
        Ascending, each once.

    Raises
    ------
    ParameterError
        If one is not between 1 and one less than the layer has.
    """
    wrong = next((n for n in counts if not 0 < n < units), None)
    if wrong is not None:
        raise ParameterError(
            f"{wrong} of {units} units cannot be removed, and as many be kept",
            hint=f"--top-n takes numbers from 1 to {units - 1}: --top-n {min(4, units - 1)}"
            if units > 1
            else "--layer takes a layer of several units",
        )
    return tuple(sorted(set(counts)))


def single_units(units: int) -> Variants:
    """Remove nothing, and then each unit by itself.

    Parameters
    ----------
    units : int
        How many there are.

    Returns
    -------
    Variants
        Nothing first.
    """
    kind = np.full(units + 1, KINDS.index("single"))
    kind[0] = KINDS.index("nothing")
    none = np.full(units + 1, -1)
    removed = np.concatenate([np.zeros((1, units), np.bool_), np.eye(units, dtype=np.bool_)])
    return Variants(kind, none, none.copy(), removed)


def sets_of_units(
    importance: Importance,
    classes: Sequence[int],
    counts: Sequence[int],
    groups: Sequence[UnitGroup],
    *,
    repeats: int,
    seed: int,
) -> Variants:
    """Remove and keep the most important units of classes, random ones, and groups.

    Parameters
    ----------
    importance : Importance
        Of all units, for every class that is shown.
    classes : sequence of int
        Positions of those whose units are removed.
    counts : sequence of int
        How many units.
    groups : sequence of UnitGroup
        Removed as a whole; as many random units are, too.
    repeats : int
        How many times units are drawn at random.
    seed : int
        Of the draws. Those of a larger number hold those of a smaller one.

    Returns
    -------
    Variants
        Nothing first.
    """
    units = importance.drop.shape[1]
    rows: list[tuple[str, int, int, NDArray[np.bool_]]] = [("nothing", -1, -1, _chosen((), units))]
    for number in classes:
        for n in counts:
            chosen = _chosen(importance.order[number, :n], units)
            rows += [("removed", number, -1, chosen), ("kept", number, -1, ~chosen)]
    rng = np.random.default_rng([seed, 2])
    sizes = {len(one.units) for one in groups}
    for repeat in range(repeats):
        drawn = rng.permutation(units)
        for n in sorted({*counts, *sizes}):
            rows.append(("random removed", -1, repeat, _chosen(drawn[:n], units)))
        for n in counts:
            rows.append(("random kept", -1, repeat, ~_chosen(drawn[:n], units)))
    for place, group in enumerate(groups):
        rows.append(("group", -1, place, _chosen(group.units, units)))
    return _variants(rows, units)


def _chosen(numbers: Iterable[int], units: int) -> NDArray[np.bool_]:
    chosen = np.zeros(units, np.bool_)
    chosen[list(numbers)] = True
    return chosen


def _variants(rows: Sequence[tuple[str, int, int, NDArray[np.bool_]]], units: int) -> Variants:
    return Variants(
        np.array([KINDS.index(row[0]) for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.bool_).reshape(len(rows), units),
    )
