"""Made-up tables of all networks, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page.answers import answers
from page.evidence import Evidence
from support.findings_tables import write_tables


@pytest.fixture(scope="session")
def made_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tables(tmp_path_factory.mktemp("made") / "tables")


@pytest.fixture(scope="session")
def told(made_tables: Path) -> dict[str, Any]:
    return answers(Evidence(made_tables))
