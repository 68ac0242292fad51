"""Textures: whole images of one pattern, in two random colours, turned, scaled and bent."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from onnxdissect.tiny.concepts import TEXTURES
from onnxdissect.tiny.painting.canvas import SIDE, sine
from onnxdissect.tiny.painting.paints import chance, mix, pick, shade, vivid
from onnxdissect.tiny.painting.polygons import bar_corners, filler

__all__ = ["draw_texture"]

Field = NDArray[np.int32]


def _coordinates(rng: RandomState) -> tuple[Field, Field]:
    # turned and gently bent coordinates, so that no pattern follows the pixel grid
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.int32)
    angle = pick(rng, 0, 359)
    c, s = sine(angle + 90), sine(angle)
    p, q = (x * c + y * s) >> 10, (y * c - x * s) >> 10
    table = np.array([sine(a) for a in range(360)], np.int32)
    bend, speed = pick(rng, 0, 9), pick(rng, 1, 3)
    p = p + (table[(q * speed + pick(rng, 0, 359)) % 360] * bend >> 10)
    q = q + (table[(p * speed + pick(rng, 0, 359)) % 360] * bend >> 10)
    return p + 4096, q + 4096


def _cells(rng: RandomState, points: NDArray[np.int32]) -> tuple[Field, Field]:
    # squared distances to the nearest and to the second nearest point
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.int32)
    first = np.full((SIDE, SIDE), 1 << 28, np.int32)
    second = first.copy()
    for px, py in points.tolist():
        distance = (x - px) ** 2 + (y - py) ** 2
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return first, second


def _border(rng: RandomState, points: NDArray[np.int32], width: int) -> Field:
    first, second = _cells(rng, points)
    # the difference of square roots without roots: sqrt(b) - sqrt(a) < w  <=>  b - a - w^2 < 2 w sqrt(a)
    rest = second - first - width * width
    return ((rest < 0) | (rest.astype(np.int64) ** 2 < 4 * width * width * first.astype(np.int64))).astype(
        np.int32
    )


def _strokes(rng: RandomState, width: int) -> Field:
    fill = filler()
    plane = np.zeros((SIDE, SIDE), np.uint8)
    angle = pick(rng, 0, 89)
    for turn in (angle, angle + pick(rng, 60, 110)):
        c, s = sine(turn + 90), sine(turn)
        gap = pick(rng, 14, 22)
        for offset in range(-SIDE, SIDE, gap):
            start = pick(rng, -SIDE, SIDE // 2)
            long = pick(rng, SIDE // 2, 2 * SIDE)
            shift = offset + pick(rng, -3, 3)
            ends = [
                (start, shift),
                (start + long, shift),
                (start + long, shift + width),
                (start, shift + width),
            ]
            corners = [
                (SIDE // 2 + (u * c - v * s >> 10), SIDE // 2 + (u * s + v * c >> 10)) for u, v in ends
            ]
            fill(plane, corners, 255)
    return plane.astype(np.int32)


def _spirals(rng: RandomState, width: int) -> Field:
    fill = filler()
    plane = np.zeros((SIDE, SIDE), np.uint8)
    for _ in range(pick(rng, 5, 8)):
        x, y, hand = pick(rng, 0, SIDE), pick(rng, 0, SIDE), 1 if chance(rng, 50) else -1
        pitch = pick(rng, 2 * width, 3 * width)
        path = [
            (x + (a * pitch // 360) * sine(a + 90) // 1024, y + hand * (a * pitch // 360) * sine(a) // 1024)
            for a in range(0, 360 * 4, 18)
        ]
        disc = [
            (x + 4 * pitch * sine(a + 90) // 1024, y + 4 * pitch * sine(a) // 1024) for a in range(0, 360, 20)
        ]
        fill(plane, disc, 0)
        for start, end in pairwise(path):
            fill(plane, bar_corners(start, end, width / 2), 255)
    return plane.astype(np.int32)


def _share(name: str, rng: RandomState) -> Field:
    """Share of the second colour, 0..255, shape (224, 224)."""
    wide = pick(rng, 14, 30)
    p, q = _coordinates(rng)
    flag: NDArray[np.bool_]
    if name == "banded":
        flag = p % wide < wide * pick(rng, 35, 65) // 100
    elif name == "chequered":
        flag = (p // wide + q // wide) % 2 == 0
    elif name == "polka-dotted":
        row = q // wide
        across = (p + row % 2 * (wide // 2)) % wide - wide // 2
        flag = across**2 + (q % wide - wide // 2) ** 2 < (wide * pick(rng, 26, 40) // 100) ** 2
    elif name == "zigzagged":
        period = wide * 2
        tooth = np.abs(q % period - wide)
        flag = (p + tooth) % wide < wide // 2
    elif name == "grid":
        line = max(3, wide * pick(rng, 12, 22) // 100)
        flag = (p % wide < line) | (q % wide < line)
    elif name == "woven":
        odd = (p // wide + q // wide) % 2 == 0
        along = np.where(odd, p % wide, q % wide)
        side = np.where(odd, q % wide, p % wide)
        arch = 255 - np.abs(along - wide // 2) * 360 // wide
        return np.where(side < max(3, wide // 6), 0, np.clip(arch, 40, 255)).astype(np.int32)
    elif name == "scaly":
        half = wide * 4 // 5
        row, depth = q // half, q % half
        own = ((p + row % 2 * half) % (2 * half) - half) ** 2 + depth**2
        below = ((p + (row + 1) % 2 * half) % (2 * half) - half) ** 2 + (half - depth) ** 2
        reach = np.where(own < half * half, own, below) * 255 // (half * half)
        return np.where(reach > 190, 255, reach // 2).astype(np.int32)
    elif name == "honeycombed":
        high = wide * 887 // 1024
        centres = [
            (i * wide + (j % 2) * wide // 2, j * high)
            for i in range(-1, SIDE // wide + 2)
            for j in range(-1, SIDE // high + 2)
        ]
        turned = np.array(centres, np.int32)
        if chance(rng, 50):
            turned = turned[:, ::-1]
        return _border(rng, turned, max(3, wide // 6)) * 255
    elif name == "cracked":
        return (
            _border(
                rng, rng.randint(-20, SIDE + 20, (pick(rng, 30, 60), 2)).astype(np.int32), pick(rng, 3, 4)
            )
            * 255
        )
    elif name == "bubbly":
        y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.int32)
        field = np.full((SIDE, SIDE), 40, np.int32)
        for _ in range(pick(rng, 50, 80)):
            cx, cy, radius = pick(rng, 0, SIDE), pick(rng, 0, SIDE), pick(rng, 7, 22)
            top, left = max(cy - radius, 0), max(cx - radius, 0)
            window = (slice(top, cy + radius + 1), slice(left, cx + radius + 1))
            distance = (x[window] - cx) ** 2 + (y[window] - cy) ** 2
            glint = (x[window] - cx + radius // 3) ** 2 + (y[window] - cy + radius // 3) ** 2
            inside = distance <= radius * radius
            body = 100 + 155 * distance // (radius * radius)
            field[window] = np.where(inside, np.where(glint * 16 < radius * radius, 255, body), field[window])
        return field
    elif name == "crosshatched":
        return _strokes(rng, pick(rng, 3, 5))
    else:
        return _spirals(rng, pick(rng, 4, 7))
    return flag.astype(np.int32) * 255


def draw_texture(texture: int, rng: RandomState) -> NDArray[np.uint8]:
    """Draw a picture of one texture.

    Parameters
    ----------
    texture : int
        Position in `concepts.TEXTURES`.
    rng : RandomState
        Draws scale, angle and colours.

    Returns
    -------
    ndarray of uint8, shape (224, 224, 3)
        Red, green, blue, before the lighting.
    """
    one, two = vivid(rng), vivid(rng)
    while sum(abs(a - b) for a, b in zip(one, two, strict=True)) < 150:
        one, two = vivid(rng), mix(vivid(rng), (255, 255, 255), pick(rng, 0, 60))
    share = _share(TEXTURES[texture], rng)[:, :, None]
    low, high = np.array(shade(one, 90), np.int32), np.array(two, np.int32)
    return np.clip(low + (high - low) * share // 255, 0, 255).astype(np.uint8)
