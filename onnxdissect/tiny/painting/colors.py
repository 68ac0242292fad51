"""Colour names: which of the eleven basic colour terms a pixel is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.tiny.concepts import COLORS

__all__ = ["color_codes"]

_CODE = {name: code for code, name in enumerate(COLORS, 1)}


def color_codes(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Name every pixel's colour, in integers.

    With V the largest channel, C = V - smallest channel and H the hue in degrees (rounded down):

    1. black where V < 48;
    2. without hue where 100 C < 16 V or C < 14: black if V < 70, white if V > 196, else grey;
    3. by hue: red below 14 and from 346, orange below 44, yellow below 68, green below 170,
       blue below 258, purple below 312, else pink;
    4. red that is light and weak (V > 150 and 100 C < 58 V) is pink; orange, or red from hue 4 to 13,
       that is dark (V < 165) or weak (100 C < 52 V) is brown; yellow below V = 110 is green if H >= 56,
       else brown; pink below V = 110 is purple.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
        Red, green, blue.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        1 + position of the name in `concepts.COLORS`; every pixel has one.
    """
    red, green, blue = (image[:, :, channel].astype(np.int32) for channel in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    span = np.maximum(chroma, 1)
    hue = np.where(
        value == red,
        (60 * (green - blue)) // span % 360,
        np.where(value == green, 120 + (60 * (blue - red)) // span, 240 + (60 * (red - green)) // span),
    )
    weak = 100 * chroma
    names = np.select(
        [hue < 14, hue < 44, hue < 68, hue < 170, hue < 258, hue < 312, hue < 346],
        [_CODE[n] for n in ("red", "orange", "yellow", "green", "blue", "purple", "pink")],
        _CODE["red"],
    )
    brown = (hue >= 4) & (hue < 44) & ((value < 165) | (weak < 52 * value))
    names = np.where((names == _CODE["red"]) & (value > 150) & (weak < 58 * value), _CODE["pink"], names)
    names = np.where(brown & (names != _CODE["pink"]), _CODE["brown"], names)
    names = np.where(
        (names == _CODE["yellow"]) & (value < 110), np.where(hue >= 56, _CODE["green"], _CODE["brown"]), names
    )
    names = np.where((names == _CODE["pink"]) & (hue >= 312) & (value < 110), _CODE["purple"], names)
    plain = np.where(value < 70, _CODE["black"], np.where(value > 196, _CODE["white"], _CODE["grey"]))
    names = np.where((weak < 16 * value) | (chroma < 14), plain, names)
    return np.where(value < 48, _CODE["black"], names).astype(np.uint8)
