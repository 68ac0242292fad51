"""The page of the findings: its text, its figures, and the command that makes them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
import pytest
from figures import text_of
from page.drawings import FIGURES, digest_of, draw_all
from page.estimates import Estimate
from support.findings_tables import FINISHED, write_tables

ROOM = Path(__file__).parents[2] / "models" / "findings"
SVG = "{http://www.w3.org/2000/svg}"


def changed(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every copy of a value in which one estimate or number is another."""
    if isinstance(value, Estimate):
        yield path, replace(value, value=value.value + 0.37)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for place, other in changed(getattr(value, field.name), (*path, field.name)):
                yield place, replace(value, **{field.name: other})
    elif isinstance(value, Mapping):
        for key in value:
            for place, other in changed(value[key], (*path, key)):
                yield place, {**value, key: other}
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            for place, other in changed(item, (*path, position)):
                yield place, type(value)([*value[:position], other, *value[position + 1 :]])
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value + 3


def shown(told: Mapping[str, Any]) -> list[str]:
    """Everything that a reader of text and figures can see, figures by their hashes."""
    return [digest_of(told, name) for name in FIGURES]


def test_every_number_of_the_answers_is_told_or_drawn(told: dict[str, Any]) -> None:
    text, hashes = text_of(told), shown(told)
    count = 0
    for place, other in changed(told):
        if place[0] == "findings" and place[2] in ("published", "fewest"):
            continue  # the verdict is told
        if place[0] == "alike" and place[-1] != told["alike"][place[1]].largest[0]:
            continue  # the largest difference is told
        count += 1
        assert shown(other) != hashes or text_of(other) != text, place
    assert count > 400


def test_findings_stand_with_their_seeds_and_verdict(told: dict[str, Any]) -> None:
    lines = text_of(told).splitlines()
    for name, finding in told["findings"].items():
        whole = ", ".join(f"{seed:+.0f}" for seed in finding.difference.seeds)
        points = ", ".join(f"{100 * seed:+.0f}" for seed in finding.difference.seeds)
        percents = ", ".join(f"{100 * seed:.0f} %" for seed in finding.difference.seeds)
        seeds = (f"seeds {whole})", f"seeds {points})", f"seeds: {percents};")
        found = [line for line in lines if any(one in line for one in seeds)]
        assert any(f"**{finding.verdict}**" in line for line in found), name


def test_variants_and_checkpoints_have_a_row(told: dict[str, Any]) -> None:
    text = text_of(told)
    for variant in ("base", "dropout", "batch-norm", "no-decay", "strong-decay", "half-width", "deeper"):
        unique = told["variants"][variant].unique
        assert f"| `{variant}` | {unique.value:.1f} ({unique.low:.1f} to {unique.high:.1f}) |" in text
    assert "| 0 | 7 | 21 | 63 | 189 | 567 | 1,701 | 5,103 |" in text
    assert "| unique detectors | 1.0 | 1.0 | 1.0 | 1.0 | 6.0 | 13.0 | 13.0 | 21.0 |" in text


def test_tables_are_whole(told: dict[str, Any]) -> None:
    rows: list[str] = []
    for line in [*text_of(told).splitlines(), ""]:
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            assert re.fullmatch(r"\|(-+\|)+", rows[1])
            assert len({len(re.findall(r"\|", row)) for row in rows}) == 1, rows[0]
            rows = []
    assert "  |" not in text_of(told).replace("|  |  |", "")


def test_a_minus_stands_before_numbers_only(told: dict[str, Any]) -> None:
    assert not re.search(r"[-+]0\.0+[^\d]", text_of(told).replace("+0.0", ""))
    assert "nan" not in text_of(told).lower().split()


def test_a_name_that_is_nowhere_is_refused(told: dict[str, Any]) -> None:
    for name in told:
        if name in ("depth",):  # drawn, not told
            continue
        with pytest.raises(jinja2.UndefinedError):
            text_of({key: value for key, value in told.items() if key != name})


# Numbers of the papers and of statistics that the text itself holds; those of tables are the papers'.
TYPED = {"2017", "1711.05611", "95", "2020", *"12345"}


