"""A report says what its run found, in its data and on every page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.commands import called
from support.fake_counts import FakeRun, fake_run
from support.report_pages import Page, files_in, layer_page, unit_file, with_images

from onnxdissect import Dissection
from onnxdissect.errors import RunFormatError
from onnxdissect.report import build
from onnxdissect.report.data.photos import Photos, photo_path
from onnxdissect.report.data.report_data import Report, gather_report
from onnxdissect.report.pages.scripts import read_script, rounded


def no_detectors(run: FakeRun) -> FakeRun:
    def nothing(name: str, counts: Any) -> NDArray[Any]:
        array: NDArray[Any] = getattr(counts, name)
        return np.zeros_like(array)

    counted = ("intersection", "activation", "activation_overlap", "activation_total", "top_masks")
    counts = [replace(c, **{name: nothing(name, c) for name in counted}) for c in run.counts]
    return replace(run, counts=tuple(counts))


def picture(path: Path) -> NDArray[Any]:
    pixels = cv2.imread(str(path))
    assert pixels is not None
    return pixels


def pages_of(report: Path) -> list[Path]:
    return sorted(report.rglob("*.html"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return with_images(fake_run(quantiles=(0.005, 0.02)), tmp_path_factory.mktemp("data") / "broden")


@pytest.fixture(scope="module")
def dissection(run: FakeRun, tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    """The run with its report, which tests only read."""
    dissection = run.save(tmp_path_factory.mktemp("reported") / "run")
    build(dissection)
    return dissection


@pytest.fixture(scope="module")
def report(dissection: Dissection) -> Path:
    return dissection.path / "report"


def test_files_of_a_report(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    path = build(dissection)
    assert path == tmp_path / "run/report/index.html"
    slugs = {info.slug: info.units for info in dissection.layers}
    tops = {i for counts in run.counts for i in counts.top_images.ravel().tolist()}
    shown = {(info.slug, q) for info in dissection.layers for q in range(2)}
    figures = [f"{slug}-q{q}" for slug, q in shown] + [f"depth-q{q}" for q in range(2)]
    figures += [f"{slug}-thresholds" for slug in slugs]
    assert files_in(path.parent) == {
        *("index.html", "concepts.html", "report.css", "shared.js", "report.js", "data.json"),
        *("thresholds.html", "thresholds.js", "thresholds/labels.js"),
        *("data/run.js", "data/concepts.js"),
        *(f"data/{slug}.js" for slug in slugs),
        *(f"layers/{slug}.html" for slug in slugs),
        *(f"units/{slug}/{unit}.js" for slug, units in slugs.items() for unit in range(units)),
        *(photo_path(image) for image in tops),
        *(f"figures/{name}.{form}" for name in figures for form in ("svg", "pdf", "png")),
    }


def test_every_unit_is_in_the_data(run: FakeRun, dissection: Dissection, report: Path) -> None:
    content = json.loads((report / "data.json").read_text(encoding="utf-8"))
    assert content["format_version"] == 1
    assert [layer["name"] for layer in content["layers"]] == [info.name for info in dissection.layers]
    seen = 0
    for info, layer in zip(dissection.layers, content["layers"], strict=True):
        slug, by_quantile = read_script(report / "data" / f"{info.slug}.js")
        assert slug == info.slug
        assert by_quantile == [view["unit_records"] for view in layer["views"]]
        for quantile, records in zip(dissection.quantiles, by_quantile, strict=True):
            units = dissection.units(info.name, quantile)
            for unit, record in zip(units, records, strict=True):
                seen += 1
                assert (record["unit"], record["label"]) == (unit.unit, unit.label)
                assert (record["category"], record["detector"]) == (unit.category, unit.detector)
                assert record["iou"] == rounded(unit.iou)
                assert record["threshold"] == rounded(unit.threshold)
                assert record["best"] == [[g, c, rounded(v)] for g, (c, v) in unit.best.items() if c]
    assert seen == 40
    for image in content["photos"]:
        height, width = picture(report / photo_path(image["image"])).shape[:2]
        assert (image["width"], image["height"]) == (width, height) == (160, 140)
        assert image["name"] == run.images[image["image"]].name


def test_best_concepts_of_a_unit(dissection: Dissection, report: Path) -> None:
    for info in dissection.layers:
        scores = dissection.iou(info.name)
        for unit in range(info.units):
            top_maps = unit_file(report, info.slug, unit)
            for q, view in enumerate(top_maps["views"]):
                ranked = sorted(
                    ((-scores[q, unit, c], c) for c in range(17) if scores[q, unit, c] > 0), key=lambda x: x
                )[:10]
                names = [dissection.concepts[c].name for _, c in ranked]
                assert [best[1] for best in view["best"]] == names
                assert [best[3] for best in view["best"]] == [rounded(-value) for value, _ in ranked]
                label = dissection.units(info.name, dissection.quantiles[q])[unit].label
                assert (names[0] if names else "") == label


def test_pages_name_what_was_dissected(run: FakeRun, tmp_path: Path) -> None:
    manifest = {**run.manifest, "warnings": ["the moon is full"]}
    manifest["model"] = {**manifest["model"], "opset": {"ai.onnx": 17, "com.microsoft": 1}}
    path = build(replace(run, manifest=manifest).save(tmp_path / "run"))
    page = Page(path)
    for words in (
        "réseau.onnx",
        "fake_counts opset 17, com.microsoft 1 · sha256 000000000000",
        "fake 12 images · 17 concepts",
        "Quantiles 0.005, 0.02",
        "IoU above 0.04 “paper” scoring",
        "imagenet (assumed) RGB · scale 0.003922 · mean 0.485 0.456 0.406 · std 0.229 0.224 0.225",
        "Ran on CPU 1.8 s",
        "the moon is full",
        "Made by onnxdissect 0.1.0",
    ):
        assert words in page.text
    first, second = (layer_page(path.parent, info).text for info in run.layers)
    assert "8 units · 14 × 14 positions · sees 195 × 195 pixels · upsampled by receptive-field" in first
    assert "12 units · 7 × 7 positions · upsampled by resize" in second


def test_layer_table_repeats_the_summary(dissection: Dissection, report: Path) -> None:
    page = Page(report / "index.html")
    for summary in dissection.summary():
        info = dissection.layer(summary.layer)
        share = f"{100 * summary.detectors / summary.units:.0f} %"
        counts = (summary.units, summary.detectors, share, summary.unique_detectors, *summary.unique.values())
        assert f"{info.alias} {info.name} {' '.join(map(str, counts))} " in page.text


def test_bars_agree_with_the_summary(dissection: Dissection) -> None:
    report = gather_report(dissection, Photos())
    views = [view for layer in report.layers for view in layer.views]
    assert len(views) == len(dissection.summary()) == 4
    for view, summary in zip(views, dissection.summary(), strict=True):
        units = dissection.units(summary.layer, summary.quantile)
        assert view.summary == summary
        assert {group.category: group.unique for group in view.category_bars} == dict(summary.unique)
        assert sum(len(bar.units) for group in view.category_bars for bar in group.bars) == summary.detectors
        assert [unit.iou for unit in view.best] == sorted((u.iou for u in view.best), reverse=True)
        assert len({unit.label for unit in view.best}) == len(view.best) == summary.unique_detectors
        for group in view.category_bars:
            sizes = [len(bar.units) for bar in group.bars]
            assert sizes == sorted(sizes, reverse=True)
            for bar in group.bars:
                assert {units[k].label for k in bar.units} == {bar.concept}
                assert quote(bar.concept, safe="") in bar.anchor


def test_concepts_know_their_units(dissection: Dissection, report: Path) -> None:
    (finders,) = read_script(report / "data/concepts.js")
    page = Page(report / "concepts.html")
    for q, found in enumerate(finders):
        for position, info in enumerate(dissection.layers):
            scores = dissection.iou(info.name)[q]
            units = dissection.units(info.name, dissection.quantiles[q])
            detectors = {(e["name"], u) for e in found for at, u, _ in e["detectors"] if at == position}
            assert detectors == {(unit.label, unit.unit) for unit in units if unit.detector}
            others = {(e["name"], u) for e in found for at, u, _ in e["others"] if at == position}
            above = {(dissection.concepts[c].name, int(u)) for u, c in np.argwhere(scores > 0.04).tolist()}
            assert detectors | others == above
            assert not detectors & others
        for entry in found:
            if entry["detectors"]:
                best = f"{entry['detectors'][0][2]:.3f}"
                assert f"{entry['name']} {entry['category']} {len(entry['detectors'])} {best} " in page.text


def test_one_quantile_needs_no_choice(tmp_path: Path) -> None:
    page = Page(build(fake_run().save(tmp_path / "run")))
    assert page.all("input") == []
    assert "at quantile" not in page.text


def test_everything_is_on_the_disk(report: Path) -> None:
    for path in pages_of(report):
        page = Page(path)
        ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
        assert len(ids) == len(set(ids))
        for tag, attrs in page.elements:
            for name in {"src", "href", "action", "data", "srcset"} & attrs.keys():
                address = attrs[name]
                if (tag, address) == ("link", "data:,") or address.startswith("#"):
                    continue
                assert not re.match(r"[a-z]*:|/", address)
                assert (path.parent / unquote(address.split("#")[0])).is_file()
    scripts = ("shared.js", "report.js", "thresholds.js")
    for path in (*pages_of(report), report / "report.css", *(report / name for name in scripts)):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text
        assert "url(" not in text
        assert "@import" not in text
        assert "fetch(" not in text


HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of `named_plainly`."""
    return build(named_plainly().save(tmp_path_factory.mktemp("plain") / "plain")).parent


