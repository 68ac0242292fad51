"""Runs to compare, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.compared_runs import compared_runs
from support.once import made_once


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs ``one``, ``two`` and ``three``; tests that change one make a copy."""
    return made_once(tmp_path_factory, "compared", compared_runs)