def test_no_number_of_ours_is_typed_by_hand() -> None:
    source = (ROOM / "page" / "findings.md.jinja").read_text(encoding="utf-8")
    tree = jinja2.Environment().parse(source)
    told = [
        node.data
        for output in tree.find_all(jinja2.nodes.Output)
        for node in output.nodes
        if isinstance(node, jinja2.nodes.TemplateData)
    ]
    rows = [
        call
        for call in tree.find_all(jinja2.nodes.Call)
        if isinstance(call.node, jinja2.nodes.Name) and call.node.name == "row"
    ]
    assert len(rows) > 30
    for row in rows:
        assert len(row.args) == 4
        # what is published holds numbers; of ours, only texts are looked at: other constants look values up
        for arg in row.args[2:]:
            consts = [arg] if isinstance(arg, jinja2.nodes.Const) else arg.find_all(jinja2.nodes.Const)
            told += [const.value for const in consts if isinstance(const.value, str)]
        claim = row.args[0]
        assert isinstance(claim, jinja2.nodes.Const)
        assert not re.search(r"\d", claim.value)
    typed = {number for text in told for number in re.findall(r"\d[\d.,]*\d|\d", text)}
    assert typed <= TYPED


@pytest.fixture(scope="module")
def drawn(told: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "figures"
    draw_all(told, folder)
    return folder


def test_figures_carry_the_hash_of_their_numbers(told: dict[str, Any], drawn: Path) -> None:
    assert {path.name for path in drawn.iterdir()} == {f"{name}.svg" for name in FIGURES}
    assert len({digest_of(told, name) for name in FIGURES}) == len(FIGURES)
    for name in FIGURES:
        path = drawn / f"{name}.svg"
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"numbers ([0-9a-f]{16})", text) == [digest_of(told, name)]
        assert ElementTree.parse(path).getroot().tag == f"{SVG}svg"
        assert path.stat().st_size < 200_000, name


def test_figures_name_what_they_show(drawn: Path) -> None:
    def texts(name: str) -> str:
        root = ElementTree.parse(drawn / f"{name}.svg").getroot()
        return "\n".join("".join(node.itertext()) for node in root.iter(f"{SVG}text"))

    words = {
        "tasks": ("untrained", "scenes", "objects", "parts", "rotation", "jigsaw", "unique detectors"),
        "conditions": ("base", *(v for v in FINISHED if "width" in v or "decay" in v), "accuracy"),
        "iterations": ("iterations (log axis)", "color", "object", "1000"),
        "depth": ("relu1", "relu5", "texture"),
        "rotations": ("trained", "untrained", "random directions", "share of the rotation, alpha"),
        "thresholds": ("0.005", "0.16", "quantile tau (log axis)"),
        "transfer": ("same label", "other label", "no detector any more", "new detector", "2,187"),
    }
    assert set(words) == set(FIGURES)
    for name, expected in words.items():
        for word in expected:
            assert word in texts(name), (name, word)


def test_the_hash_is_of_what_can_be_seen(told: dict[str, Any]) -> None:
    swept = told["thresholds"]

    def moved(by: float) -> dict[str, Any]:
        generic = replace(swept[0].generic, low=swept[0].generic.low + by)
        return {**told, "thresholds": [replace(swept[0], generic=generic), *swept[1:]]}

    assert digest_of(moved(0.01), "thresholds") != digest_of(told, "thresholds")
    # other machines round otherwise
    assert digest_of(moved(1e-9), "thresholds") == digest_of(told, "thresholds")
    assert digest_of(moved(0.01), "tasks") == digest_of(told, "tasks")


def call(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "models/findings/figures.py", *words],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the models, as the repository's root looks to a reader."""
    (tmp_path / "models").symlink_to(ROOM.parent)
    return tmp_path


def test_the_command_writes_the_same_page_and_figures(
    place: Path, made_tables: Path, told: dict[str, Any], drawn: Path
) -> None:
    done = call(place, "--tables", str(made_tables))
    assert done.returncode == 0, done.stderr
    page = place / "docs" / "findings.md"
    assert done.stdout.split() == [str(page)]
    assert page.read_text(encoding="utf-8") == text_of(told)
    for path in drawn.iterdir():
        assert (place / "docs" / "findings" / path.name).read_bytes() == path.read_bytes()


def test_missing_seeds_are_named_in_a_line(place: Path) -> None:
    tables = write_tables(place / "tables", seeds=(0,))
    done = call(place, "--tables", str(tables))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert {"base-s1,", "base-s2,", "double-width-s2"} <= set(line.split())
    assert "-s0" not in line
    assert "python models/findings/train.py" in line
    assert not (place / "docs").exists()
