"""COCO as it is published: ``COCO/val2017/`` and ``COCO/annotations/``, instances, stuff and panoptic.

Shapes and runs are written down here as numbers; what they cover is counted in the tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from support.masked import Array, blocks, photograph, save, save_photograph

HEIGHT, WIDTH = 24, 32
IMAGES: dict[int, dict[str, Any]] = {
    139: {"file_name": "000000000139.jpg", "height": HEIGHT, "width": WIDTH, "id": 139},
    285: {"file_name": "000000000285.jpg", "height": HEIGHT, "width": WIDTH, "id": 285},
    632: {"file_name": "000000000632.jpg", "height": HEIGHT, "width": WIDTH, "id": 632},
}
# ids with gaps, as COCO's
THINGS: list[dict[str, Any]] = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "animal", "id": 23, "name": "bear"},
    {"supercategory": "electronic", "id": 72, "name": "tv"},
]
STUFF: list[dict[str, Any]] = [
    {"supercategory": "plant", "id": 119, "name": "flower"},
    {"supercategory": "ground", "id": 149, "name": "road"},
    {"supercategory": "other", "id": 183, "name": "other"},
]
# of id, class, image, whether a crowd, and segmentation: the second lies over the first
INSTANCES: list[dict[str, Any]] = [
    {
        "id": 1,
        "category_id": 1,
        "image_id": 139,
        "iscrowd": 0,
        "segmentation": [[2.5, 1.25, 20.75, 3.5, 18.0, 20.0, 4.5, 19.25], [25.0, 2.0, 30.5, 2.0, 30.5, 8.0]],
    },
    {
        "id": 2,
        "category_id": 72,
        "image_id": 139,
        "iscrowd": 0,
        "segmentation": [[10.1, 10.2, 29.9, 10.2, 29.9, 22.7, 10.1, 22.7]],
    },
    {
        "id": 3,
        "category_id": 1,
        "image_id": 285,
        "iscrowd": 1,
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": [100, 50, 200, 31, 387]},
    },
    {
        "id": 4,
        "category_id": 23,
        "image_id": 285,
        "iscrowd": 0,
        "segmentation": [[1.0, 1.0, 9.0, 1.0, 5.0, 7.0]],
    },
]


def document(**lists: Any) -> dict[str, Any]:
    return {"info": {"year": 2017}, "licenses": [], "images": [*IMAGES.values()], **lists}


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def runs(mask: Array) -> list[int]:
    """Run lengths down the columns, the first of pixels outside."""
    counts, inside = [0], False
    for one in mask.T.ravel().tolist():
        if bool(one) != inside:
            counts.append(0)
            inside = not inside
        counts[-1] += 1
    return counts


def packed(counts: list[int]) -> str:
    """The text that COCO packs run lengths in, letter by letter."""
    letters = ""
    for i, count in enumerate(counts):
        number = count - counts[i - 2] if i > 2 else count
        while True:
            five, number = number & 0x1F, number >> 5
            more = number != (-1 if five & 0x10 else 0)
            letters += chr(48 + (five | 0x20 if more else five))
            if not more:
                break
    return letters


def stuff_masks() -> dict[int, Array]:
    """Classes of stuff, of two images."""
    return {key: blocks(key, (119, 149, 183), HEIGHT, WIDTH) for key in (139, 632)}


def stuff() -> list[dict[str, Any]]:
    """Annotations of stuff, whose run lengths are packed."""
    annotations: list[dict[str, Any]] = []
    for key, mask in stuff_masks().items():
        for category in (119, 149, 183):
            counts = packed(runs(mask == category))
            annotations.append(
                {
                    "id": 10000 + len(annotations),
                    "category_id": category,
                    "image_id": key,
                    "iscrowd": 0,
                    "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts},
                }
            )
    return annotations


# By image: id of a segment, category, and whether a crowd.
SEGMENTS = {
    139: [(3226956, 1, 0), (200, 149, 0), (70000, 72, 0)],
    285: [(9, 23, 0), (66051, 1, 1)],
    632: [(255, 119, 0)],
}


def segment_ids(key: int) -> Array:
    return blocks(key, (0, *(one[0] for one in SEGMENTS[key])), HEIGHT, WIDTH)


def panoptic() -> list[dict[str, Any]]:
    return [
        {
            "image_id": key,
            "file_name": f"{key:012}.png",
            "segments_info": [
                {"id": one, "category_id": category, "iscrowd": crowd, "area": 1, "bbox": [0, 0, 1, 1]}
                for one, category, crowd in segments
            ],
        }
        for key, segments in SEGMENTS.items()
    ]


def make(folder: Path) -> None:
    root = folder / "COCO"
    for key, image in IMAGES.items():
        save_photograph(root / "val2017" / str(image["file_name"]), photograph(key, HEIGHT, WIDTH))
    annotations = root / "annotations"
    write(annotations / "instances_val2017.json", document(categories=THINGS, annotations=INSTANCES))
    write(annotations / "stuff_val2017.json", document(categories=STUFF, annotations=stuff()))
    both = [one | {"isthing": int(one in THINGS)} for one in THINGS + STUFF[:2]]
    write(annotations / "panoptic_val2017.json", document(categories=both, annotations=panoptic()))
    for key in SEGMENTS:
        ids = segment_ids(key)
        colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
        save(annotations / "panoptic_val2017" / f"{key:012}.png", Image.fromarray(colours))
