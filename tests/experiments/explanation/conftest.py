"""A network, its data and its run, which tests of explanations share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.explained import CLASSES, explained_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is written there."""
    folder = explained_world(tmp_path_factory.mktemp("world"))
    rng = np.random.default_rng(11)
    for number in range(18):
        place = folder / "labelled" / CLASSES[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        # classes differ in brightness, not so much that no image is mistaken
        pixels = rng.integers(0, 3 + 2 * (number % 3), (20 + number, 30, 3)).astype(np.uint8)
        cv2.imwrite(str(place / f"{number:02}.png"), pixels)
    return folder
