"""Which pixels a graph takes, by the numbers that it makes of them.

A graph that scales and shifts its pixels makes of them what its network was trained on. That is one of few
things, whatever the pixels are: values of 0..1 or of -1..1, values less the mean of ImageNet, and so on. So
a preset is told by trying: of its pixels the graph has to make what some network is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.preprocessing.presets import PRESETS, Preprocessing

__all__ = ["preset_before", "preset_within"]

_GIVEN = ("raw", "unit", "tf", "imagenet", "clip")
"""Presets whose pixels graphs turn into something else."""

_TRAINED_ON = ("imagenet", "clip", "caffe", "tf", "unit", "raw")

# Grey digits have a mean and a deviation that every course repeats.
_DIGITS = Preprocessing("custom", (0.1307,), (0.3081,), 1 / 255, "rgb", "")

_CLOSE = 0.02
"""Part of a range by which its ends may be off: numbers are rounded, and 256 stands for 255."""

_IMAGENET = np.array(PRESETS["imagenet"].mean)


def preset_before(
    factor: NDArray[np.float64], summand: NDArray[np.float64], channels: int
) -> tuple[str, str] | None:
    """Tell of which preset's pixels ``x * factor + summand`` makes what networks are trained on.

    Parameters
    ----------
    factor, summand : ndarray of float64
        One per channel of the image, or one for all.
    channels : int
        Of the image, 3 or 1.

    Returns
    -------
    (str, str) or None
        The preset and the order of the channels, which is "rgb" where the numbers do not depend on it; None
        where the numbers fit none.
    """
    if not np.all(factor):
        return None
    for order in ("rgb", "bgr"):
        for given in _GIVEN:
            ends = _ends(PRESETS[given], order, channels)
            made = ends * np.atleast_1d(factor)[:, None] + np.atleast_1d(summand)[:, None]
            colours = len(made)
            for target in _targets(colours):
                goal = _ends(target, order, colours)
                # a picture turned into its negative has its ends swapped
                changed = target.name != given and _close(made, goal)
                if changed or _close(made, goal[:, ::-1]):
                    return given, order
    return _around_its_mean(-summand / factor, np.abs(1 / factor))


def preset_within(low: float, high: float) -> str | None:
    """Tell the preset whose pixels fill two bounds.

    Parameters
    ----------
    low, high : float
        Bounds that a graph cuts its pixels at.

    Returns
    -------
    str or None
        None where they are no preset's.
    """
    bounds = np.array([[low, high]])
    fits = (name for name in ("raw", "unit", "tf") if _close(bounds, _ends(PRESETS[name], "rgb", 1)))
    return next(fits, None)


def _targets(colours: int) -> Sequence[Preprocessing]:
    named = [PRESETS[name] for name in _TRAINED_ON]
    return [*named, _DIGITS] if colours == 1 else named


def _ends(preset: Preprocessing, order: str, channels: int) -> NDArray[np.float64]:
    """Prepare black and white in every channel, shape (channels, 2)."""
    step = 1 if order == preset.channels else -1
    mean, std = np.array(preset.mean)[::step], np.array(preset.std)[::step]
    if channels == 1:
        mean, std = mean.mean(keepdims=True), std.mean(keepdims=True)
    pixels = np.array([0.0, 255.0]) * preset.scale
    ends: NDArray[np.float64] = (pixels[None] - mean[:, None]) / std[:, None]
    return ends


def _close(made: NDArray[np.float64], goal: NDArray[np.float64]) -> bool:
    widths = np.abs(goal[:, 1:] - goal[:, :1])
    return bool(np.all(np.abs(made - goal) <= _CLOSE * widths))


def _around_its_mean(mean: NDArray[np.float64], spread: NDArray[np.float64]) -> tuple[str, str] | None:
    """Tell pixels by the mean and the deviation that a data set's own normalisation takes them to have."""
    if np.all((mean >= -1) & (mean <= 256)) and (spread.min() >= 16 or mean.min() >= 16):
        return "raw", "rgb"
    if 0.3 <= mean.mean() <= 0.7 and np.all((mean > 0) & (mean < 1)) and spread.mean() <= 0.6:
        return "unit", "rgb"
    # less a mean alone, however it is scaled
    for order, centre in (("rgb", _IMAGENET), ("bgr", _IMAGENET[::-1]), ("rgb", np.full(3, 0.5))):
        if np.all(np.abs(mean - (centre if len(mean) > 1 else centre.mean())) <= _CLOSE):
            return "unit", order
    return None
