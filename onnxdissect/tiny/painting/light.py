"""Light: time of day, a shadow across the picture and noise; and shrinking to the final size."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from onnxdissect.tiny.painting.canvas import SIZE
from onnxdissect.tiny.painting.paints import pick

__all__ = ["halve", "light_image"]


def halve(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean of every 2 x 2 pixels, rounded half up.

    Parameters
    ----------
    image : ndarray of uint8, shape (2 h, 2 w, channels)
        What to shrink.

    Returns
    -------
    ndarray of uint8, shape (h, w, channels)
    """
    wide = image.astype(np.uint16)
    rows = wide[0::2] + wide[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)


def light_image(
    image: NDArray[np.uint8], glow: NDArray[np.uint8], rng: RandomState, indoors: bool
) -> NDArray[np.uint8]:
    """Light the picture and add noise.

    Parameters
    ----------
    image : ndarray of uint8, shape (112, 112, 3)
        Colours in full daylight.
    glow : ndarray of uint8, shape (112, 112)
        Not 0 where a pixel shines by itself and keeps its colour.
    rng : RandomState
        Draws the light.
    indoors : bool
        Rooms are dark less often.

    Returns
    -------
    ndarray of uint8, shape (112, 112, 3)
    """
    hour = pick(rng, 0, 99)
    night, dusk = (8, 25) if indoors else (18, 38)
    if hour < night:
        gain = np.array([pick(rng, 80, 120), pick(rng, 92, 130), pick(rng, 120, 170)], np.int32)
    elif hour < dusk:
        gain = np.array([pick(rng, 230, 270), pick(rng, 180, 220), pick(rng, 140, 200)], np.int32)
    else:
        bright = pick(rng, 205, 290)
        gain = np.array([bright + pick(rng, -22, 22) for _ in range(3)], np.int32)
    across, down = pick(rng, -60, 60), pick(rng, -40, 40)
    ramp = np.arange(SIZE, dtype=np.int32) - SIZE // 2
    shadow = 256 + (across * ramp[None, :] + down * ramp[:, None]) // SIZE * 2
    plain = image.astype(np.int32)
    level: NDArray[np.int32] = (plain * gain >> 8) * shadow[:, :, None] >> 8
    grain = pick(rng, 0, 9)
    # the sum of two even distributions is bell-like enough, and the same on every machine
    noise = rng.randint(-grain, grain + 1, (2, SIZE, SIZE, 3)).astype(np.int32).sum(axis=0)
    level = np.where(glow[:, :, None] != 0, np.maximum(level, plain), level) + noise
    return np.clip(level, 0, 255).astype(np.uint8)
