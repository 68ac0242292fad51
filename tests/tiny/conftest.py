"""The drawn data set, small."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_set import SOME

from onnxdissect.tiny import BumpMaps, make_tiny


@pytest.fixture(scope="module")
def bump_maps() -> BumpMaps:
    return BumpMaps()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiny"
    make_tiny(folder, images=SOME, seed=7, workers=1)
    return folder
