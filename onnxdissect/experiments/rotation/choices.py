"""Which bases a run of rotations takes: shares of rotations, seeds, a control and a baseline."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from onnxdissect.errors import ParameterError
from onnxdissect.wording import described

__all__ = ["ALPHAS", "SEEDS", "check_alphas", "check_seeds", "rotation_bases"]

ALPHAS = tuple(i / 10 for i in range(11))
"""Shares of each rotation, unless others are asked for."""

SEEDS = 3
"""How many rotations, unless another number is asked for."""

_MOST_SEEDS = 1000
_MOST_BASES = 10_000
_MOST_ALPHAS = _MOST_BASES - 2
# And both ends.
# As the names of bases have them.
_DIGITS = 12


def check_alphas(alphas: object) -> tuple[float, ...]:
    """Refuse shares of a rotation that are none, and add both ends.

    Parameters
    ----------
    alphas : iterable of float
        Each from 0 to 1, ascending.

    Returns
    -------
    tuple of float
        To 12 digits, with 0, the layer's own units, and 1, the whole rotation, where they were missing.

    Raises
    ------
    ParameterError
        If one is no number, outside 0..1, or not larger than the one before it, or there are more than a run
        takes.
    """
    hint = "--alphas 0,0.25,0.5,0.75,1"
    if isinstance(alphas, str) or not isinstance(alphas, Iterable):
        raise ParameterError(
            f"shares of a rotation are a list of numbers, not {described(alphas)}", hint="alphas=[0.5, 1]"
        )
    asked = []
    for alpha in alphas:
        try:
            asked.append(float(f"{float(alpha):.{_DIGITS}g}") + 0.0)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"alpha is {described(alpha)}, no number", hint=hint) from error
    for alpha in asked:
        if not 0 <= alpha <= 1:
            raise ParameterError(
                f"alpha is {alpha} where a rotation takes a share from 0, the layer's own units, to 1",
                hint=hint,
            )
    if len(asked) > _MOST_ALPHAS:
        raise ParameterError(
            f"{len(asked):,} alphas were asked for, where at most {_MOST_ALPHAS:,} are taken", hint=hint
        )
    for before, after in itertools.pairwise(asked):
        if not before < after:
            said = "given twice" if before == after else f"given after {before:g}"
            raise ParameterError(f"alphas ascend, and {after:g} is {said}", hint=hint)
    return tuple(sorted({0.0, *asked, 1.0}))


def check_seeds(seeds: int, alphas: int) -> tuple[int, ...]:
    """Refuse a number of rotations that is none, or more than a run takes.

    Parameters
    ----------
    seeds : int
        How many.
    alphas : int
        Shares of each, 0 included.

    Returns
    -------
    tuple of int
        The seeds: 0, 1, ...

    Raises
    ------
    ParameterError
        If it is below 1, or too many bases come of it.
    """
    most = min(_MOST_SEEDS, _MOST_BASES // alphas)
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= most:
        raise ParameterError(
            f"{seeds!r} rotations of {alphas} alphas were asked for, where 1 to {most:,} are taken",
            hint=f"--seeds {min(SEEDS, most)}",
        )
    return tuple(range(seeds))


def rotation_bases(alphas: Iterable[float], seeds: Iterable[int]) -> tuple[str, ...]:
    """Name what every layer is dissected under.

    Parameters
    ----------
    alphas : iterable of float
        As `check_alphas` gives them; 0 is the layer itself.
    seeds : iterable of int
        As `check_seeds` gives them.

    Returns
    -------
    tuple of str
        SPECs: rotations by seed and alpha, one permutation, as many random directions as the layer has units
        for each seed.
    """
    shares, numbers = [alpha for alpha in alphas if alpha], tuple(seeds)
    return (
        *(f"rotation:seed={seed},alpha={alpha:.{_DIGITS}g}" for seed in numbers for alpha in shares),
        "permutation:seed=0",
        *(f"directions:seed={seed}" for seed in numbers),
    )
