"""The page on the check says what the code does: options, rules, settings, defaults, and a true example."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer.main
from support.checking import ROOT, call

import onnxdissect
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.rules import RULES
from onnxdissect.check.verdict import ChangedUnit, Finding, LayerDrift, Verdict
from onnxdissect.cli.commands import app

PAGE = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that begins with a heading."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M)
    assert table is not None, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def test_every_rule_is_on_the_page() -> None:
    told = [(row[0], row[2], row[3].rstrip(" |")) for row in rows("rule")]
    assert told == [
        (
            f"`{rule.name}`",
            f"{'always ' if rule.fixed else ''}`{rule.level}`",
            ", ".join(f"`{setting}`" for setting in rule.settings),
        )
        for rule in RULES
    ]


def test_every_setting_is_on_the_page_with_its_default() -> None:
    told = {row[0].strip("`"): row[1] for row in rows("setting")}
    assert set(told) == {field.name.replace("_", "-") for field in fields(Config)}
    for field in fields(Config):
        shown = told[field.name.replace("_", "-")]
        if field.name == "levels":
            assert shown == "as above"
            continue
        default = getattr(Config(), field.name)
        value = tomllib.loads(f"x = {shown.strip('`')}")["x"]
        assert value == (list(default) if isinstance(default, tuple) else default)


def test_every_option_is_on_the_page() -> None:
    command = typer.main.get_command(app).commands["check"]  # type: ignore[attr-defined]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    told = set(re.findall(r"--[a-z-]+", " ".join(row[0] for row in rows("option"))))
    assert told == options - {"--help"}


def test_every_key_of_the_json_is_on_the_page() -> None:
    told = {key for row in rows("key") for key in re.findall(r"`([a-z_]+)`", " ".join(row))}
    kinds: tuple[Any, ...] = (Verdict, Finding, ChangedUnit, LayerDrift)
    there = {field.name for kind in kinds for field in fields(kind)} | set(Verdict("", "", ()).to_json())
    assert told == there | {"passed", "failed", "untested"}


def masked(text: str) -> list[str]:
    """Findings without figures, which differ in their last digits between processors."""
    found = []
    for line in text.splitlines():
        if re.match(r"(passed|warning|error|check)\b", line):
            line = re.sub(r"p (=|<) [\d.e-]+", "p #", line)
            found.append(re.sub(r"\d+(\.\d+)?", "#", line).rstrip())
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "models").symlink_to(ROOT / "models")
    return tmp_path


def test_the_example_is_what_is_printed(place: Path) -> None:
    (shown,) = re.findall(r"^```text\n(outcome .*?)^```", PAGE, re.M | re.S)
    out = place / "baseline"
    onnxdissect.dissect(place / "models" / "tiny_scenes.onnx", "tiny", ["relu6"], limit=200, null=0, out=out)
    assert call("--baseline", "baseline", "--write-baseline", "baseline.json", cwd=place).code == 0
    assert call("--baseline", "baseline.json", "--init", cwd=place).code == 0
    words = ("models/tiny_scenes_untrained.onnx", "--baseline", "baseline.json")
    said = call(*words, cwd=place)
    assert said.code == 1
    assert masked(said.out) == masked(shown)
    assert {"labels", "iou-loss", "unique-loss", "required"} <= {line.split()[1] for line in masked(shown)}
    assert len(masked(shown)) > 10
    assert shown.count("\n                      - unit") >= 10


def test_what_is_said_of_untested_rules_is_what_the_check_says() -> None:
    rules = sorted((ROOT / "onnxdissect" / "check" / "rules").rglob("*.py"))
    source = "".join(path.read_text(encoding="utf-8") for path in rules)
    for row in rows("reason"):
        assert row[0] in source or row[0].startswith("other numbers of units cannot be compared one by one")
