"""*linear*: the score as a sum over units, where the graph makes it one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError
from onnxdissect.experiments.class_scores.variants import (
    Contributions,
    active_units,
    score_of,
    score_with_units,
)
from onnxdissect.model import Network
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.model.scores.additive import find_obstacle

__all__ = [
    "ALLOWED_ERROR",
    "NotAdditiveError",
    "adds_up",
    "expect_additive",
    "linear_contributions",
    "linear_or_ablation",
    "why_not_linear",
]

ALLOWED_ERROR = 1e-4
"""How far contributions may be from adding up, relative to the largest number among them."""


class NotAdditiveError(ParameterError):
    """What is a sum on the graph is none in float32, where large numbers cancel."""


def why_not_linear(network: Network, parts: NetworkParts) -> str:
    """Find on the graph what keeps the scores from being a sum over the units.

    Parameters
    ----------
    network : Network
        The network.
    parts : NetworkParts
        Split at the layer, with the scores as first output.

    Returns
    -------
    str
        The first operator that does, and how; "" where none does.
    """
    obstacle = find_obstacle(network, parts.tail_graph, parts.layer, parts.outputs[0])
    return "" if obstacle is None else str(obstacle)


def linear_or_ablation(network: Network, parts: NetworkParts, asked: str) -> str:
    """Take *linear* where the graph makes the score a sum, else *ablation* unless *linear* is asked for.

    Parameters
    ----------
    network : Network
        The network.
    parts : NetworkParts
        Split at the layer, with the scores as first output.
    asked : str
        "auto" or "linear".

    Returns
    -------
    str
        "linear" or "ablation".

    Raises
    ------
    ParameterError
        If *linear* is asked for where it does not hold.
    """
    reason = why_not_linear(network, parts)
    if not reason:
        return "linear"
    if asked == "auto":
        return "ablation"
    raise ParameterError(
        f"the score is no sum over the units of {parts.layer.name!r}: {reason}",
        hint="--attribution ablation, or a layer behind it",
    )


def linear_contributions(
    parts: NetworkParts,
    activations: NDArray[np.floating],
    number: int,
    *,
    score: float | None = None,
    batch: int | None = None,
) -> Contributions:
    """Let every unit be active alone: f(A with only unit k) - f(A with none).

    Behind a mean and a linear classifier that is weight times mean activation, whatever the file calls them.

    Parameters
    ----------
    parts : NetworkParts
        Of a tail that is a sum over units.
    activations : ndarray
        Of one image, in the file's own layout.
    number : int
        The class.
    score : float, optional
        f(A), where it is known.
    batch : int, optional
        Variants a batch.

    Returns
    -------
    Contributions
        Of units that are zero everywhere, 0.
    """
    nothing = np.zeros_like(activations)
    bias = score_of(parts, nothing, number)
    values = np.zeros(parts.layer.units, np.float64)
    units = active_units(parts, activations)
    values[units] = score_with_units(parts, nothing, units, activations, number, batch=batch) - bias
    score = score_of(parts, activations, number) if score is None else score
    return Contributions(values, score, bias)


def adds_up(contributions: Contributions) -> bool:
    """Whether bias and contributions come to the score, as far as rounding lets them.

    Parameters
    ----------
    contributions : Contributions

    Returns
    -------
    bool
        True of those without a bias, which promise no such thing.
    """
    return contributions.error is None or contributions.error <= ALLOWED_ERROR


def expect_additive(contributions: Contributions, layer: str) -> None:
    """Refuse contributions that do not add up to the score.

    Parameters
    ----------
    contributions : Contributions
        Of the units of a layer.
    layer : str
        What it is called.

    Raises
    ------
    NotAdditiveError
        If they are further from it than rounding explains.
    """
    if not adds_up(contributions):
        total = float(contributions.values.sum()) + (contributions.bias or 0)
        raise NotAdditiveError(
            f"the contributions of the units of {layer!r} and the bias come to {total:.6g}, "
            f"where the score is {contributions.score:.6g}: large numbers cancel, and they do not add up",
            hint="--attribution ablation",
        )