def named_plainly() -> FakeRun:
    return fake_run(units=(12,), quantiles=(0.005, 0.02))


@pytest.mark.parametrize(
    "name", [HOSTILE, '" onload="alert(1)', "'>{{ 7 * 7 }}</title><b x='", "日本 & <i>", "$x_{$/..", "_a"]
)
def test_names_are_harmless(name: str, harmless: Path, tmp_path: Path) -> None:
    plain = named_plainly()
    manifest = {
        **plain.manifest,
        "model": {**plain.manifest["model"], "path": "models/" + name.replace("/", "|"), "producer": name},
        "data": {**plain.manifest["data"], "name": name, "folder": str(tmp_path / name)},
        "warnings": [name],
    }
    run = replace(
        plain,
        manifest=manifest,
        concepts=tuple(replace(concept, name=f"{name}{concept.number}") for concept in plain.concepts),
        layers=tuple(replace(layer, name=name, alias=name) for layer in plain.layers),
        images=tuple(replace(image, name=name) for image in plain.images),
    )
    hostile = build(run.save(tmp_path / "hostile")).parent
    for path, other in zip(pages_of(hostile), pages_of(harmless), strict=True):
        page = Page(path)
        tags = sorted(tag for tag, attrs in page.elements if "note" not in attrs.get("class", ""))
        expected = [tag for tag, attrs in Page(other).elements if "note" not in attrs.get("class", "")]
        assert tags == sorted(expected)
        assert not any(key.startswith("on") for _, attrs in page.elements for key in attrs)
    assert re.sub(r"\s+", " ", name) in Page(hostile / "index.html").text
    for path in hostile.rglob("*.js"):
        if path.name not in ("shared.js", "report.js", "thresholds.js"):
            assert "<" not in path.read_text(encoding="ascii")
    assert unit_file(hostile, plain.layers[0].slug, 0)["images"][0]["name"] == name


