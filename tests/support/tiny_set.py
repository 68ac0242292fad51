"""Tables and pixels of a drawn data set, read from its files."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SOME = 48  # images of the data set of the tests


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def decoded(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None, path
    return np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)


def label_map(path: Path) -> NDArray[np.int64]:
    image = decoded(path).astype(np.int64)
    assert not image[:, :, 2].any()
    return np.asarray(image[:, :, 0] + 256 * image[:, :, 1], np.int64)
