"""Whether the units that explain a prediction are held to their labels more often than they are anywhere."""

from __future__ import annotations

import numpy as np
from measurements.predictions import FIRED, HELD, NAMED
from numpy.typing import NDArray

from onnxdissect.statistics.resamples import resample_weights
from page.evidence import Counted, Evidence

__all__ = ["explained"]

Resampled = NDArray[np.float64]


def explained(evidence: Evidence, network: str) -> dict[str, Counted]:
    """Give shares of units held to their label, over the images that show a scene.

    Some labels are nearly everywhere, so that their units are held to them wherever they fire. What explains
    is therefore compared with the same units: each unit counts with the share of the images in which it fires
    that it is held in, as often as it explains.

    Parameters
    ----------
    evidence : Evidence
    network : str
        A finished network of `base`.

    Returns
    -------
    dict of str to Counted
        ``right`` and ``wrong``, of the units that explain right and wrong predictions; ``right_usual`` and
        ``wrong_usual``, of the same units wherever they fire.
    """
    answer = evidence.experiment(network, "predictions")
    shown = answer["shown"]
    weights = _weights(evidence, network, len(shown))[:, shown]
    right, masks = answer["right"][shown], answer["masks"][shown]
    fired, held, named = (masks & bit > 0 for bit in (FIRED, HELD, NAMED))
    usual = _shares(weights @ (fired & held), weights @ fired)
    told = {}
    for name, these in (("right", right), ("wrong", ~right)):
        explaining = named & these[:, None]
        often = weights @ explaining
        every = often.sum(axis=1)
        told[name] = _counted(_shares((weights @ (explaining & held)).sum(axis=1), every))
        told[f"{name}_usual"] = _counted(_shares((often * usual).sum(axis=1), every))
    return told


def _weights(evidence: Evidence, network: str, images: int) -> Resampled:
    """How often each image counts: once, and then as in the resamples that all networks are counted in."""
    card = evidence.cards[network]
    drawn = resample_weights(images, card["resamples"], card["resample_seed"])
    return np.concatenate([np.ones((1, images)), *drawn]).astype(np.float64)


def _shares(some: Resampled, every: Resampled) -> Resampled:
    return np.divide(some, every, out=np.zeros(every.shape), where=every > 0)


def _counted(column: Resampled) -> Counted:
    return Counted(float(column[0]), column[1:])
