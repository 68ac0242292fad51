"""Bump maps: the fine structure of each material, which brightens and darkens the flat colour."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from onnxdissect.tiny.concepts import MATERIALS
from onnxdissect.tiny.painting.canvas import SIDE, sine
from onnxdissect.tiny.painting.polygons import filler

__all__ = ["VARIANTS", "BumpMaps"]

VARIANTS = 3
"""Number of bump maps of each material, of different sizes and patterns."""

_PERIOD = 256


def _waves(rng: RandomState, count: int, strength: int) -> NDArray[np.int32]:
    # a smooth periodic field: a sum of waves that close on themselves after a period
    table = np.array([sine(step * 360 // _PERIOD) for step in range(_PERIOD)], np.int32)
    y, x = np.mgrid[0:_PERIOD, 0:_PERIOD]
    total = np.zeros((_PERIOD, _PERIOD), np.int32)
    for _ in range(count):
        across, down, phase = rng.randint(-4, 5), rng.randint(-4, 5), rng.randint(_PERIOD)
        total += table[(across * x + down * y + phase) % _PERIOD]
    return total * strength // (1024 * count)


def _specks(rng: RandomState, grain: int, strength: int) -> NDArray[np.int32]:
    cells = rng.randint(-strength, strength + 1, (_PERIOD // grain, _PERIOD // grain)).astype(np.int32)
    return np.repeat(np.repeat(cells, grain, 0), grain, 1)


def _blocks(rng: RandomState, high: int, wide: int, joint: int, spread: int) -> NDArray[np.int32]:
    # courses of blocks, every other one shifted by half a block, with dark joints
    field = np.zeros((_PERIOD, _PERIOD), np.int32)
    for course in range(_PERIOD // high):
        top = course * high
        shift = (course % 2) * wide // 2
        for left in range(0, _PERIOD, wide):
            columns = (np.arange(left, left + wide) + shift) % _PERIOD
            field[top : top + high, columns] = rng.randint(-spread, spread + 1)
            field[top : top + high, columns[:2]] = -joint
        field[top : top + 2] = -joint
    return field


def _stamp(field: NDArray[np.uint8], corners: NDArray[np.int32], value: int) -> None:
    # what leaves at one edge comes in at the opposite one
    fill = filler()
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    for across in (-_PERIOD, 0, _PERIOD):
        for down in (-_PERIOD, 0, _PERIOD):
            if (
                left + across < _PERIOD
                and right + across >= 0
                and top + down < _PERIOD
                and bottom + down >= 0
            ):
                fill(field, [(x + across, y + down) for x, y in corners.tolist()], value)


def _strokes(
    rng: RandomState, count: int, long: tuple[int, int], lean: int, strength: int, width: int
) -> NDArray[np.int32]:
    # short straight strokes, lighter and darker, that wrap around the edges
    field = np.full((_PERIOD, _PERIOD), 128, np.uint8)
    for _ in range(count):
        x, y = int(rng.randint(_PERIOD)), int(rng.randint(_PERIOD))
        dx, dy = long[0] + int(rng.randint(-lean, lean + 1)), long[1] + int(rng.randint(-lean, lean + 1))
        value = 128 + int(rng.randint(-strength, strength + 1))
        corners = np.array([(x, y), (x + width, y), (x + dx + width, y + dy), (x + dx, y + dy)], np.int32)
        _stamp(field, corners, value)
    return field.astype(np.int32) - 128


def _leaves(rng: RandomState, count: int, radius: int, strength: int) -> NDArray[np.int32]:
    field = np.full((_PERIOD, _PERIOD), 128, np.uint8)
    turn = np.array([(sine(a + 90), sine(a)) for a in range(0, 360, 45)], np.int32)
    for _ in range(count):
        centre = rng.randint(0, _PERIOD, 2)
        reach = np.array((int(rng.randint(2, radius + 1)), int(rng.randint(2, radius + 1))), np.int32)
        corners = (centre + turn * reach // 1024).astype(np.int32)
        value = 128 + int(rng.randint(-strength, strength + 1))
        _stamp(field, corners, value)
    return field.astype(np.int32) - 128


def _bump_map(material: str, variant: int, rng: RandomState) -> NDArray[np.int32]:
    scale = variant + 1
    y, x = np.mgrid[0:_PERIOD, 0:_PERIOD].astype(np.int32)
    if material == "brick":
        return _blocks(rng, (8, 8, 16)[variant], (16, 32, 32)[variant], 70, 26)
    if material == "stone":
        return _blocks(rng, (16, 32, 32)[variant], (32, 32, 64)[variant], 46, 34) + _specks(rng, 2, 14)
    if material == "tile":
        side = (16, 16, 32)[variant]
        glint = np.where((x % side < 3) | (y % side < 3), -62, 8)
        return glint + _specks(rng, side, 10)
    if material == "wood":
        plank = (32, 64, 16)[variant]
        seam = np.where(y % plank < 2, -60, 0)
        grain = _strokes(rng, 320, (60, 0), 3, 34, 1)
        return seam + grain + _specks(rng, plank, 14)[:, :1]
    if material == "asphalt":
        return _specks(rng, 2, 34) + _specks(rng, 8, 8)
    if material == "sand":
        return _specks(rng, 2, 20) + _waves(rng, 6, 30)
    if material == "grass":
        return _strokes(rng, 900 * scale, (0, -10 - 2 * variant), 3, 62, 2)
    if material == "foliage":
        return _leaves(rng, 1400 // scale, 5 + 2 * variant, 58)
    if material == "water":
        return _strokes(rng, 420 // scale, (22 + 10 * variant, 0), 1, 60, 3) // 1 + _waves(rng, 5, 18)
    if material == "fabric":
        weave = np.where(((x // 2) + (y // 2)) % 2 == 0, 12, -12)
        return (weave, np.where(x // 4 % 2 == 0, 9, -9), _waves(rng, 6, 34))[variant]
    if material == "fur":
        return _strokes(rng, 1500, (5, 5), 3, 34, 2)
    if material == "metal":
        return _waves(rng, 3, 30) + np.where((x + y) % 128 < 16, 22, 0)
    if material == "glass":
        return np.where((x + y) % 48 < 12 + 4 * variant, 40, -6)
    if material == "plaster":
        return _specks(rng, 4, 6) + _waves(rng, 5, 12)
    return _waves(rng, 4, 16)


class BumpMaps:
    """The bump maps of all materials in all variants, drawn once and then looked up.

    Attributes
    ----------
    field : ndarray of int16, shape ((materials + 1) * VARIANTS, 256, 256)
        How much brighter than the flat colour, in 256ths; periodic in both directions. The first VARIANTS
        are for pixels without material, and zero.
    """

    __slots__ = ("field",)

    def __init__(self) -> None:
        fields = [np.zeros((_PERIOD, _PERIOD), np.int32)] * VARIANTS
        for code, material in enumerate(MATERIALS, 1):
            for variant in range(VARIANTS):
                rng = RandomState([20170411, code, variant])
                fields.append(np.clip(_bump_map(material, variant, rng), -120, 120))
        self.field = np.stack(fields).astype(np.int16)

    def apply(
        self, paint: NDArray[np.uint8], material: NDArray[np.uint8], rng: RandomState
    ) -> NDArray[np.uint8]:
        """Apply a random bump map of each material to its pixels.

        Parameters
        ----------
        paint : ndarray of uint8, shape (224, 224, 3)
            Flat colours.
        material : ndarray of uint8, shape (224, 224)
            Material codes.
        rng : RandomState
            Chooses variants and offsets.

        Returns
        -------
        ndarray of uint8, shape (224, 224, 3)
        """
        count = len(self.field) // VARIANTS
        which = (np.arange(count) * VARIANTS + rng.randint(0, VARIANTS, count)) * _PERIOD * _PERIOD
        down, across = rng.randint(0, _PERIOD, 2)
        rows = (np.arange(SIDE) + down) % _PERIOD * _PERIOD
        columns = (np.arange(SIDE) + across) % _PERIOD
        place = which.astype(np.int32)[material] + (rows[:, None] + columns).astype(np.int32)
        gain = self.field.reshape(-1)[place].astype(np.int32) + 256
        raised: NDArray[np.int32] = paint * gain[:, :, None] >> 8
        return np.minimum(raised, 255).astype(np.uint8)
