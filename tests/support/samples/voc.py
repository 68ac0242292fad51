"""Pascal VOC as it is published, ``VOCdevkit/VOC2012``, with files of Pascal-Part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from support.masked import Array, blocks, palette, photograph, save, save_photograph

TRAIN, VAL = ("2007_000032", "2007_000039"), ("2007_000063",)
# Only Pascal-Part annotates this one.
BARE = "2008_000008"
INDICES = (0, 1, 12, 15, 20, 255)
# By image: class, and by part its name in Pascal-Part.
OBJECTS: dict[str, list[tuple[str, list[str]]]] = {
    "2007_000032": [("aeroplane", ["lwing", "rwing", "engine_1", "engine_2"]), ("person", [])],
    BARE: [("horse", ["head", "lear", "rfho"]), ("person", ["head", "llarm"])],
}


def mask_of(stem: str) -> Array:
    return blocks(int(stem[5:]), INDICES)


def object_mask(stem: str, i: int) -> Array:
    """Objects and parts lie over one another."""
    return blocks(1000 * i + int(stem[5:]), (0, 0, 1))


def part_mask(stem: str, i: int, j: int) -> Array:
    return blocks(1000 * i + 100 * (j + 1) + int(stem[5:]), (0, 0, 0, 1))


def colours() -> dict[int, tuple[int, int, int]]:
    """The palette of the published masks, by its definition: a bit of each channel in turn, highest first."""
    found = {}
    for index in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        found[index] = (channels[0], channels[1], channels[2])
    return found


def structures(rows: list[dict[str, Any]]) -> Any:
    """An array of structures, as MATLAB stores a list; of none, an empty array."""
    if not rows:
        return np.zeros((0, 0))
    made = np.zeros((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        made[0, i] = tuple(row.values())
    return made


def write_parts(path: Path, stem: str, *, compressed: bool = True) -> None:
    """A file of Pascal-Part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = [
        {
            "class": name,
            "class_ind": 1,
            "mask": object_mask(stem, i).astype(np.uint8),
            "parts": structures(
                [
                    {"part_name": part, "mask": part_mask(stem, i, j).astype(np.uint8)}
                    for j, part in enumerate(parts)
                ]
            ),
        }
        for i, (name, parts) in enumerate(OBJECTS[stem])
    ]
    savemat(path, {"anno": {"imname": stem, "objects": structures(objects)}}, do_compression=compressed)


def make(folder: Path, *, parts: bool = True) -> None:
    root = folder / "VOCdevkit" / "VOC2012"
    for stem in (*TRAIN, *VAL, BARE):
        save_photograph(root / "JPEGImages" / f"{stem}.jpg", photograph(int(stem[5:])))
    for stem in (*TRAIN, *VAL):
        save(root / "SegmentationClass" / f"{stem}.png", palette(mask_of(stem), colours()))
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("".join(f"{stem}\n" for stem in TRAIN), encoding="utf-8")
    (lists / "val.txt").write_text("".join(f"{stem}\n" for stem in VAL), encoding="utf-8")
    (lists / "trainval.txt").write_text("".join(f"{stem}\n" for stem in (*TRAIN, *VAL)), encoding="utf-8")
    if parts:
        for i, stem in enumerate(OBJECTS):
            write_parts(root / "Annotations_Part" / f"{stem}.mat", stem, compressed=i % 2 == 0)


def coloured_mask(stem: str) -> Image.Image:
    """The mask as programs leave it that know no palettes."""
    table = np.array([colours()[i] for i in range(256)], np.uint8)
    return Image.fromarray(table[mask_of(stem)])
