"""A run to report on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_counts import FakeRun, fake_run
from support.report_pages import with_images


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    return with_images(fake_run(quantiles=(0.005, 0.02)), tmp_path / "broden")
