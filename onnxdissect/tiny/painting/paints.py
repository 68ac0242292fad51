"""Random colours: plausible for an object, but too varied for the object to be told by its colour."""

from __future__ import annotations

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Color

__all__ = ["between", "chance", "foliage", "mix", "pastel", "pick", "shade", "tint", "vivid", "wood"]


def pick(rng: RandomState, low: int, high: int) -> int:
    """Draw a whole number from low to high, both included."""
    return int(rng.randint(low, high + 1))


def chance(rng: RandomState, percent: int) -> bool:
    """Draw True with a probability in per cent."""
    return int(rng.randint(100)) < percent


def tint(hue: int, saturation: int, value: int) -> Color:
    """Give the colour of a hue in degrees and a saturation and value of 0..255, in integers throughout."""
    hue %= 360
    sector, rest = divmod(hue, 60)
    low = value * (255 - saturation) // 255
    span = value - low
    rising, falling = low + span * rest // 60, value - span * rest // 60
    return (
        (value, rising, low),
        (falling, value, low),
        (low, value, rising),
        (low, falling, value),
        (rising, low, value),
        (value, low, falling),
    )[sector]


def shade(color: Color, percent: int) -> Color:
    """Make a colour darker (below 100) or lighter (above)."""
    red, green, blue = (min(255, c * percent // 100) for c in color)
    return red, green, blue


def mix(color: Color, other: Color, percent: int) -> Color:
    """Mix two colours; 0 gives the first, 100 the other."""
    red, green, blue = (a + (b - a) * percent // 100 for a, b in zip(color, other, strict=True))
    return red, green, blue


def between(rng: RandomState, color: Color, other: Color, spread: int = 12) -> Color:
    """Draw a random colour on the line between two, with every channel moved a little."""
    share = pick(rng, 0, 100)
    red, green, blue = (max(0, min(255, c + pick(rng, -spread, spread))) for c in mix(color, other, share))
    return red, green, blue


def vivid(rng: RandomState) -> Color:
    """Draw any paint: mostly a saturated hue, sometimes near white, grey or black."""
    kind = pick(rng, 0, 9)
    if kind == 0:
        return tint(0, 0, pick(rng, 215, 250))
    if kind == 1:
        return tint(pick(rng, 0, 359), pick(rng, 0, 40), pick(rng, 40, 190))
    return tint(pick(rng, 0, 359), pick(rng, 110, 235), pick(rng, 120, 245))


def pastel(rng: RandomState) -> Color:
    """Draw wall paint: any hue, seldom strong."""
    return tint(pick(rng, 0, 359), pick(rng, 8, 120), pick(rng, 120, 240))


def wood(rng: RandomState) -> Color:
    """Draw wood, from pine to ebony; one piece in four is painted."""
    if chance(rng, 25):
        return pastel(rng)
    return between(rng, (90, 52, 28), (214, 170, 110))


def foliage(rng: RandomState) -> Color:
    """Draw leaves: greens from dark to yellowish, in one case of five autumn's red, orange or yellow."""
    if chance(rng, 20):
        return tint(pick(rng, 5, 52), pick(rng, 150, 225), pick(rng, 140, 220))
    return tint(pick(rng, 70, 150), pick(rng, 90, 200), pick(rng, 60, 180))
