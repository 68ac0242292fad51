"""`data import`: what all formats have, in the program and in the documents."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer.main
from support.commands import called
from support.samples import masks

from onnxdissect.cli.data.importing import app

DOCS = Path(__file__).parents[2] / "docs"
PROGRAM: Any = typer.main.get_command(app)
SHARED = (
    *("--size", "--aspect", "--resample", "--upright", "--link", "--color", "--scene", "--limit"),
    *("--split-from", "--group", "--name", "--licence", "--json"),
)


@pytest.mark.parametrize("name", sorted(PROGRAM.commands))
def test_every_format_has_the_shared_options_a_page_and_a_sample(name: str) -> None:
    options = {option for parameter in PROGRAM.commands[name].params for option in parameter.opts}
    assert {*SHARED} < options
    page = DOCS / "import" / f"{name}.md"
    assert re.match(rf"# .+\n\n```sh\nonnxdissect data import {name} ", page.read_text(encoding="utf-8"))
    assert callable(import_module(f"support.samples.{name}").make)
    assert f"[`{name}`](import/{name}.md)" in (DOCS / "import.md").read_text(encoding="utf-8")


def test_the_documents_name_every_shared_option() -> None:
    for page in ("import.md", "commands.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert not [option for option in SHARED if f"`{option}" not in text]


def test_the_help_of_a_format_tells_where_to(tmp_path: Path) -> None:
    for words in (("--help",), ("masks", "--help")):
        done = called(tmp_path, "data", "import", *words)
        assert done.returncode == 0 and "masks" in done.stdout
    done = called(tmp_path, "data", "import", "masks", "out")
    assert done.returncode == 2 and "--images" in done.stderr


def test_progress_goes_to_standard_errors_and_the_table_to_standard_output(tmp_path: Path) -> None:
    masks.make(tmp_path)
    folders = ("--images", "photos", "--masks", "masks", "--classes", "classes.csv", "--ignore", "255")
    done = called(tmp_path, "data", "import", "masks", "out", *folders, "--link")
    assert done.stderr.startswith("importing: 3 images in ")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["category", "concepts", "images", "pixels"]
    assert lines[-2:] == ["out: 3 images (train 3), 4 concepts", "--data linked:out"]


def test_the_data_to_type_opens_what_was_written_whatever_it_is_called(tmp_path: Path) -> None:
    masks.make(tmp_path)
    folders = ("--images", "photos", "--masks", "masks", "--classes", "classes.csv", "--ignore", "255")
    for name, link in (("tiny", ()), ("with blank", ()), ("linked:far", ()), ("tiny ", ("--link",))):
        done = called(tmp_path, "data", "import", "masks", name, *folders, *link)
        told, spec = shlex.split(done.stdout.splitlines()[-1])
        info = called(tmp_path, "data", "info", spec, "--json")
        assert (told, info.returncode, json.loads(info.stdout)["images"]) == ("--data", 0, 3)


def test_a_filled_folder_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    done = called(tmp_path, "data", "import", "folders", "out", "--images", "none")
    assert done.returncode == 2 and "out: it is not empty" in done.stderr
