"""What the documents show is what happens: every command in them is executed."""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import run_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SETUP = "sh setup.sh"
# What only a shell understands, or another program than ours.
SHELL = re.compile(r"[|&;<>*?$`]|^(?!onnxdissect )")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def commands(page: Path) -> list[str]:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if not line.startswith(SETUP)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped networks, as the repository's root looks to a reader."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "models").symlink_to(ROOT / "models")
    return folder


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_documents_run(
    page: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Those of the README as a reader types them, others in this process, which has imported all."""
    for command in commands(page):
        if page.name != "README.md" and not SHELL.search(command):
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


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_in_the_documents_runs(page: Path, place: Path) -> None:
    for block in blocks(page, "python"):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=place, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_readme_opens_with_a_sentence_a_picture_and_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.match(r"# onnxdissect\n\n[^\n]+\.\n\n!\[[^\]]+\]\(docs/picture\.png\)\n", text)
    first, second = blocks(ROOT / "README.md", "sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert first.startswith(f"{SETUP} && ")
    assert "onnxdissect run models/" in first
    assert second.rstrip().endswith("pytest")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"grep -m 1 -E '(.*?)' README\.md", script)
    found = [
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if re.search(pattern, line)
    ]
    assert found == [blocks(ROOT / "README.md", "sh")[1].strip()]


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in PAGES:
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
