"""The list of commands: every file with one is in it, and all stand in the documentation."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import typer.main

from onnxdissect import cli
from onnxdissect.cli.commands import COMMANDS, app

DOCS = Path(__file__).parents[2] / "docs"
PROGRAM: Any = typer.main.get_command(app)


def test_every_file_with_a_command_is_listed() -> None:
    found = set()
    for module in iter_modules(cli.__path__, f"{cli.__name__}."):
        name = module.name.rpartition(".")[2]
        if name in ("commands", "main"):
            continue
        # of a room, only one that brings several commands together
        wanted = {"app"} if module.ispkg else {name, "app"}
        if wanted & vars(import_module(module.name)).keys():
            found.add(name.replace("_", "-"))
    assert sorted(PROGRAM.commands) == sorted(found)
    assert len(COMMANDS) == len(found) > 5


@pytest.mark.parametrize("name", sorted(PROGRAM.commands))
def test_every_command_has_a_section(name: str) -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    sections = {
        heading: text
        for headings, text in re.findall(r"^## (.+)\n((?:(?!## ).*\n)+)", page, re.M)
        for heading in headings.split(", ")
    }
    assert name in sections
    for inner in getattr(PROGRAM.commands[name], "commands", ()):
        assert f"`{name} {inner}`" in sections[name]


def test_a_data_set_is_written_in_one_way() -> None:
    written = {
        parameter.metavar
        for command in (*PROGRAM.commands.values(), *PROGRAM.commands["data"].commands.values())
        for parameter in command.params
        if "--data" in parameter.opts or (parameter.name == "folder" and parameter.metavar)
    }
    assert written == {"DIR|FILE|SOURCE"}
