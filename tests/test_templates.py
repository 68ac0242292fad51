"""Templates of the package: what is put into them is escaped, and nothing may be missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from onnxdissect.templates import render

PACKAGE = "package_of_templates"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / PACKAGE / "templates"
    folder.mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").write_text("")
    (folder / "macro.j2").write_text("{% macro twice(word) %}{{ word }}{{ double(word) }}{% endmacro %}")
    (folder / "page.j2").write_text(
        "{% from 'macro.j2' import twice %}\n{% if word %}\n  <p>{{ twice(word) }}</p>\n  {% endif %}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop(PACKAGE, None)


def test_words_are_escaped_functions_reach_macros_and_blocks_leave_no_blanks() -> None:
    page = render(PACKAGE, "page.j2", {"word": "<b>", "double": lambda word: word * 2})
    assert page == "  <p>&lt;b&gt;&lt;b&gt;&lt;b&gt;</p>\n"


def test_what_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="word"):
        render(PACKAGE, "page.j2", {"double": str})
