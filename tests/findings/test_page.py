"""`docs/findings.md` is what the tables give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from figures import text_of
from page.answers import answers
from page.drawings import FIGURES, digest_of
from page.evidence import Evidence

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "findings.md"
FOLDER = PAGE.with_suffix("")
COMMAND = "python models/findings/figures.py"


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the tables of the repository say."""
    evidence = Evidence(ROOT / "models" / "findings" / "tables")
    evidence.check()
    return answers(evidence)


def test_the_page_says_what_the_tables_give(told: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == text_of(told), f"{COMMAND} writes it anew"


def test_its_figures_show_what_the_tables_give(told: dict[str, Any]) -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.svg" for name in FIGURES}
    for name in FIGURES:
        text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert re.findall(r"numbers ([0-9a-f]{16})", text) == [digest_of(told, name)], f"{COMMAND} draws it"


def test_the_page_shows_the_command_that_makes_it() -> None:
    # tests of the documents execute what stands in such blocks
    assert f"```sh\n{COMMAND}\n```" in PAGE.read_text(encoding="utf-8")
