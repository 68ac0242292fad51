"""What the documents show is what happens: every command in them is executed."""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import run_command
from support.datasets import random_broden, write_broden
from support.documents import PAGES, README, ROOT, commands, root_of_a_reader
from support.publishing import PROXIES, publishing, zipped
from support.samples import make_sample

# What only a shell understands, or another program than ours.
SHELL = re.compile(r"[|&;<>*?$`]|^(?!onnxdissect )")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return root_of_a_reader(tmp_path_factory.mktemp("docs"))


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that answers as the one would at which Broden was published, asked as a proxy."""
    folder = write_broden(tmp_path_factory.mktemp("published") / "broden", random_broden())
    with publishing(zipped(folder)) as server:
        yield server.address.partition("/data")[0]


@pytest.fixture(autouse=True)
def proxy(published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", published)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_documents_run(
    page: Path,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In this process, which has imported all; those of the README run in processes of their own."""
    if page.parent.name == "scale":
        pytest.importorskip("distributed.client")
    if page.parent.name == "import" or page.stem == "segmenter":
        place = root_of_a_reader(tmp_path)
        make_sample(page, place)
    for command in commands(page):
        if not SHELL.search(command):
            with contextlib.chdir(place):
                code = run_command(monkeypatch, *shlex.split(command)[1:])
            said = capfd.readouterr()
            assert code == 0, f"{command}\n{said.out}\n{said.err}"
            continue
        done = subprocess.run(
            command,
            shell=True,
            cwd=place,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in (README, *PAGES):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_picture_of_the_rooms_is_that_of_the_code() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "draw_rooms.py"))
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert script["drawn"](page) == page, "python docs/draw_rooms.py draws it anew"


def test_files_named_in_the_architecture_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:onnxdissect/)?(?:[a-z_]+/)+(?:[a-z_]+\.(?:py|md))?)`", page)
    assert len(named) > 40
    for path in named:
        assert any((base / path).exists() for base in (ROOT, ROOT / "onnxdissect")), path
