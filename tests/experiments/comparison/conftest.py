"""Runs to compare, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.compared_runs import compared_runs


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs ``one``, ``two`` and ``three``; tests that change one make a copy."""
    return compared_runs(tmp_path_factory.mktemp("compared"))
