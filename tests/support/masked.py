"""Small data sets of images and masks, as other programs write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

COLORS = {0: (0, 0, 0), 1: (128, 64, 128), 3: (70, 130, 180), 7: (220, 20, 60), 300: (1, 2, 3)}


def photograph(seed: int, height: int = 24, width: int = 32) -> NDArray[np.uint8]:
    """Pixels of any colours, in blocks of 4x4."""
    coarse = np.random.default_rng(seed).integers(0, 256, ((height + 3) // 4, (width + 3) // 4, 3))
    return coarse.repeat(4, axis=0).repeat(4, axis=1)[:height, :width].astype(np.uint8)


def blocks(seed: int, indices: tuple[int, ...], height: int = 24, width: int = 32) -> Array:
    """A mask of indices, in blocks of 3x5 pixels that lie across those of photographs."""
    coarse = np.random.default_rng(seed).choice(indices, (height // 3 + 1, width // 5 + 1))
    return coarse.repeat(3, axis=0).repeat(5, axis=1)[:height, :width]


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def save_photograph(path: Path, pixels: Array, **options: Any) -> Path:
    return save(path, Image.fromarray(pixels), **options)


def grey(indices: Array) -> Image.Image:
    """Of 8 bits, 16 or 32, whichever the indices need."""
    if indices.max() < 256:
        return Image.fromarray(indices.astype(np.uint8))
    if indices.max() < 65536:
        return Image.fromarray(indices.astype(np.uint16))
    return Image.fromarray(indices.astype(np.int32))


def palette(indices: Array, colors: Mapping[int, tuple[int, int, int]] = COLORS) -> Image.Image:
    """Indices with a palette, in which colours say nothing of the index."""
    image = Image.new("P", indices.shape[::-1])
    image.putdata(indices.ravel().tolist())
    flat = [0] * 768
    for index, color in colors.items():
        if index < 256:
            flat[3 * index : 3 * index + 3] = color
    image.putpalette(flat)
    return image


def coloured(indices: Array, colors: Mapping[int, tuple[int, int, int]] = COLORS) -> Image.Image:
    pixels = np.zeros((*indices.shape, 3), np.uint8)
    for index, color in colors.items():
        pixels[indices == index] = color
    return Image.fromarray(pixels)
