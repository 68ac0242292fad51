"""A small data set on disk, to be damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.datasets import Damage, street, write_broden


@pytest.fixture
def damage(tmp_path: Path) -> Damage:
    return Damage(write_broden(tmp_path / "street", street()))
