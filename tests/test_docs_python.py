"""What the documents show in Python is what happens, block after block of a page."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from support.documents import PAGES, blocks, root_of_a_reader


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return root_of_a_reader(tmp_path_factory.mktemp("docs"))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_in_the_documents_runs(page: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block by itself, in this process, which has imported all; those of the README in their own."""
    if page.parent.name == "scale":
        pytest.importorskip("distributed.client")
    for block in blocks(page, "python"):
        with contextlib.chdir(place):
            exec(compile(block, str(page), "exec"), {"__name__": "__main__"})
        assert capsys.readouterr().out
