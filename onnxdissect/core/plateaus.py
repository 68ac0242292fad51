"""Units whose threshold lies on their largest value, so that no mask has a pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.layer_tally import LayerTally
from onnxdissect.core.plan import Plan
from onnxdissect.core.quantiles import tail_size
from onnxdissect.core.state.pass_state import PassResult

__all__ = ["Plateaus", "find_plateaus", "lifting_quantile", "plateau_warnings"]

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Plateaus:
    """What is known of a layer's units at one quantile.

    Attributes
    ----------
    plateau : ndarray of bool, shape (K,)
        T_k is the unit's largest value though it takes smaller ones: it saturates, in more positions than
        the quantile leaves above T_k.
    constant : ndarray of bool, shape (K,)
        The unit has the same value everywhere, as dead ones have.
    share : ndarray of float64, shape (K,)
        Of the sampled positions, how many hold T_k.
    """

    plateau: NDArray[np.bool_]
    constant: NDArray[np.bool_]
    share: NDArray[np.float64]


def find_plateaus(
    thresholds: NDArray[np.float32],
    top_values: NDArray[np.float32],
    activation_total: NDArray[np.int64],
    samples: NDArray[np.float32] | None,
    tail: int,
) -> Plateaus:
    """Find the units that cannot have a mask, and tell saturation from constancy.

    Parameters
    ----------
    thresholds : ndarray of float32, shape (K,)
        T_k.
    top_values : ndarray of float32, shape (K, N)
        Largest activation in each of the unit's strongest images; N may be 0.
    activation_total : ndarray of int64, shape (K,)
        Mask pixels in all images.
    samples : ndarray of float32, shape (K, positions), or None
        A sample of each unit's activations, ascending.
    tail : int
        m = floor(tau * n), how many values may lie above T_k. Where it is 0 every threshold is the largest
        value, which says nothing of the units.

    Returns
    -------
    Plateaus
        Nothing is found where there are no samples.
    """
    nothing = np.zeros(len(thresholds), np.bool_)
    if not tail or samples is None or not samples.shape[1]:
        return Plateaus(nothing, nothing, np.zeros(len(thresholds)))
    # Without top images the largest value is not known; an empty mask says that nothing exceeds T_k.
    empty = thresholds >= top_values.max(axis=1) if top_values.shape[1] else activation_total == 0
    varies = samples[:, 0] < thresholds
    share = (samples == thresholds[:, None]).mean(axis=1)
    return Plateaus(np.asarray(empty & varies), np.asarray(empty & ~varies), share)


def lifting_quantile(found: Plateaus) -> float | None:
    """Find a quantile at which most of the units have masks.

    Parameters
    ----------
    found : Plateaus

    Returns
    -------
    float or None
        The smallest of a few round ones that exceeds the share of positions at the plateau in at least half
        of the plateau's units, as far as the sample tells; None if there is none.
    """
    shares = found.share[found.plateau]
    if not shares.size:
        return None
    middle = float(np.median(shares))
    return next((step for step in _STEPS if step > middle), None)


def plateau_warnings(plan: Plan, passed: PassResult, tallies: Sequence[LayerTally]) -> Iterator[str]:
    """Say which layers have units without masks because they saturate, and what would do.

    Parameters
    ----------
    plan : Plan
    passed : PassResult
    tallies : sequence of LayerTally
        One per layer.

    Yields
    ------
    str
        One sentence per layer and quantile that has such units.
    """
    for i, (layer, counted) in enumerate(zip(plan.layers, tallies, strict=True)):
        h, w = layer.shape
        for q, quantile in enumerate(plan.quantiles):
            found = find_plateaus(
                counted.thresholds[q],
                counted.top.values,
                counted.counts.activation_total[q],
                passed.samples[i],
                tail_size(quantile, plan.images * h * w),
            )
            count = int(found.plateau.sum())
            if not count:
                continue
            better = lifting_quantile(found)
            advice = "no quantile up to 0.5 gives most of them one"
            if better is not None:
                advice = f"--quantile {better:g} gives most of them one"
            many = count > 1
            verb, who = ("have", "they saturate") if many else ("has", "it saturates")
            yield (
                f"{layer.name}: {count} of {layer.units} units {verb} no mask at quantile {quantile:g}, "
                f"because {who} (as ReLU6 does): more positions hold {'their' if many else 'its'} largest "
                f"value than may lie above the threshold; {advice}"
            )
