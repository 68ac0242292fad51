"""Templates of the package: what is put into them is escaped, and nothing may be missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
from jinja2 import Environment, UndefinedError

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


def test_a_template_that_has_changed_is_compiled_again(tmp_path: Path) -> None:
    content = {"word": "a", "double": str}
    assert render(PACKAGE, "page.j2", content) == render(PACKAGE, "page.j2", content) == "  <p>aa</p>\n"
    (tmp_path / PACKAGE / "templates" / "macro.j2").write_text(
        "{% macro twice(word) %}{{ word }}!{% endmacro %}"
    )
    assert render(PACKAGE, "page.j2", content) == "  <p>a!</p>\n"


def test_a_template_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_template = Environment.compile

    def counted(environment: Environment, source: str, name: str, filename: str) -> CodeType:
        compiled.append(name)
        return compile_template(environment, source, name, filename)

    monkeypatch.setattr(Environment, "compile", counted)
    for word in ("a", "b"):
        assert word in render(PACKAGE, "page.j2", {"word": word, "double": str})
    assert compiled == ["page.j2", "macro.j2"]
