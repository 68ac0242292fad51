"""A run of the shipped network and the baseline file made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.checking import make_baseline, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("check"))


@pytest.fixture(scope="module")
def baseline(run: Path) -> Path:
    return make_baseline(run)
