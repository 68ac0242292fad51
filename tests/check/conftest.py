"""A run of the shipped network and the baseline file made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.checking import make_baseline, make_run
from support.once import made_once


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and its baseline file beside it; tests that change one make a copy."""
    return made_once(tmp_path_factory, "checked", lambda folder: make_baseline(make_run(folder))) / "run"


@pytest.fixture(scope="session")
def baseline(run: Path) -> Path:
    return run.parent / "baseline.json"
