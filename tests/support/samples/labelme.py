"""Photographs with files of labelme beside them: ``drawn/``."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from support.masked import Array, blocks, photograph, save_photograph

HEIGHT, WIDTH = 24, 32
MASK_AT = (4, 6)  # left and top


def mask_pixels() -> Array:
    return blocks(5, (0, 1), 9, 12)


def packed_mask() -> str:
    stream = io.BytesIO()
    Image.fromarray(mask_pixels() > 0).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def shape(label: str, kind: str, points: list[list[Any]], **other: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **other}


def shapes() -> dict[str, list[dict[str, Any]]]:
    """By image: those of one lie over one another."""
    left, top = MASK_AT
    height, width = mask_pixels().shape
    return {
        "a/one.jpg": [
            shape("cat", "polygon", [[2.75, 1.25], [20.25, 3.0], [12.0, 21.75]]),
            shape("sofa", "rectangle", [[30.75, 22.0], [8.0, 10.25]]),
            shape("cat", "circle", [[24.0, 6.0], [24.0, 10.25]]),
            shape("whisker", "linestrip", [[1.0, 1.0], [5.0, 5.0]]),
            shape("nose", "point", [[9.0, 9.0]]),
        ],
        "b.png": [
            shape("dog", "mask", [[left, top], [left + width - 1, top + height - 1]], mask=packed_mask()),
            shape("__ignore__", "polygon", [[0, 0], [9, 0], [9, 9]]),
        ],
    }


def document(name: str, drawn: list[dict[str, Any]], **other: Any) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": drawn,
        "imagePath": name,
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **other,
    }


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def make(folder: Path) -> None:
    for i, (name, drawn) in enumerate(shapes().items()):
        path = folder / "drawn" / name
        save_photograph(path, photograph(i, HEIGHT, WIDTH))
        write(path.with_suffix(".json"), document(path.name, drawn))


def filled(kind: str, points: list[list[float]]) -> Array:
    """Pixels whose centres lie inside, one by one: sums of angles of a polygon, distances of a circle."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            at = complex(x + 0.5, y + 0.5)
            corners = [complex(*point) for point in points]
            if kind == "circle":
                inside[y, x] = abs(at - corners[0]) <= abs(corners[1] - corners[0])
                continue
            if kind == "rectangle":
                (a, b) = corners
                corners = [a, complex(b.real, a.imag), b, complex(a.real, b.imag)]
            angles = [
                np.angle((following - at) / (corner - at))
                for corner, following in zip(corners, corners[1:] + corners[:1], strict=True)
            ]
            inside[y, x] = round(sum(angles) / (2 * np.pi)) % 2 == 1
    return inside
