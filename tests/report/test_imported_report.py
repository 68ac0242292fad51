"""The report of imported results: the same files, with what is not published left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from naive import published as naive
from support.report_pages import Page, files_in
from support.result_files import Best, draw_units, result_file, table, write

from onnxdissect import import_netdissect
from onnxdissect.errors import NotPublishedError
from onnxdissect.report import build
from onnxdissect.report.pages.scripts import read_script

NAME = '<script>alert("x")</script> & "co"'


def test_data_says_what_is_known_and_null_for_the_rest(tmp_path: Path) -> None:
    path = result_file(tmp_path / "conv5.csv", count=15)
    run = import_netdissect(path, tmp_path / "run")
    page = build(run)
    said = naive.read(path)
    content = json.loads((page.parent / "data.json").read_text())
    assert content["imported"] == run.manifest["imported"]
    assert content["photos"] == []
    (layer,) = content["layers"]
    (view,) = layer["views"]
    assert (layer["shape"], layer["op"], view["rare_labels"]) == (None, "", None)
    assert (view["detectors"], view["unique_detectors"]) == (said["detectors"], said["unique"])
    records = view["unit_records"]
    told = [(one["label"], one["category"]) for one in records]
    assert told == [(label, category) for label, category, _ in said["units"]]
    assert {(one["threshold"], one["low"], one["p"], one["silent"]) for one in records} == {
        (None, None, None, False)
    }
    assert {one["images"] for one in content["concepts"]} == {None}
    assert [one["truth"] for one in content["concepts"]] == [concept.truth for concept in run.concepts]
    _, _, unit = read_script(page.parent / "units" / "conv5" / "0.js")
    assert (unit["images"], unit["maps"], unit["histogram"]) == ([], None, None)
    files = files_in(page.parent)
    assert {"index.html", "concepts.html", "layers/conv5.html", "figures/conv5-q0.svg"} <= files
    assert not [name for name in files if name.startswith("photos")]


def test_without_counts_truth_is_null_too(tmp_path: Path) -> None:
    path = write(tmp_path / "conv5.csv", table(draw_units(5), columns=("label", "iou")))
    content = json.loads((build(import_netdissect(path, tmp_path / "run")).parent / "data.json").read_text())
    assert {(one["truth"], one["images"]) for one in content["concepts"]} == {(None, None)}


def test_every_page_says_that_it_is_imported(tmp_path: Path) -> None:
    run = import_netdissect(result_file(tmp_path / "conv5.csv"), tmp_path / "run")
    folder = build(run).parent
    for name in ("index.html", "concepts.html", "layers/conv5.html"):
        assert "These results were imported from conv5.csv." in Page(folder / name).text, name
    assert "not told" in Page(folder / "index.html").text


def test_names_in_files_are_only_names(tmp_path: Path) -> None:
    units = [{g: Best(NAME, 90, 80, 70) for g in ("object", "part", "texture")} for _ in range(3)]
    path = write(tmp_path / 'a"b&c.csv', table(units))
    run = import_netdissect(path, tmp_path / "run", layers=[NAME], network=NAME, data_name=NAME)
    assert run.units()[0].label == NAME
    folder = build(run).parent
    for page in sorted(folder.rglob("*.html")):
        assert "<script>alert" not in page.read_text(encoding="utf-8")
        assert NAME in Page(page).text


def test_nothing_detected_is_said(tmp_path: Path) -> None:
    units = [{g: Best("", 0, 9, 0) for g in ("object", "part", "texture")} for _ in range(2)]
    run = import_netdissect(write(tmp_path / "conv5.csv", table(units)), tmp_path / "run")
    assert (run.concepts, run.summary()[0].detectors) == ((), 0)
    text = Page(build(run)).text
    assert "0 of 2 units detect a concept" in text
    assert "No unit's label has an IoU above 0.04" in text


def test_a_data_set_cannot_give_pictures(tmp_path: Path) -> None:
    run = import_netdissect(result_file(tmp_path / "conv5.csv"), tmp_path / "run")
    with pytest.raises(NotPublishedError, match="no data set gives it pictures"):
        build(run, data="tiny")
    assert not (tmp_path / "run" / "report").exists()


def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    run = import_netdissect(result_file(tmp_path / "conv5.csv"), tmp_path / "run")
    first = {name: (build(run).parent / name).read_bytes() for name in ("index.html", "data.json")}
    assert {name: (build(run).parent / name).read_bytes() for name in first} == first
