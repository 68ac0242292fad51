"""Small data sets, said by the names of their labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from support.named_labels import Draw, draw_labels


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    return partial(draw_labels, tmp_path)
