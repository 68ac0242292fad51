"""A finished run of invented counts, to read and to copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.fake_counts import save_fake_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests that change it make a copy."""
    folder = tmp_path_factory.mktemp("runs") / "fake"
    save_fake_run(folder, quantiles=(0.005, 0.01))
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))
