"""The page of rotations: what it says, what lies beside it, that names and missing pictures do it no harm."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from support.fake_counts import FakeRun, contents
from support.report_pages import Page, files_in, with_images
from support.rotated_runs import rotated_run

from onnxdissect.experiments.rotation import OutputDeviation, RotationResult, Verification, write_rotation
from onnxdissect.experiments.rotation.measure import measure_rotations
from onnxdissect.report import build
from onnxdissect.report.data.rle import mask_of_text
from onnxdissect.report.pages.scripts import read_script
from onnxdissect.report.rotation import build_rotation, followed
from onnxdissect.results import Dissection


def built(run: FakeRun, folder: Path, **options: Any) -> tuple[Path, Dissection, RotationResult]:
    dissection = run.save(folder / "run", **options)
    result = measure_rotations(dissection)
    write_rotation(result)
    return build_rotation(result, dissection), dissection, result


@pytest.fixture
def plain(tmp_path: Path) -> FakeRun:
    return with_images(rotated_run(layers=2, quantiles=(0.005, 0.02)), tmp_path / "broden")


def test_everything_is_there_and_stays_there(plain: FakeRun, tmp_path: Path) -> None:
    page, run, result = built(plain, tmp_path)
    assert page == tmp_path / "run/rotation/index.html"
    views = [(f"stage{layer}-q{q}", result.curves[2 * layer + q]) for layer in range(2) for q in range(2)]
    numbers = {(c.name, c.category): c.number for c in run.concepts}
    assert all(curve.concepts for _, curve in views)
    photos = {name for name in files_in(page.parent) if name.startswith("page/photos/")}
    assert photos
    assert files_in(page.parent) == {
        *("index.html", "rotation.csv", "rotation.json"),
        *(f"page/{name}" for name in ("report.css", "rotation.css", "shared.js", "rotation.js", "data.json")),
        *("page/data/run.js", *(f"page/data/{name}.js" for name, _ in views)),
        *(
            f"page/units/{name}/{numbers[one.concept, one.category]}.js"
            for name, curve in views
            for one in curve.concepts
        ),
        *photos,
    }
    before = contents(page.parent)
    assert build_rotation(result, run) == page
    assert contents(page.parent) == before
    read = Page(page)
    for _, attrs in read.elements:
        for name in {"src", "href"} & attrs.keys():
            where = attrs[name]
            if where.startswith("#") or where == "data:,":
                continue
            assert not re.match(r"[a-z]*:|/", where)
            assert (page.parent / unquote(where.split("#")[0])).is_file()
    ids = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for path in (page, *page.parent.rglob("*.css"), *page.parent.rglob("*.js")):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not any(word in text for word in ("http", "url(", "@import", "fetch("))


def test_the_script_follows_what_the_result_follows(plain: FakeRun, tmp_path: Path) -> None:
    page, run, result = built(plain, tmp_path)
    for i, curve in enumerate(result.curves):
        layer, q = divmod(i, 2)
        at, which, records = read_script(page.parent / f"page/data/stage{layer}-q{q}.js")
        assert (at, which) == (layer, q)
        assert len(records) == len(curve.concepts)
        for record, concept in zip(records, curve.concepts, strict=True):
            assert (record["name"], record["category"]) == (concept.concept, concept.category)
            assert record["unit"] == [list(row) for row in concept.unit]
            assert np.allclose(record["iou"], concept.iou, rtol=1e-5)
            assert np.array_equal(np.array(record["detected"], bool), concept.detected)
            for s, row in enumerate(concept.unit):
                for k, unit in enumerate(row):
                    found = run.units(_entry(result, layer, s, k), curve.quantile)[unit]
                    other = record["other"][s][k]
                    assert (other is None) == (found.label == concept.concept)
                    assert other is None or other[0] == found.label


def test_pictures_are_those_of_the_best_units(plain: FakeRun, tmp_path: Path) -> None:
    page, run, result = built(plain, tmp_path)
    numbers = {(c.name, c.category): c.number for c in run.concepts}
    curve, q = result.curves[3], 1
    for concept in curve.concepts:
        number = numbers[concept.concept, concept.category]
        name, which, content = read_script(page.parent / f"page/units/stage1-q1/{number}.js")
        assert (name, which) == ("stage1-q1", number)
        wanted = {
            (_entry(result, 1, s, k), unit)
            for s, row in enumerate(concept.unit)
            for k, unit in enumerate(row)
            if unit >= 0
        }
        assert content["units"].keys() == {f"{run.layer(entry).slug}/{unit}" for entry, unit in wanted}
        for entry, unit in wanted:
            shown = content["units"][f"{run.layer(entry).slug}/{unit}"]
            images = [content["images"][at]["image"] for at in shown["top"]]
            assert images == run.counts(entry).top_images[unit].tolist()
            for rank, text in enumerate(shown["masks"]):
                grid = run.images[images[rank]].grid
                assert np.array_equal(
                    mask_of_text(text, grid), run.top_mask(entry, unit, rank, run.quantiles[q])
                )


def test_where_many_images_are_needed_only_the_first_rotations_have_pictures(
    plain: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "_MOST_IMAGES", 3)
    page, _, result = built(plain, tmp_path)
    (record,) = read_script(page.parent / "page/data/run.js")
    assert (record["pictured_seeds"], record["seeds"]) == (1, [0, 1])
    _, _, content = read_script(next((page.parent / "page/units/stage0-q0").glob("*.js")))
    assert content["units"]
    assert not any("seed-1" in name for name in content["units"])
    assert len(result.seeds) == 2


def test_without_images_the_page_says_so_and_shows_the_rest(tmp_path: Path) -> None:
    page, run, result = built(rotated_run(), tmp_path)
    text = Page(page).text
    assert "There are no pictures" in text
    assert not (page.parent / "page/photos").exists()
    headline = (
        f"unique detectors {'fall' if result.curves[0].values[-1].unique.mean < result.curves[0].own else ''}"
    )
    assert headline.strip() in text
    assert run.path == page.parents[1]


def test_pictures_outlive_the_data(plain: FakeRun, tmp_path: Path) -> None:
    page, run, result = built(plain, tmp_path)
    before = contents(page.parent / "page/photos")
    shutil.rmtree(tmp_path / "broden")
    build_rotation(result, run)
    assert contents(page.parent / "page/photos") == before
    shutil.rmtree(page.parent / "page")
    build_rotation(result, run)
    assert "There are no pictures" in Page(page).text


def test_pictures_come_from_the_report_of_the_run(plain: FakeRun, tmp_path: Path) -> None:
    run = plain.save(tmp_path / "run")
    build(run)
    shutil.rmtree(tmp_path / "broden")
    result = measure_rotations(run)
    page = build_rotation(result, run)
    assert any((page.parent / "page/photos").iterdir())
    assert Page(page).all("a", href="../report/index.html")
    (record,) = read_script(page.parent / "page/data/run.js")
    assert record["report"] is True


def test_nothing_detected_anywhere(tmp_path: Path) -> None:
    page, _, result = built(rotated_run(), tmp_path, iou_threshold=0.999)
    assert result.curves[0].fall is None
    text = Page(page).text
    assert "none of the layer’s own 8 units detects a concept" in text
    assert "under a whole random rotation none does either" in text
    assert "nothing to lose" in text
    assert files_in(page.parent / "page/data") == {"run.js", "stage0-q0.js"}


def test_a_permutation_that_changes_something_is_said_loudly(tmp_path: Path) -> None:
    page, _, result = built(rotated_run(), tmp_path)
    assert result.curves[0].permutation_differences  # made-up counts are no permutation
    notes = [attrs for tag, attrs in Page(page).elements if tag == "p" and attrs.get("role") == "note"]
    assert len(notes) >= 2
    assert "Something is wrong with this run" in Page(page).text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="alert(1)', "'>{{ 7 * 7 }}</title><b x='", "日本 & <i>"]
)
def test_names_are_harmless(name: str, tmp_path: Path) -> None:
    plain = rotated_run()
    harmless, _, _ = built(plain, tmp_path / "plain")
    run = replace(
        plain,
        manifest={
            **plain.manifest,
            "model": {**plain.manifest["model"], "path": "models/" + name.replace("/", "|")},
            "data": {**plain.manifest["data"], "name": name},
        },
        concepts=tuple(replace(c, name=f"{name}{c.number}") for c in plain.concepts),
        layers=tuple(
            replace(layer, name=layer.name.replace("/stage0/Relu", name), alias=name + "0")
            for layer in plain.layers
        ),
        images=tuple(replace(image, name=name) for image in plain.images),
    )
    hostile, _, _ = built(run, tmp_path / "hostile")
    tags = [[tag for tag, _ in Page(path).elements] for path in (harmless, hostile)]
    assert tags[0] == tags[1]
    assert not any(key.startswith("on") for _, attrs in Page(hostile).elements for key in attrs)
    assert re.sub(r"\s+", " ", name) in Page(hostile).text
    for path in (hostile.parent / "page").rglob("*.js"):
        if path.name not in ("shared.js", "rotation.js"):
            assert "<" not in path.read_text(encoding="ascii")


def _entry(result: RotationResult, layer: int, s: int, k: int) -> str:
    name = result.layers[layer].name
    return f"{name}/basis/rotation:seed={result.seeds[s]},alpha={result.alphas[k]:g}" if k else name


def test_a_layer_has_one_name_and_its_value_stands_beside_it_once(tmp_path: Path) -> None:
    run = rotated_run(layers=2).save(tmp_path / "run")
    verified = [
        Verification("/stage1/Relu", "rotation:seed=0,alpha=1", 4, 1e-3, (OutputDeviation("out", 1e-6),))
    ]
    page = build_rotation(measure_rotations(run, verified), run).read_text(encoding="utf-8")
    assert "relu1, on 4 images; rounding explains" in page
    for layer in (0, 1):
        assert page.count(f"(value <code>/stage{layer}/Relu</code>)") == 1
        assert re.search(rf">relu{layer}</a> <small>/stage{layer}/Relu</small></th>", page)
    same = rotated_run()
    layers = tuple(replace(one, alias=one.name) for one in same.layers)
    run = replace(same, layers=layers).save(tmp_path / "same")
    assert "(value" not in build_rotation(measure_rotations(run), run).read_text(encoding="utf-8")
