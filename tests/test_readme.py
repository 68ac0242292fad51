"""What the README shows is what happens, in processes of their own: as a reader types it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import README, ROOT, SETUP, blocks, commands, root_of_a_reader


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return root_of_a_reader(tmp_path_factory.mktemp("readme"))


@pytest.mark.parametrize("command", commands(README))
def test_its_commands_run(command: str, place: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=place,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("block", blocks(README, "python"))
def test_its_python_runs(block: str, place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_it_opens_with_a_sentence_a_picture_and_two_commands() -> None:
    text = README.read_text(encoding="utf-8")
    assert re.match(r"# onnxdissect\n\n[^\n]+\.\n\n!\[[^\]]+\]\(docs/picture\.png\)\n", text)
    first, second = blocks(README, "sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert first.startswith(f"{SETUP} && ")
    assert "onnxdissect run models/" in first
    assert second.rstrip().endswith("pytest")


def test_ci_runs_its_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"grep -m 1 -E '(.*?)' README\.md", script)
    found = [line for line in README.read_text(encoding="utf-8").splitlines() if re.search(pattern, line)]
    assert found == [blocks(README, "sh")[1].strip()]
