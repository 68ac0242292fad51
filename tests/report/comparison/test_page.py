"""The page of a comparison: what it says, what lies beside it; names and missing pictures do it no harm."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from support.comparisons import Side, comparison, made_sides, run_sides, without_intervals
from support.fake_counts import FakeRun, contents, fake_run
from support.report_pages import Page, files_in, with_images
from support.result_files import result_file

from onnxdissect import compare, import_netdissect
from onnxdissect.core.progress import Silent
from onnxdissect.experiments.comparison.result import ComparisonResult
from onnxdissect.report import build
from onnxdissect.report.comparison import build_comparison, pictures, show_comparison
from onnxdissect.report.data.rle import mask_of_text
from onnxdissect.report.pages.scripts import read_script
from onnxdissect.results import Dissection

QUANTILES = (0.005, 0.02)


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Dissection]:
    """Two runs over the same images, of which the second has other units."""
    first = with_images(fake_run(quantiles=QUANTILES), tmp_path / "broden")
    second = fake_run(seed=1, units=(8,), quantiles=QUANTILES)
    # The same images and concepts, so that what it detects can be laid beside the first's.
    second = replace(second, images=first.images, manifest=first.manifest)
    counts = tuple(replace(one, top_masks=one.top_masks * 0) for one in second.counts)
    return {
        "runs/one": first.save(tmp_path / "one"),
        "runs/two": replace(second, counts=counts).save(tmp_path / "two"),
    }


def compared(runs: Mapping[str, Dissection], quantile: float = 0.02, **options: Any) -> ComparisonResult:
    sides, concepts = run_sides(list(runs.items()), quantile)
    return comparison(sides, concepts, **{"by": "run", "matched": [(0, 2)], **options})


def test_everything_is_there_and_stays_there(runs: dict[str, Dissection], tmp_path: Path) -> None:
    result, out = compared(runs), tmp_path / "out"
    figures, page = show_comparison(result, runs, out, Silent())
    assert page == out / "index.html"
    assert {path.parent for path in figures} == {out / "figures"}
    photos = {name for name in files_in(out) if name.startswith("page/images0/photos/")}
    units = {name for name in files_in(out) if name.startswith("page/images0/units/")}
    assert photos
    assert units
    assert files_in(out) == {
        "index.html",
        *(path.relative_to(out).as_posix() for path in figures),
        *(f"page/{name}" for name in ("report.css", "comparison.css", "shared.js", "comparison.js")),
        *(f"page/data/{name}.js" for name in ("run", "concepts", "pair-0", "pair-1", "matching-0")),
        *("page/files.json", "page/images0/data.json", *photos, *units),
    }
    before = contents(out)
    assert show_comparison(result, runs, out) == (figures, page)
    assert contents(out) == before
    read = Page(page)
    for _, attrs in read.elements:
        for name in {"src", "href"} & attrs.keys():
            where = attrs[name]
            if where.startswith("#") or where == "data:,":
                continue
            assert not re.match(r"[a-z]*:|/", where)
            assert (out / unquote(where.split("#")[0])).is_file()
    ids = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert all(attrs["href"][1:] in ids for attrs in read.all("a") if attrs["href"].startswith("#"))
    for path in (page, *out.rglob("*.css"), *out.rglob("*.js")):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not any(word in text for word in ("http", "url(", "@import", "fetch("))


def test_the_scripts_have_what_the_result_has(runs: dict[str, Dissection], tmp_path: Path) -> None:
    result = compared(runs)
    page = build_comparison(result, runs, tmp_path / "out")
    data = page.parent / "page" / "data"
    (record,) = read_script(data / "run.js")
    assert [layer["name"] for layer in record["layers"]] == [layer.name for layer in result.layers]
    assert record["pairs"] == [[0, 1], [0, 2]]
    assert record["matchings"] == [[0, 2]]
    (rows,) = read_script(data / "concepts.js")
    categories = [one["name"] for one in record["categories"]]
    assert len(rows) == len(result.concepts)
    for (name, category, cells), concept in zip(rows, result.concepts, strict=True):
        assert (name, categories[category]) == (concept.concept, concept.category)
        for cell, best in zip(cells, concept.best, strict=True):
            if best is None:
                assert cell == 0
            else:
                assert (cell[0], tuple(cell[2:])) == (best.unit, best.detectors)
                assert cell[1] == pytest.approx(best.iou, abs=6e-5)
    for i, pair in enumerate(result.pairs):
        at, found = read_script(data / f"pair-{i}.js")
        assert at == i
        for kind in ("gained", "lost", "kept"):
            changes = getattr(pair, kind)
            assert [row[0] for row in found[kind]] == [change.concept for change in changes]
            assert np.allclose(
                [row[2:] for row in found[kind]], [[c.first, c.second] for c in changes], atol=6e-5
            )
        assert [row[0] for row in found["categories"]] == [
            pair.unique_by_category[c].value for c in result.categories
        ]
    assert any(pair.gained for pair in result.pairs)
    assert any(pair.lost for pair in result.pairs)
    _, matched = read_script(data / "matching-0.js")
    (matching,) = result.matchings
    assert [(row[0], row[1], row[3], row[4]) for row in matched] == [
        (pair.first, pair.second, pair.first_label, pair.second_label) for pair in matching.units
    ]


def test_pictures_are_those_of_the_units(runs: dict[str, Dissection], tmp_path: Path) -> None:
    result = compared(runs)
    page = build_comparison(result, runs, tmp_path / "out")
    wanted = {
        (position, best.unit)
        for concept in result.concepts
        for position, best in enumerate(concept.best)
        if best
    }
    wanted |= {(0, pair.first) for pair in result.matchings[0].units}
    wanted |= {(2, pair.second) for pair in result.matchings[0].units}
    found = {
        (int(path.parent.name), int(path.stem)): read_script(path)[2]
        for path in (page.parent / "page/images0/units").glob("*/*.js")
    }
    assert found.keys() == wanted
    numbers = {(c.name, c.category): c.number for c in runs["runs/one"].concepts}
    for (position, unit), shown in found.items():
        layer = result.layers[position]
        run = runs[layer.run]
        images = [one["image"] for one in shown["images"]]
        assert images == run.counts(layer.layer).top_images[unit].tolist()
        for rank, text in enumerate(shown["masks"]):
            grid = run.images[images[rank]].grid
            mask = run.top_mask(layer.layer, unit, rank, layer.quantile)
            assert np.array_equal(mask_of_text(text, grid), mask)
        label = run.units(layer.layer, layer.quantile)[unit]
        if label.label:
            assert shown["views"][0]["name"] == [label.label, label.category]
        for view in shown["views"]:
            assert view["concept"] == numbers[tuple(view["name"])]


def test_runs_over_other_images_have_pictures_of_their_own(tmp_path: Path) -> None:
    first = with_images(fake_run(), tmp_path / "one_data", (255, 0, 0))
    second = with_images(fake_run(images=9), tmp_path / "two_data", (0, 255, 0))
    second = replace(
        second, manifest={**second.manifest, "data": {**second.manifest["data"], "fingerprint": "2" * 64}}
    )
    runs = {"one": first.save(tmp_path / "one"), "two": second.save(tmp_path / "two")}
    page = build_comparison(compared(runs, 0.005), runs, tmp_path / "out")
    (record,) = read_script(page.parent / "page/data/run.js")
    assert [layer["set"] for layer in record["layers"]] == [0, 0, 1, 1]
    shades = [(page.parent / f"page/images{i}/photos/0.webp").read_bytes() for i in (0, 1)]
    assert shades[0] != shades[1]
    assert {path.name for path in (page.parent / "page/images1/units").iterdir()} <= {"2", "3"}


def test_pictures_outlive_the_data_and_come_from_reports(runs: dict[str, Dissection], tmp_path: Path) -> None:
    result = compared(runs)
    page = build_comparison(result, runs, tmp_path / "out")
    before = contents(page.parent / "page")
    build(runs["runs/one"])
    shutil.rmtree(tmp_path / "broden")
    build_comparison(result, runs, tmp_path / "out")
    after = contents(page.parent / "page")
    assert before.keys() == after.keys()
    assert all(before[name] == after[name] for name in before if "photos" in name)
    assert Page(page).all("a", href="../one/report/layers/-stage1-Relu_output_0.html#q=1")
    elsewhere = build_comparison(result, runs, tmp_path / "elsewhere", earlier=page.parent)
    assert {name for name in files_in(elsewhere.parent / "page") if "photos" in name} == {
        name for name in before if "photos" in name
    }
    shutil.rmtree(page.parent / "page")
    other = build_comparison(result, runs, tmp_path / "other")
    assert {name for name in files_in(other.parent) if "photos" in name} == {
        f"page/{name}" for name in before if "photos" in name
    }
    shutil.rmtree(tmp_path / "one" / "report")
    last = build_comparison(result, runs, tmp_path / "last")
    assert "There are no pictures: the images are no longer in" in Page(last).text
    assert not (last.parent / "page/images0/photos").exists()


def test_where_many_images_are_needed_detectors_come_first(
    runs: dict[str, Dissection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = compared(runs)
    monkeypatch.setattr(pictures, "_MOST_IMAGES", 5)
    page = build_comparison(result, runs, tmp_path / "out")
    shown = list((page.parent / "page/images0/units").glob("*/*.js"))
    first = next(
        (position, best.unit)
        for position, best in enumerate(result.concepts[0].best)
        if best and best.detectors
    )
    assert first in {(int(path.parent.name), int(path.stem)) for path in shown}
    assert len(list((page.parent / "page/images0/photos").iterdir())) <= 5
    (record,) = read_script(page.parent / "page/data/run.js")
    without = {(at, unit) for at, layer in enumerate(record["layers"]) for unit in layer["without"]}
    assert without
    assert without.isdisjoint({(int(path.parent.name), int(path.stem)) for path in shown})
    assert re.search(r"\d+ units without pictures, as all of them would need more than 5", Page(page).text)


def imported(sides: list[Side], folder: Path) -> dict[str, Dissection]:
    """Give every run of made-up layers the tables of a run, which has no images."""
    for side in sides:
        side.given |= {"images": 0, "layer": "/stage1/Relu_output_0"}
    run = fake_run(units=(4,)).save(folder)
    return {side.given["run"]: run for side in sides}


def test_results_without_images_say_so(tmp_path: Path) -> None:
    sides, concepts = made_sides(networks=5)
    runs = imported(sides, tmp_path / "run")
    result = comparison(sides, concepts, resamples=0, matched=[(0, 1)])
    page = build_comparison(result, runs, tmp_path / "out")
    text = Page(page).text
    assert "runs/net0-seed0, runs/net1-seed0, runs/net2-seed0 and 2 more have no images" in text
    assert "results without images" in text
    assert not list((page.parent / "page").glob("images*"))
    assert not Page(page).all("div", id="show")


def test_published_results_beside_a_run_of_ours(tmp_path: Path) -> None:
    ours = with_images(fake_run(units=(8,)), tmp_path / "broden").save(tmp_path / "ours")
    published = import_netdissect(result_file(tmp_path / "published.csv"), tmp_path / "published")
    paths = [str(tmp_path / "ours"), str(tmp_path / "published")]
    result = compare(paths, anyway=True)
    assert result.marks
    page = build_comparison(result, dict(zip(paths, (ours, published), strict=True)), tmp_path / "out")
    text = Page(page).text
    assert f"{paths[1]} has no images: there are no pictures of these units. Imported results" in text
    assert all(mark in text for mark in result.marks)
    (record,) = read_script(page.parent / "page/data/run.js")
    assert [layer["set"] for layer in record["layers"]] == [0, -1]
    assert record["sets"][0]["pictures"] is True
    assert [layer["name"] for layer in record["layers"]] == [layer.name for layer in result.layers]


def test_marks_are_said_loudly(runs: dict[str, Dissection], tmp_path: Path) -> None:
    mark = "runs/one was scored as paper, runs/two as lite."
    page = Page(build_comparison(compared(runs, marks=[mark]), runs, tmp_path / "out"))
    assert mark in page.text
    assert page.all("div", **{"class": "marks", "role": "note"})
    plain = Page(build_comparison(compared(runs), runs, tmp_path / "plain"))
    assert not plain.all("div", **{"class": "marks"})


def test_warnings_are_said(runs: dict[str, Dissection], tmp_path: Path) -> None:
    warning = "runs/one relu6: 3 of 6 units have no mask <at> this quantile"
    page = Page(build_comparison(compared(runs, warnings=[warning]), runs, tmp_path / "out"))
    assert f"Warning: {warning}" in page.text
    assert "Warning" not in Page(build_comparison(compared(runs), runs, tmp_path / "plain")).text


def test_the_tables_have_the_numbers(runs: dict[str, Dissection], tmp_path: Path) -> None:
    result = compared(runs)
    text = Page(build_comparison(result, runs, tmp_path / "out")).text
    for layer in result.layers:
        assert layer.unique.low is not None
        assert layer.unique.high is not None
        interval = f"{_text(layer.unique.low)} to {_text(layer.unique.high)}"
        assert f"{100 * layer.share.value:.1f} %" in text
        assert f"{layer.unique.value:.0f} {interval}" in text
    pair = result.pairs[1]
    assert f"{pair.overlap.jaccard:.2f} {pair.overlap.shared}/{pair.overlap.union}" in text
    ordered = sorted(result.groups, key=lambda group: -group.unique.mean)
    assert f"Most unique detectors (mean of the group): {ordered[0].name} with" in text
    assert "2 runs side by side" in text


def _text(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def test_without_intervals(runs: dict[str, Dissection], tmp_path: Path) -> None:
    text = Page(build_comparison(without_intervals(compared(runs)), runs, tmp_path / "out")).text
    assert "nothing was resampled" in text
    assert "2 of 2 without a test: nothing was resampled" in text
    assert "95 % intervals" not in text
    assert "Reliable" not in text


def test_nothing_detected_anywhere(tmp_path: Path) -> None:
    sides, concepts = made_sides(networks=2, depths=2)
    runs = imported(sides, tmp_path / "run")
    for side in sides:
        side.iou = side.iou * 0
    result = comparison(sides, concepts, matched=[(0, 1)])
    figures, page = show_comparison(result, runs, tmp_path / "out")
    assert figures == []
    text = Page(page).text
    assert "No unit of any layer detects a concept." in text
    assert "none to compare" in text
    assert not Page(page).all("form", id="filters")


def test_runs_that_detect_nothing_are_not_blamed_for_missing_pictures(tmp_path: Path) -> None:
    run = with_images(fake_run(), tmp_path / "broden").save(tmp_path / "run", iou_threshold=0.999)
    sides, concepts = run_sides([("run", run)])
    for side in sides:
        side.iou = side.iou * 0
    page = build_comparison(comparison(sides, concepts, by="layer"), {"run": run}, tmp_path / "out")
    assert not Page(page).all("p", **{"class": "note", "role": "note"})


def test_a_page_of_forty_layers_and_all_concepts_of_broden_stays_small(tmp_path: Path) -> None:
    sides, concepts = made_sides(networks=40, units=300, concepts=1197)
    runs = imported(sides, tmp_path / "run")
    page = build_comparison(comparison(sides, concepts), runs, tmp_path / "out")
    (rows,) = read_script(page.parent / "page/data/concepts.js")
    assert len(rows) > 1100
    assert page.stat().st_size < 400_000
    assert sum(path.stat().st_size for path in (page.parent / "page").rglob("*")) < 4_000_000


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="alert(1)', "'>{{ 7 * 7 }}</title><b x='", "日本 & <i>"]
)
def test_names_are_harmless(name: str, tmp_path: Path) -> None:
    pages = []
    for kind, put in (("plain", "name"), ("hostile", name)):
        run = _named(fake_run(units=(6, 6)), put).save(tmp_path / kind)
        runs = {f"runs/{put}": run}
        sides, concepts = run_sides(list(runs.items()))
        for i, side in enumerate(sides):
            side.given |= {
                "name": f"{put} {i}",
                "group": f"{put} {i}",
                "alias": put,
                "model": put,
                "data": put,
            }
        result = comparison(sides, concepts, by=put, matched=[(0, 1)], marks=[put])
        pages.append(build_comparison(result, runs, tmp_path / f"{kind}-out"))
    tags = [[tag for tag, _ in Page(path).elements] for path in pages]
    assert tags[0] == tags[1]
    assert not any(key.startswith("on") for _, attrs in Page(pages[1]).elements for key in attrs)
    assert re.sub(r"\s+", " ", name) in Page(pages[1]).text
    for path in (pages[1].parent / "page").rglob("*.js"):
        if path.name not in ("shared.js", "comparison.js"):
            assert "<" not in path.read_text(encoding="ascii")


def _named(run: FakeRun, name: str) -> FakeRun:
    return replace(
        run,
        concepts=tuple(replace(c, name=f"{name}{c.number}") for c in run.concepts),
        images=tuple(replace(image, name=name) for image in run.images),
    )


def test_an_older_page_stays_if_the_new_one_cannot_be_made(
    runs: dict[str, Dissection], tmp_path: Path
) -> None:
    result, out = compared(runs), tmp_path / "out"
    build_comparison(result, runs, out)
    before = contents(out)
    (tmp_path / "one" / "layers" / "-stage1-Relu_output_0" / "top_masks.npz").write_bytes(b"damaged")
    with pytest.raises(Exception, match="top_masks"):
        build_comparison(result, {path: _again(run) for path, run in runs.items()}, out)
    assert contents(out) == before


def _again(run: Dissection) -> Dissection:
    from onnxdissect.results import load

    return load(run.path)