def test_categories_of_ones_own_have_colours(tmp_path: Path) -> None:
    plain = fake_run(units=(12,))
    own = {category: f"{category}s of ours" for category in plain.categories}
    run = replace(
        plain,
        categories=tuple(own.values()),
        concepts=tuple(replace(c, category=own[c.category]) for c in plain.concepts),
    )
    report = gather_report(run.save(tmp_path / "run"), Photos())
    assert [name for name, _ in report.categories] == list(own.values())
    assert {colour for _, colour in report.categories} <= set(range(10))


def test_report_is_data(tmp_path: Path) -> None:
    dissection = fake_run().save(tmp_path / "run")
    assert gather_report(dissection, Photos()) == gather_report(dissection, Photos())
    assert isinstance(gather_report(dissection, Photos()), Report)


# Runs with little in them


def test_no_unit_detects_anything(run: FakeRun, tmp_path: Path) -> None:
    dissection = no_detectors(run).save(tmp_path / "run")
    report = build(dissection).parent
    page = Page(report / "index.html")
    assert "0 of 12 units detect a concept: 0 different concepts." in page.text
    assert "No unit's label has an IoU above 0.04." in page.text
    assert "No unit's label has an IoU above 0.04." in Page(report / "concepts.html").text
    assert page.all("svg") == []
    # which labels there are at each quantile is drawn all the same
    drawn = {figure.stem for figure in report.glob("figures/*")}
    assert drawn == {f"{layer.slug}-thresholds" for layer in run.layers}
    _, ((first, *_), _) = read_script(report / "data" / f"{run.layers[0].slug}.js")
    assert first["silent"]


def test_nearest_miss_is_named(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run", iou_threshold=0.99)
    best = max(dissection.units(quantile=0.02), key=lambda unit: unit.iou)
    words = f"The nearest is unit {best.unit}: {best.label} ({best.category}), {best.iou:.3f}."
    report = build(dissection).parent
    assert words in Page(report / "index.html").text
    assert words in layer_page(report, dissection.layer(best.layer)).text


def test_layer_without_units_is_refused(tmp_path: Path) -> None:
    run = fake_run(units=(0, 4))
    with pytest.raises(RunFormatError, match=r"layers\[0\]\.units is 0"):
        build(run.save(tmp_path / "run"))


def test_bare_manifest(tmp_path: Path) -> None:
    run = replace(fake_run(), manifest={})
    page = Page(build(run.save(tmp_path / "run")))
    assert "unnamed model" in page.text
    assert "Made by onnxdissect, after" in page.text


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("status", "running", "unfinished run"),
        ("format_version", 99, "format"),
        ("layers", [{}], "manifest.json"),
    ],
)
def test_what_is_no_finished_run_is_refused(key: str, value: object, words: str, tmp_path: Path) -> None:
    fake_run(units=(4,)).save(tmp_path / "run")
    manifest = tmp_path / "run/manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), key: value}))
    done = called(tmp_path, "report", tmp_path / "run")
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run/report").exists()
