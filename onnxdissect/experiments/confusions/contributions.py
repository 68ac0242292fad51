"""Contributions to the scores of the class predicted and of the class shown, in the same runs of the tail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.experiments.class_scores.variants import (
    Contributions,
    active_units,
    class_scores,
    scores_with_units,
)
from onnxdissect.experiments.explanation.linear import expect_additive, linear_or_ablation
from onnxdissect.model import Network
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = ["Contributor", "choose_attribution"]

# others take many runs of the tail an image, and these are told for two classes by the same
_OFFERED = ("auto", "linear", "ablation")


@dataclass(frozen=True, slots=True)
class Contributor:
    """What every unit contributes to the scores of several classes.

    Attributes
    ----------
    parts : NetworkParts
        With the scores as first output.
    attribution : str
        "linear" or "ablation".
    """

    parts: NetworkParts
    attribution: str

    def contributions(
        self, activations: NDArray[np.floating], scores: NDArray[np.float64], numbers: Sequence[int]
    ) -> list[Contributions]:
        """Change one unit at a time, and score all classes asked for at once.

        Parameters
        ----------
        activations : ndarray
            Of one image, in the file's own layout.
        scores : ndarray of float64, shape (classes,)
            Of that image.
        numbers : sequence of int
            The classes.

        Returns
        -------
        list of Contributions
            One for each of `numbers`.

        Raises
        ------
        NotAdditiveError
            If *linear* contributions do not add up to a score.
        NonFiniteError
            If a score is not finite.
        """
        units = active_units(self.parts, activations)
        nothing = np.zeros_like(activations)
        values = np.zeros((self.parts.layer.units, len(numbers)))
        told = scores[list(numbers)]
        if self.attribution == "ablation":
            values[units] = told - scores_with_units(self.parts, activations, units, nothing, numbers)
            bias: list[float | None] = [None] * len(numbers)
        else:
            base = class_scores(self.parts, nothing)[0, list(numbers)]
            values[units] = scores_with_units(self.parts, nothing, units, activations, numbers) - base
            bias = [float(one) for one in base]
        found = [Contributions(values[:, j], float(told[j]), bias[j]) for j in range(len(numbers))]
        for one in found:
            expect_additive(one, self.parts.layer.name)
        return found


def choose_attribution(network: Network, parts: NetworkParts, asked: str) -> str:
    """Take the attribution asked for, or the first that holds.

    Parameters
    ----------
    network : Network
        The network.
    parts : NetworkParts
        Split at the layer.
    asked : str
        "auto", "linear" or "ablation".

    Returns
    -------
    str
        "linear" or "ablation".

    Raises
    ------
    ParameterError
        If there is no such attribution, or *linear* is asked for where it does not hold.
    """
    if asked not in _OFFERED:
        raise ParameterError(
            f"there is no attribution {asked!r} of labelled images",
            candidates=nearest(asked, _OFFERED) or _OFFERED,
        )
    if asked == "ablation":
        return asked
    return linear_or_ablation(network, parts, asked)
