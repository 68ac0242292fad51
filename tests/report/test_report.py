from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.fake_counts import FakeRun, fake_run

from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.report import build
from onnxdissect.report.data import photos as photographs
from onnxdissect.report.data.photos import Photos, photo_path
from onnxdissect.report.data.report_data import Bar, CategoryBars, Report, gather_report
from onnxdissect.report.data.rle import mask_of_text, text_of_mask
from onnxdissect.report.figures.bars import BarChart, bar_chart
from onnxdissect.report.figures.depth import depth_chart
from onnxdissect.report.pages.scripts import read_script, rounded
from onnxdissect.results import Dissection, LayerInfo, load

VOID = {"meta", "link", "img", "input"}


class Page(HTMLParser):
    """Elements of a page, and the text in each; complains about tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.text += " "  # what stands in two elements does not run together
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.text += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(value in attrs.get(key, "").split() for key, value in wanted.items())
        ]


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def start(self, phase: str, total: int) -> None:
        self.events.append((phase, total))

    def advance(self, images: int) -> None:
        self.events.append(("advance", images))

    def finish(self) -> None:
        self.events.append(("finish", None))


def with_images(run: FakeRun, folder: Path, pixel: Any = (255, 255, 255)) -> FakeRun:
    """Give a made-up run images on disk, a little larger than their thumbnails."""
    for image in run.images:
        path = folder / "images" / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((140, 160, 3), pixel, np.uint8))
    return replace(run, manifest={**run.manifest, "data": {**run.manifest["data"], "folder": str(folder)}})


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    return with_images(fake_run(quantiles=(0.005, 0.02)), tmp_path / "broden")


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


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def unit_file(report: Path, slug: str, unit: int) -> dict[str, Any]:
    """What a unit's script hands to the page."""
    where, which, content = read_script(report / "units" / slug / f"{unit}.js")
    assert (where, which) == (slug, unit)
    assert isinstance(content, dict)
    return content


def layer_page(report: Path, info: LayerInfo) -> Page:
    return Page(report / "layers" / f"{info.slug}.html")


def pages_of(report: Path) -> list[Path]:
    return sorted(report.rglob("*.html"))


