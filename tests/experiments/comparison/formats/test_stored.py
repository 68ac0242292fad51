"""A comparison in a folder: read back exactly, and refused when damaged."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fake_counts import save_fake_run
from support.small_runs import contents

import onnxdissect
from onnxdissect.errors import OutputError, RunFormatError, RunNotFoundError
from onnxdissect.experiments.comparison import (
    ComparisonResult,
    MatchedUnits,
    UnitMatching,
    comparison_files,
    write_comparison,
)
from onnxdissect.experiments.comparison.formats.markdown import markdown
from onnxdissect.experiments.comparison.formats.tables import TABLES


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ComparisonResult:
    folder = tmp_path_factory.mktemp("kept")
    save_fake_run(folder / "a|b", units=(6, 8), seed=0)
    save_fake_run(folder / "c", units=(6, 8), seed=1)
    found = onnxdissect.compare([folder / "a|b", folder / "c"], anyway=True)
    units = tuple(MatchedUnits(i, i, 0.5, "car", "") for i in range(6))
    numbers = (0.5, 0.0, -0.1, 0.1, 0.2, 0.1, 0.3, 1.0, None, None)
    pair = found.pairs[0]
    return replace(found, matchings=(UnitMatching(pair.first, pair.second, "masks", units, *numbers),))


@pytest.fixture
def kept(result: ComparisonResult, tmp_path: Path) -> Path:
    write_comparison(result, tmp_path / "kept")
    return tmp_path / "kept"


def test_what_is_written_is_read_back_exactly(result: ComparisonResult, kept: Path, tmp_path: Path) -> None:
    assert onnxdissect.load_comparison(kept) == result
    assert sorted(contents(kept)) == sorted(path.name for path in comparison_files(kept))
    write_comparison(onnxdissect.load_comparison(kept), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(kept)
    # over an earlier one
    write_comparison(replace(result, matchings=()), kept)
    assert onnxdissect.load_comparison(kept).matchings == ()


def test_tables_have_their_columns_and_the_numbers(result: ComparisonResult, kept: Path) -> None:
    tables = {}
    for name, columns in TABLES.items():
        with (kept / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        assert head == list(columns) and rows and all(len(row) == len(head) for row in rows)
        tables[name] = [dict(zip(head, row, strict=True)) for row in rows]
    assert len(tables["layers"]) == len(result.layers) * (2 + len(result.categories))
    for row in tables["layers"]:
        layer = result.layer(row["name"])
        shown = layer.share if row["count"] == "share" else layer.unique
        shown = layer.unique_by_category[row["category"]] if row["category"] else shown
        assert float(row["value"]) == shown.value
    for row in tables["pairs"]:
        pair = result.pair(row["second"], row["first"])
        change = pair.share if row["count"] == "share" else pair.unique
        change = pair.unique_by_category[row["category"]] if row["category"] else change
        assert float(row["difference"]) == change.value and row["p_value"] == ""
        assert row["paired"] == "false" and row["reason"]
    changed = [(row["second"], row["change"], row["concept"]) for row in tables["changes"]]
    assert changed == [
        (pair.second, change, one.concept)
        for pair in result.pairs
        for change in ("gained", "lost", "kept")
        for one in getattr(pair, change)
    ]
    assert len(tables["concepts"]) == len(result.concepts) * len(result.layers)
    assert len(tables["matchings"]) == 6


def test_names_do_not_break_a_table_in_markdown(result: ComparisonResult) -> None:
    text = markdown(result)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    heads = 5 + len(result.categories)
    wide = [row for row in rows if row.startswith("| a\\|b")]
    assert len(wide) == len(result.layers) // 2
    assert all(row.replace("\\|", "").count("|") == heads + 1 for row in wide)
    for mark in result.marks:
        assert mark.split(":")[0] in text
    assert "concepts gained" in text


def _without(document: dict[str, Any], *path: Any) -> None:
    *above, last = path
    for name in above:
        document = document[name]
    del document[last]


def _set(document: dict[str, Any], value: Any, *path: Any) -> None:
    *above, last = path
    for name in above:
        document = document[name]
    document[last] = value


DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "version": (lambda d: _set(d, 2, "format_version"), "format version 2, not 1"),
    "version is true": (lambda d: _set(d, True, "format_version"), "format version true"),
    "missing": (lambda d: _without(d, "pairs"), "pairs is missing"),
    "field": (lambda d: _without(d, "layers", 0, "units"), "layers[0].units is missing"),
    "type": (lambda d: _set(d, "8", "layers", 0, "units"), "layers[0].units is '8'"),
    "one layer": (lambda d: _set(d, d["layers"][:1], "layers"), "layers"),
    "twice": (lambda d: _set(d, d["layers"][1]["name"], "layers", 0, "name"), "layers[1].name"),
    "category": (lambda d: _without(d, "layers", 0, "unique_by_category", "part"), "layers[0].unique_by"),
    "detectors": (lambda d: _set(d, 99, "layers", 0, "detectors"), "layers[0].detectors"),
    "member": (lambda d: _set(d, ["x"], "groups", 0, "members"), "groups"),
    "group": (lambda d: _set(d, "x", "layers", 0, "group"), "layers[0].group"),
    "pair": (lambda d: _set(d, "x", "pairs", 0, "first"), "pairs[0].first"),
    "paired": (lambda d: _set(d, True, "pairs", 0, "paired"), "pairs[0].reason"),
    "p": (lambda d: _set(d, 0.5, "pairs", 0, "unique", "p_value"), "pairs[0].unique"),
    "end": (lambda d: _set(d, 0.5, "layers", 0, "share", "low"), "layers[0].share"),
    "interval": (
        lambda d: _set(d, {"value": 3.0, "low": 4.0, "high": 5.0}, "layers", 0, "unique"),
        "layers[0].unique is 3.0, with an interval from 4.0",
    ),
    "overlap": (lambda d: _set(d, 1.0, "pairs", 0, "overlap", "jaccard"), "pairs[0].overlap"),
    "kept": (lambda d: _set(d, [], "pairs", 0, "kept"), "pairs[0].overlap"),
    "changed category": (lambda d: _set(d, "x", "pairs", 0, "gained", 0, "category"), "pairs[0].gained[0]"),
    "columns": (lambda d: _set(d, [None], "concepts", 0, "best"), "concepts[0].best"),
    "unit": (
        lambda d: _set(d, {"unit": 999, "iou": 0.5, "detectors": []}, "concepts", 0, "best", 0),
        "concepts[0].best[0] names a unit beyond",
    ),
    "matching": (lambda d: _set(d, "x", "matchings", 0, "second"), "matchings[0].second"),
    "matched unit": (
        lambda d: _set(d, 99, "matchings", 0, "units", 0, "second"),
        "matchings[0].units are not",
    ),
    "matched twice": (
        lambda d: _set(d, 1, "matchings", 0, "units", 0, "first"),
        "matchings[0].units are not",
    ),
    "groups alike": (lambda d: _set(d, d["groups"][0]["name"], "groups", 1, "name"), "groups[1].name"),
    "matched by": (lambda d: _set(d, "x", "matchings", 0, "by"), "matchings[0].by"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_does_not_go_together_is_refused(kept: Path, name: str) -> None:
    path = kept / "comparison.json"
    document = copy.deepcopy(json.loads(path.read_text(encoding="utf-8")))
    change, said = DAMAGE[name]
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(RunFormatError) as raised:
        onnxdissect.load_comparison(kept)
    assert said in raised.value.message and "onnxdissect compare" in (raised.value.hint or "")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": 1, "by": 1e999}', "\xff"])
def test_what_is_no_document_is_refused(kept: Path, text: str) -> None:
    (kept / "comparison.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunFormatError, match=r"comparison\.json"):
        onnxdissect.load_comparison(kept)


def test_where_there_is_none_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="no comparison lies in"):
        onnxdissect.load_comparison(tmp_path)
    with pytest.raises(RunNotFoundError, match="there is no folder"):
        onnxdissect.load_comparison(tmp_path / "nowhere")


def test_a_folder_of_something_else_stays_as_it_is(
    result: ComparisonResult, kept: Path, tmp_path: Path
) -> None:
    other = tmp_path / "notes"
    other.mkdir()
    (other / "plan.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds plan\.txt, and is no comparison"):
        write_comparison(result, other)
    (kept / "plan.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds plan\.txt"):
        write_comparison(result, kept)
    # tables alone are no comparison
    (kept / "plan.txt").unlink()
    (kept / "comparison.json").unlink()
    with pytest.raises(OutputError, match=r"holds changes\.csv"):
        write_comparison(result, kept)
    with pytest.raises(OutputError, match="is a file"):
        write_comparison(result, other / "plan.txt")
    assert contents(other) == {"plan.txt": b"mine"}
