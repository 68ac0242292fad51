"""Quantile levels tau: what may be asked for, and how many activations each leaves above the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from numbers import Real

from onnxdissect.core.plan import LayerPlan
from onnxdissect.errors import ParameterError

__all__ = ["check_quantiles", "quantile_warnings", "tail_size"]


def check_quantiles(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Check quantile levels and drop repeats.

    Parameters
    ----------
    quantiles : sequence of float
        Levels tau.

    Returns
    -------
    tuple of float
        In the order given.

    Raises
    ------
    ParameterError
        If there is none, or one is not strictly between 0 and 1.
    """
    if not quantiles:
        raise ParameterError("no quantile was given", hint="--quantile 0.005")
    for quantile in quantiles:
        if not _is_number(quantile) or not 0.0 < quantile < 1.0:
            raise ParameterError(
                f"the quantile must lie strictly between 0 and 1, and {quantile!r} does not",
                hint="--quantile 0.005 keeps the top half per cent, as the paper does",
            )
    return tuple(dict.fromkeys(float(q) for q in quantiles))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def tail_size(quantile: float, positions: int) -> int:
    """How many values may lie strictly above a threshold: m = floor(tau * n) (paper section 3.2).

    Parameters
    ----------
    quantile : float
        tau, read as the decimal it is written as: 0.29 of 100 is 29, though the nearest double is less.
    positions : int
        n, spatial positions of all images together.

    Returns
    -------
    int
    """
    return math.floor(Fraction(repr(quantile)) * positions)


def quantile_warnings(layers: Sequence[LayerPlan], quantiles: Sequence[float], images: int) -> list[str]:
    """Name the layers in which no activation can lie above the threshold, since floor(tau * n) is 0.

    Parameters
    ----------
    layers : sequence of LayerPlan
        What is dissected.
    quantiles : sequence of float
        Levels tau.
    images : int
        How many images there are.

    Returns
    -------
    list of str
        A sentence each, with the quantile or the number of images that would do.
    """
    said = []
    for layer in layers:
        cells = layer.shape[0] * layer.shape[1]
        positions = images * cells
        for quantile in quantiles:
            if tail_size(quantile, positions) or not positions:
                continue
            enough = math.ceil(1 / (Fraction(repr(quantile)) * cells))
            said.append(
                f"{layer.name} has {positions} activations per unit; at quantile {quantile:g} none lies "
                f"above the threshold; take --quantile {_smallest(positions):g} or more, or {enough} images"
            )
    return said


def _smallest(positions: int) -> float:
    """Smallest level of two digits that leaves a value above the threshold."""
    step = 10.0 ** (math.floor(math.log10(1 / positions)) - 1)
    level = round(math.ceil(1 / positions / step - 1e-9) * step, 12)
    return level if tail_size(level, positions) else round(level + step, 12)