def test_files_of_a_report(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    path = build(dissection)
    assert path == tmp_path / "run/report/index.html"
    slugs = {info.slug: info.units for info in dissection.layers}
    tops = {i for counts in run.counts for i in counts.top_images.ravel().tolist()}
    shown = {(info.slug, q) for info in dissection.layers for q in range(2)}
    figures = [f"{slug}-q{q}" for slug, q in shown] + [f"depth-q{q}" for q in range(2)]
    assert files_in(path.parent) == {
        *("index.html", "concepts.html", "report.css", "report.js", "data.json"),
        *("data/run.js", "data/concepts.js"),
        *(f"data/{slug}.js" for slug in slugs),
        *(f"layers/{slug}.html" for slug in slugs),
        *(f"units/{slug}/{unit}.js" for slug, units in slugs.items() for unit in range(units)),
        *(photo_path(image) for image in tops),
        *(f"figures/{name}.{form}" for name in figures for form in ("svg", "pdf", "png")),
    }


def test_every_unit_is_in_the_data(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build(dissection).parent
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


def test_best_concepts_of_a_unit(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build(dissection).parent
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


def test_layer_table_repeats_the_summary(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    page = Page(build(dissection))
    for summary in dissection.summary():
        info = dissection.layer(summary.layer)
        share = f"{100 * summary.detectors / summary.units:.0f} %"
        counts = (summary.units, summary.detectors, share, summary.unique_detectors, *summary.unique.values())
        assert f"{info.alias} {info.name} {' '.join(map(str, counts))} " in page.text


def test_bars_agree_with_the_summary(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
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


def test_concepts_know_their_units(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build(dissection).parent
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


def test_everything_is_on_the_disk(run: FakeRun, tmp_path: Path) -> None:
    report = build(run.save(tmp_path / "run")).parent
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
    for path in (*pages_of(report), report / "report.css", report / "report.js"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text
        assert "url(" not in text
        assert "@import" not in text
        assert "fetch(" not in text


HOSTILE = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "name", [HOSTILE, '" onload="alert(1)', "'>{{ 7 * 7 }}</title><b x='", "日本 & <i>", "$x_{$/..", "_a"]
)
def test_names_are_harmless(name: str, tmp_path: Path) -> None:
    plain = fake_run(units=(12,))
    harmless = build(plain.save(tmp_path / "plain")).parent
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
        if path.name != "report.js":
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


# Pictures


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (40, 31)])
@pytest.mark.parametrize("share", [0, 0.03, 0.5, 1])
def test_masks_survive_as_text(size: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(0).random(size) < share
    np.testing.assert_array_equal(mask_of_text(text_of_mask(mask), size), mask)


def test_text_of_a_mask() -> None:
    mask = np.array([[0, 0, 1], [1, 0, 1]], bool)
    assert text_of_mask(mask) == "2 2 1 1"
    assert text_of_mask(~mask) == "0 2 2 1"
    assert text_of_mask(np.zeros((3, 3), bool)) == ""


@pytest.mark.parametrize("text", ["7", "1 6", "a", "-1 2", "1.5"])
def test_text_that_is_no_mask(text: str) -> None:
    with pytest.raises(RunFormatError):
        mask_of_text(text, (2, 3))


def test_masks_written_are_the_masks_counted(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build(dissection).parent
    for info in dissection.layers:
        for unit in range(info.units):
            top_maps = unit_file(report, info.slug, unit)
            for q, quantile in enumerate(dissection.quantiles):
                for rank, image in enumerate(top_maps["images"]):
                    counted = dissection.top_mask(info.name, unit, rank, quantile)
                    written = mask_of_text(top_maps["views"][q]["masks"][rank], tuple(image["grid"]))
                    np.testing.assert_array_equal(written, counted)


@pytest.mark.parametrize("top", [1, 3, 5, 7])
def test_as_many_pictures_as_were_kept(top: int, tmp_path: Path) -> None:
    run = with_images(fake_run(top=top, units=(4,)), tmp_path / "broden")
    report = build(run.save(tmp_path / "run")).parent
    top_maps = unit_file(report, run.layers[0].slug, 0)
    assert len(top_maps["images"]) == len(top_maps["views"][0]["masks"]) == top


def test_photographs_keep_to_the_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = fake_run(images=20, units=(12,))
    rng = np.random.default_rng(0)
    for image in run.images:
        path = tmp_path / "broden/images" / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), rng.integers(0, 256, (200, 300, 3), np.uint8))
    data = {**run.manifest["data"], "folder": str(tmp_path / "broden")}
    run = replace(run, manifest={**run.manifest, "data": data})

    def size(folder: str) -> int:
        report = build(run.save(tmp_path / folder)).parent
        return sum(path.stat().st_size for path in (report / "photos").iterdir())

    assert size("large") > 150_000
    monkeypatch.setattr(photographs, "_BUDGET", 150_000)
    assert 75_000 < size("small") < 165_000


def test_without_top_images(tmp_path: Path) -> None:
    run = with_images(fake_run(top=0), tmp_path / "broden")
    report = build(run.save(tmp_path / "run")).parent
    assert "The run kept no top images, so there are no pictures." in Page(report / "index.html").text
    assert not (report / "photos").exists()
    assert unit_file(report, run.layers[0].slug, 0)["images"] == []


def without_pictures(path: Path) -> bool:
    (record,) = read_script(path.parent / "data/run.js")
    return not record["pictures"] and not (path.parent / "photos").exists()


def test_without_the_image_folder(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    run = fake_run(folder=str(gone))
    path = build(run.save(tmp_path / "run"))
    for page in (Page(path), layer_page(path.parent, run.layers[0])):
        assert f"There are no pictures: the images are no longer in {gone}." in page.text
    assert without_pictures(path)
    assert len(list(path.parent.glob("units/*/*.js"))) == 20


def test_run_that_does_not_name_its_folder(tmp_path: Path) -> None:
    run = fake_run()
    del run.manifest["data"]["folder"]
    page = Page(build(run.save(tmp_path / "run")))
    assert "The run does not say where its images are" in page.text


def test_some_images_missing(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    info = dissection.layers[0]
    lost, damaged = (int(i) for i in dissection.counts(info.name).top_images[0, :2])
    images = tmp_path / "broden/images"
    (images / run.images[lost].name).unlink()
    whole = (images / run.images[damaged].name).read_bytes()
    (images / run.images[damaged].name).write_bytes(whole[: len(whole) // 2])
    path = build(dissection)
    assert "2 of 12 images could not be read and are left grey. The first: made/" in Page(path).text
    shown = unit_file(path.parent, info.slug, 0)["images"]
    assert [image["photo"] for image in shown[:2]] == [None, None]
    assert shown[2]["photo"] == [160, 140]


def test_no_image_can_be_read(run: FakeRun, tmp_path: Path) -> None:
    for image in run.images:
        (tmp_path / "broden/images" / image.name).write_bytes(b"gone")
    path = build(run.save(tmp_path / "run"))
    page = Page(path)
    assert "There are no pictures: no image could be read. The first: made/0000.jpg" in page.text
    assert without_pictures(path)


def test_pictures_outlive_the_data_set(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build(dissection).parent
    first = {name: (report / name).read_bytes() for name in files_in(report)}
    shutil.rmtree(tmp_path / "broden")
    again = build(load(dissection.path)).parent
    assert {name: (again / name).read_bytes() for name in files_in(again)} == first


def test_pictures_of_another_data_set_are_not_used(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    build(dissection)
    shutil.rmtree(tmp_path / "broden")
    dissection.manifest["data"]["fingerprint"] = "2" * 64
    assert without_pictures(build(dissection))


@pytest.mark.parametrize("damage", ["{", "[]", '{"format_version": 99}', '{"format_version": 1}'])
def test_damaged_earlier_report_is_not_used(damage: str, run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build(dissection).parent
    first = {name: (report / name).read_bytes() for name in files_in(report)}
    (report / "data.json").write_text(damage)
    again = build(dissection).parent
    assert {name: (again / name).read_bytes() for name in files_in(again)} == first


# Runs with little in them


def test_no_unit_detects_anything(run: FakeRun, tmp_path: Path) -> None:
    dissection = no_detectors(run).save(tmp_path / "run")
    report = build(dissection).parent
    page = Page(report / "index.html")
    assert "0 of 12 units detect a concept: 0 different concepts." in page.text
    assert "No unit's label has an IoU above 0.04." in page.text
    assert "No unit's label has an IoU above 0.04." in Page(report / "concepts.html").text
    assert page.all("svg") == []
    assert not list(report.glob("figures/*"))
    _, ((first, *_), _) = read_script(report / "data" / f"{run.layers[0].slug}.js")
    assert first["silent"]


def test_nearest_miss_is_named(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run", iou_threshold=0.99)
    best = max(dissection.units(quantile=0.02), key=lambda unit: unit.iou)
    words = f"The nearest is unit {best.unit}: {best.label} ({best.category}), {best.iou:.3f}."
    report = build(dissection).parent
    assert words in Page(report / "index.html").text
    assert words in layer_page(report, dissection.layer(best.layer)).text


def test_layer_without_units(tmp_path: Path) -> None:
    run = fake_run(units=(0, 4))
    report = build(run.save(tmp_path / "run")).parent
    assert len(list(report.glob("units/*/*.js"))) == 4
    assert "0 of 0 units" in layer_page(report, run.layers[0]).text


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
    command = [sys.executable, "-m", "onnxdissect", "report", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run/report").exists()


# Files


def test_older_report_is_replaced(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    before = files_in(tmp_path / "run")
    report = build(dissection).parent
    first = files_in(report)
    (report / "left over.txt").write_text("old")
    (tmp_path / "run/report.0123.partial").mkdir()
    (tmp_path / "run/report.0123.partial/index.html").write_text("interrupted")
    assert build(load(dissection.path)).parent == report
    assert files_in(report) == first
    assert files_in(tmp_path / "run") == before | {f"report/{name}" for name in first}
    assert not list((tmp_path / "run").glob("*.partial"))


def test_failing_build_keeps_the_older_report(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    page = build(dissection)
    written = page.read_bytes()
    (tmp_path / "run/layers" / dissection.layers[0].slug / "tally.npz").write_bytes(b"damaged")
    with pytest.raises(RunFormatError):
        build(load(dissection.path))
    assert page.read_bytes() == written
    assert not list((tmp_path / "run").glob("*.partial"))


def test_report_cannot_be_written(tmp_path: Path) -> None:
    dissection = fake_run(units=(4,)).save(tmp_path / "run")
    dissection.counts(dissection.layers[0].name)  # stays in memory
    dissection.path = tmp_path / "run/manifest.json"
    with pytest.raises(OutputError, match="cannot write the report"):
        build(dissection)


def test_report_of_the_same_run_is_the_same(run: FakeRun, tmp_path: Path) -> None:
    def contents(dissection: Dissection) -> dict[str, bytes]:
        folder = build(dissection).parent
        return {name: (folder / name).read_bytes() for name in files_in(folder)}

    assert contents(run.save(tmp_path / "one")) == contents(run.save(tmp_path / "two"))


def test_progress_counts_units(run: FakeRun, tmp_path: Path) -> None:
    recorder = Recorder()
    build(run.save(tmp_path / "run"), progress=recorder)
    needed = {image for counts in run.counts for image in counts.top_images.ravel().tolist()}
    steps = len(needed) + 20
    assert recorder.events == [("report", steps), *[("advance", 1)] * steps, ("finish", None)]


# The bar chart


def groups_of(*counts: int) -> list[CategoryBars]:
    def bars(category: int, count: int) -> Iterator[Bar]:
        for i in range(count):
            units = tuple(range(1 + (count - i) // 2))
            yield Bar(f"concept {category}-{i}", units, f"layer-{units[0]}-q0")

    return [CategoryBars(f"category {c}", c, tuple(bars(c, count))) for c, count in enumerate(counts)]


def test_empty_chart() -> None:
    assert bar_chart([]).panels == ()
    assert bar_chart(groups_of(0, 0)).panels == ()


@pytest.mark.parametrize(
    "counts", [(1,), (0, 3), (5, 0, 2, 1), (72,), (40, 20, 8, 6, 4, 3), (90, 60, 30, 20), (199, 1)]
)
def test_chart_is_legible(counts: tuple[int, ...]) -> None:
    groups = groups_of(*counts)
    chart = bar_chart(groups)
    assert chart.width <= 1220
    bars = [bar for panel in chart.panels for bar in panel.bars]
    assert [bar.text for bar in bars] == [bar.concept for group in groups for bar in group.bars]
    assert [bar.count for bar in bars] == [len(bar.units) for group in groups for bar in group.bars]
    scale = {round(bar.height / bar.count, 9) for bar in bars}
    assert len(scale) == 1
    for panel in chart.panels:
        assert panel.headings[0].x < panel.bars[0].x
        edges = [(bar.x, bar.x + bar.width) for bar in panel.bars]
        assert all(left < right <= chart.width for left, right in edges)
        middles = sorted([bar.middle for bar in panel.bars] + [heading.x for heading in panel.headings])
        # letters are 11 pixels high
        assert all(b - a >= 12 for a, b in pairwise(middles))
        assert all(bar.y >= 0 and bar.y + bar.height == pytest.approx(chart.baseline) for bar in panel.bars)
        ticks = [tick.count for tick in panel.ticks]
        assert ticks[0] == 0
        assert 1 < len(ticks) <= 6
    if len(chart.panels) > 1:
        sizes = [len(panel.bars) for panel in chart.panels]
        assert max(sizes) - min(sizes) < max(sizes) / 2


def test_long_names_are_shortened_in_the_chart_only() -> None:
    name = "a concept with a name that goes on and on"
    chart: BarChart = bar_chart([CategoryBars("object", 0, (Bar(name, (3, 4), "x"),))])
    bar = chart.panels[0].bars[0]
    assert bar.text == "a concept with a name tha…"
    assert bar.title == f"{name} (object): 2 units, 3, 4"


def test_report_is_data(tmp_path: Path) -> None:
    dissection = fake_run().save(tmp_path / "run")
    assert gather_report(dissection, Photos()) == gather_report(dissection, Photos())
    assert isinstance(gather_report(dissection, Photos()), Report)


def test_depth_chart_agrees_with_the_summary(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = gather_report(dissection, Photos())
    for q, quantile in enumerate(dissection.quantiles):
        chart = depth_chart(report.layers, q)
        summaries = [s for s in dissection.summary() if s.quantile == quantile]
        for line in chart.lines:
            assert [spot.count for spot in line.spots] == [s.unique[line.category] for s in summaries]
            assert all(spot.y <= chart.baseline for spot in line.spots)
        names = sorted(line.name_y for line in chart.lines)
        assert all(b - a >= 13.9 for a, b in pairwise(names))
        assert names[0] >= 4
