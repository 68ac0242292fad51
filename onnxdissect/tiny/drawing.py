"""One image of the data set with its label maps, drawn from a seed and an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from onnxdissect.tiny.concepts import SCENES, TEXTURES
from onnxdissect.tiny.painting.bump_maps import BumpMaps
from onnxdissect.tiny.painting.canvas import GRID, SIZE
from onnxdissect.tiny.painting.colors import color_codes
from onnxdissect.tiny.painting.light import halve, light_image
from onnxdissect.tiny.painting.textures import draw_texture
from onnxdissect.tiny.scene_objects import INDOORS
from onnxdissect.tiny.scenes import compose

__all__ = ["Drawing", "draw", "scene_of", "texture_of"]

TEXTURE_EVERY = 8
"""The last of every eight images is a texture."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An image and what is in it.

    Attributes
    ----------
    image : ndarray of uint8, shape (112, 112, 3)
        Red, green, blue.
    scene, texture : int or None
        Position in `concepts.SCENES` or `concepts.TEXTURES`; one of the two is None.
    planes : mapping of str to ndarray of uint8, shape (56, 56)
        Label maps by "color", "object", "part", "nested" (parts of parts) and "material": code i is the
        i-th name of the category, counted from 1; 0 is unlabelled. A texture has only "color".
    """

    image: NDArray[np.uint8]
    scene: int | None
    texture: int | None
    planes: Mapping[str, NDArray[np.uint8]]


def texture_of(index: int) -> int | None:
    """Texture of the image of that index, or None where it is a scene."""
    group, place = divmod(index, TEXTURE_EVERY)
    return group % len(TEXTURES) if place == TEXTURE_EVERY - 1 else None


def scene_of(index: int) -> int | None:
    """Scene of the image of that index, or None where it is a texture."""
    if texture_of(index) is not None:
        return None
    return (index - index // TEXTURE_EVERY) % len(SCENES)


def draw(seed: int, index: int, bump_maps: BumpMaps) -> Drawing:
    """Draw one image; it depends on nothing but the seed and the index.

    Parameters
    ----------
    seed : int
        Seed of the data set, 0 .. 2**32 - 1.
    index : int
        Index of the image.
    bump_maps : BumpMaps
        The materials' fine structure.

    Returns
    -------
    Drawing
    """
    rng = RandomState([seed, index])
    scene, texture = scene_of(index), texture_of(index)
    dark = np.zeros((SIZE, SIZE), np.uint8)
    if texture is not None:
        image = light_image(halve(draw_texture(texture, rng)), dark, rng, indoors=True)
        return Drawing(image, None, texture, {"color": color_codes(halve(image))})
    assert scene is not None
    canvas = compose(scene, rng)
    paint = bump_maps.apply(canvas.paint[:, :, :3], canvas.marks[:, :, 2], rng)
    glow = halve(canvas.marks[:, :, 3:])[:, :, 0]
    image = light_image(halve(paint), glow, rng, SCENES[scene] in INDOORS)
    step = slice(1, None, 2 * SIZE // GRID)
    marks = canvas.marks[step, step]
    planes = {
        "color": color_codes(halve(image)),
        "object": canvas.paint[step, step, 3].copy(),
        "part": marks[:, :, 0].copy(),
        "nested": marks[:, :, 1].copy(),
        "material": marks[:, :, 2].copy(),
    }
    return Drawing(image, scene, None, planes)
