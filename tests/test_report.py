from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_counts import FakeRun, fake_run
from numpy.typing import NDArray

from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.report import build
from onnxdissect.report.data import Bar, Group, Report, Sheets, describe, picture_path
from onnxdissect.report.figures import BarChart, bar_chart
from onnxdissect.report.pictures import Contact, fit_mask
from onnxdissect.results import Dissection, load

VOID = {"meta", "link", "img", "input"}
NO_SHEETS = Sheets(0, 0, 0, "")


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
        if self._open and self._open[-1] != "style":
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


def test_page_shows_every_unit(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    path = build(dissection)
    assert path == tmp_path / "run/report/index.html"
    page = Page(path)
    cards = {attrs["id"]: attrs for attrs in page.all("article", **{"class": "unit"})}
    expected = {
        f"unit-{info.slug}-{unit.unit}-q{q}"
        for info in dissection.layers
        for q, quantile in enumerate(dissection.quantiles)
        for unit in dissection.units(info.name, quantile)
    }
    assert cards.keys() == expected
    assert sum(unit.detector for unit in dissection.units()) > 0
    for unit in dissection.units():
        heading = f"{unit.label} {unit.category}" if unit.label else "no concept"
        assert f"{heading} unit {unit.unit} IoU {unit.iou:.3f} threshold {unit.threshold:.4g}" in page.text
    images = page.all("img")
    assert files_in(path.parent) == {"index.html", *(image["src"] for image in images)}
    for image in images:
        height, width = picture(path.parent / image["src"]).shape[:2]
        assert (image["width"], image["height"]) == (str(width), str(height))
        assert image["loading"] == "lazy"
        assert image["alt"]


def test_page_names_what_was_dissected(run: FakeRun, tmp_path: Path) -> None:
    manifest = {**run.manifest, "warnings": ["the moon is full"]}
    manifest["model"] = {**manifest["model"], "opset": {"ai.onnx": 17, "com.microsoft": 1}}
    page = Page(build(replace(run, manifest=manifest).save(tmp_path / "run")))
    for words in (
        "réseau.onnx",
        "fake_counts opset 17, com.microsoft 1 · sha256 000000000000",
        "fake 12 images · 17 concepts",
        "Quantiles 0.005, 0.02",
        "IoU above 0.04 “paper” scoring",
        "imagenet (assumed) RGB · scale 0.003922 · mean 0.485 0.456 0.406 · std 0.229 0.224 0.225",
        "Ran on CPU 1.8 s",
        "the moon is full",
        "8 units · 14 × 14 positions · sees 195 × 195 pixels · upsampled by receptive-field",
        "12 units · 7 × 7 positions · upsampled by resize",
        "Made by onnxdissect 0.1.0",
    ):
        assert words in page.text


def test_layer_table_repeats_the_summary(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    page = Page(build(dissection))
    for summary in dissection.summary():
        info = dissection.layer(summary.layer)
        counts = (summary.units, summary.detectors, summary.unique_detectors, *summary.unique.values())
        assert f"{info.alias} {info.name} {' '.join(map(str, counts))} " in page.text


def test_bars_agree_with_the_summary(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = describe(dissection, NO_SHEETS)
    views = [view for layer in report.layers for view in layer.views]
    assert len(views) == len(dissection.summary()) == 4
    for view, summary in zip(views, dissection.summary(), strict=True):
        assert {group.category: group.unique for group in view.groups} == dict(summary.unique)
        assert sum(len(bar.units) for group in view.groups for bar in group.bars) == summary.detectors
        assert [card.iou for card in view.cards] == sorted((c.iou for c in view.cards), reverse=True)
        assert all(card.detector for card in view.cards)
        assert len(view.cards) + len(view.rest) == view.units
        by_anchor = {card.anchor: card for card in view.cards}
        for group in view.groups:
            assert [len(bar.units) for bar in group.bars] == sorted(
                (len(bar.units) for bar in group.bars), reverse=True
            )
            for bar in group.bars:
                assert by_anchor[bar.anchor].label == bar.concept
                assert by_anchor[bar.anchor].unit == bar.units[0]


def test_quantiles_are_chosen_without_a_script(run: FakeRun, tmp_path: Path) -> None:
    path = build(run.save(tmp_path / "run"))
    page = Page(path)
    assert [attrs["id"] for attrs in page.all("input", type="radio")] == ["choose-q0", "choose-q1"]
    assert "body:has(#choose-q1:checked) .view:not(.q1)" in path.read_text(encoding="utf-8")
    assert page.all("script") == []
    # a headline, a table and a section per layer
    assert [len(page.all("div", **{"class": f"q{q}"})) for q in range(2)] == [3, 3]
    assert [len(page.all("p", **{"class": f"q{q}"})) for q in range(2)] == [1, 1]


def test_one_quantile_needs_no_choice(tmp_path: Path) -> None:
    page = Page(build(fake_run().save(tmp_path / "run")))
    assert page.all("input") == []
    assert "at quantile" not in page.text


def test_everything_is_on_the_disk(run: FakeRun, tmp_path: Path) -> None:
    path = build(run.save(tmp_path / "run"))
    page = Page(path)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        for name in {"src", "href", "action", "data", "srcset"} & attrs.keys():
            address = attrs[name]
            if address.startswith("#"):
                assert address[1:] in ids
            elif (tag, address) != ("link", "data:,"):
                assert not re.match(r"[a-z]*:|/|\.", address)
                assert (path.parent / address).is_file()
    text = path.read_text(encoding="utf-8")
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text


HOSTILE = "<script>alert(1)</script>"


@pytest.mark.parametrize("name", [HOSTILE, '" onload="alert(1)', "'>{{ 7 * 7 }}</title><b x='", "日本 & <i>"])
def test_names_are_harmless(name: str, tmp_path: Path) -> None:
    plain = fake_run(units=(12,))
    harmless = Page(build(plain.save(tmp_path / "plain")))
    manifest = {
        **plain.manifest,
        "model": {**plain.manifest["model"], "path": f"models/{name}", "producer": name},
        "data": {**plain.manifest["data"], "name": name, "folder": str(tmp_path / name)},
        "warnings": [name],
    }
    hostile = replace(
        plain,
        manifest=manifest,
        concepts=tuple(replace(concept, name=f"{name}{concept.number}") for concept in plain.concepts),
        layers=tuple(replace(layer, name=name, alias=name) for layer in plain.layers),
        images=tuple(replace(image, name=name) for image in plain.images),
    )
    page = Page(build(hostile.save(tmp_path / "hostile")))
    tags = [tag for tag, attrs in page.elements if "note" not in attrs.get("class", "")]
    assert tags == [tag for tag, attrs in harmless.elements if "note" not in attrs.get("class", "")]
    assert not any(key.startswith("on") for _, attrs in page.elements for key in attrs)
    assert re.sub(r"\s+", " ", name) in page.text


def test_categories_of_ones_own_have_colours(tmp_path: Path) -> None:
    plain = fake_run(units=(12,))
    own = {category: f"{category}s of ours" for category in plain.categories}
    run = replace(
        plain,
        categories=tuple(own.values()),
        concepts=tuple(replace(c, category=own[c.category]) for c in plain.concepts),
    )
    report = describe(run.save(tmp_path / "run"), NO_SHEETS)
    assert [name for name, _ in report.categories] == list(own.values())
    assert {colour for _, colour in report.categories} <= set(range(10))


# Pictures


@pytest.mark.parametrize("size", [(7, 9), (14, 18), (5, 5), (112, 113)])
def test_fit_mask_takes_the_nearest(size: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random((7, 9)) < 0.5
    fitted = fit_mask(mask, size)
    assert fitted.shape == size
    for r in range(size[0]):
        for c in range(size[1]):
            # centre of the pixel on the label grid
            y, x = (r + 0.5) * 7 / size[0], (c + 0.5) * 9 / size[1]
            assert fitted[r, c] == mask[int(y), int(x)]


def test_fit_mask_multiplies_pixels() -> None:
    mask = np.random.default_rng(1).random((7, 9)) < 0.5
    np.testing.assert_array_equal(fit_mask(mask, (21, 18)), np.kron(mask, np.ones((3, 2), bool)))


def test_what_is_bright_is_the_mask() -> None:
    rng = np.random.default_rng(2)
    contact = Contact(7, (40, 60))
    images = [rng.integers(1, 256, (40, 60, 3), np.uint8) for _ in range(7)]
    masks = [rng.random((10, 12)) < share for share in (0, 0.02, 0.1, 0.3, 0.9, 1, 0.05)]
    sheet = contact.compose(images, masks)
    assert sheet.shape == (2 * 43 + 3, 5 * 63 + 3, 3) == (*contact.size, 3)
    between = np.ones(contact.size, bool)
    for image, mask, place in zip(images, masks, contact.places(), strict=True):
        region = fit_mask(mask, contact.cell)
        cell = sheet[place]
        between[place] = False
        np.testing.assert_array_equal(cell[region], image[region])
        outline = (cell == (255, 214, 10)).all(axis=2) & ~region
        grown = np.pad(region, 1)
        touched = np.logical_or.reduce(
            [np.roll(grown, (y, x), (0, 1))[1:-1, 1:-1] for y in (-1, 0, 1) for x in (-1, 0, 1)]
        )
        np.testing.assert_array_equal(outline, touched & ~region)
        dimmed = ~region & ~outline
        assert (cell[dimmed] < 0.45 * image[dimmed] + 1).all()
    assert (sheet[between] == 22).all()


def test_masks_drawn_are_the_masks_counted(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    folder = build(dissection).parent
    # most label grids of the made-up run are 7 x 9
    contact = Contact(5, (87, 112))
    for info in dissection.layers:
        for q, quantile in enumerate(dissection.quantiles):
            for unit in range(info.units):
                sheet = picture(folder / picture_path(info.slug, unit, q))
                assert sheet.shape[:2] == contact.size
                # of white images: blue is 255 in the mask, 107 outside, 10 in the outline
                blue = sheet[:, :, 0]
                for rank, place in enumerate(contact.places()):
                    drawn = blue[place] > 181
                    counted = fit_mask(dissection.mask(info.name, unit, rank, quantile), contact.cell)
                    assert (drawn != counted).mean() < 0.01


@pytest.mark.parametrize("top", [1, 3, 5, 7])
def test_as_many_pictures_as_were_kept(top: int, tmp_path: Path) -> None:
    run = with_images(fake_run(top=top, units=(4,)), tmp_path / "broden")
    page = Page(build(run.save(tmp_path / "run")))
    sheet = page.all("img")[0]
    assert int(sheet["width"]) == 3 + min(top, 5) * 115
    assert int(sheet["height"]) == 3 + -(-top // 5) * 90


def test_without_top_images(tmp_path: Path) -> None:
    run = with_images(fake_run(top=0), tmp_path / "broden")
    page = Page(build(run.save(tmp_path / "run")))
    assert "The run kept no top images, so there are no pictures." in page.text
    assert page.all("img") == []


def test_without_the_image_folder(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    run = fake_run(folder=str(gone))
    path = build(run.save(tmp_path / "run"))
    page = Page(path)
    assert f"There are no pictures: the images are no longer in {gone}." in page.text
    assert page.all("img") == []
    assert files_in(path.parent) == {"index.html"}
    assert len(page.all("article")) == 20


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
    sheet = picture(path.parent / picture_path(info.slug, 0, 0))
    places = list(Contact(5, (87, 112)).places())
    assert (sheet[places[0]] < 120).mean() > 0.9
    assert sheet[places[2]].max() > 100


def test_no_image_can_be_read(run: FakeRun, tmp_path: Path) -> None:
    for image in run.images:
        (tmp_path / "broden/images" / image.name).write_bytes(b"gone")
    path = build(run.save(tmp_path / "run"))
    page = Page(path)
    assert "There are no pictures: no image could be read. The first: made/0000.jpg" in page.text
    assert page.all("img") == []
    assert files_in(path.parent) == {"index.html"}


# Runs with little in them


def test_no_unit_detects_anything(run: FakeRun, tmp_path: Path) -> None:
    page = Page(build(no_detectors(run).save(tmp_path / "run")))
    assert "0 of 12 units detect a concept: 0 different concepts." in page.text
    assert "No unit's label has an IoU above 0.04." in page.text
    assert "Nowhere above its threshold." in page.text
    assert page.all("svg") == []
    assert len(page.all("article")) == 40


def test_nearest_miss_is_named(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run", iou_threshold=0.99)
    best = max(dissection.units(quantile=0.02), key=lambda unit: unit.iou)
    page = Page(build(dissection))
    assert f"The nearest is unit {best.unit}: {best.label} ({best.category}), {best.iou:.3f}." in page.text


def test_layer_without_units(tmp_path: Path) -> None:
    page = Page(build(fake_run(units=(0, 4)).save(tmp_path / "run")))
    assert len(page.all("article")) == 4
    assert len(page.all("section", **{"class": "layer"})) == 2


def test_bare_manifest(tmp_path: Path) -> None:
    run = replace(fake_run(), manifest={})
    page = Page(build(run.save(tmp_path / "run")))
    assert "unnamed model" in page.text
    assert "Made by onnxdissect, after" in page.text


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


def test_report_cannot_be_written(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
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
    assert recorder.events == [("report", 20), *[("advance", 1)] * 20, ("finish", None)]


# The bar chart


def groups_of(*counts: int) -> list[Group]:
    def bars(category: int, count: int) -> Iterator[Bar]:
        for i in range(count):
            units = tuple(range(1 + (count - i) // 2))
            yield Bar(f"concept {category}-{i}", units, f"layer-{units[0]}-q0")

    return [Group(f"category {c}", c, tuple(bars(c, count))) for c, count in enumerate(counts)]


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
    chart: BarChart = bar_chart([Group("object", 0, (Bar(name, (3, 4), "x"),))])
    bar = chart.panels[0].bars[0]
    assert bar.text == "a concept with a name tha…"
    assert bar.title == f"{name} (object): 2 units, 3, 4"


def test_report_is_data(tmp_path: Path) -> None:
    dissection = fake_run().save(tmp_path / "run")
    assert describe(dissection, NO_SHEETS) == describe(dissection, NO_SHEETS)
    assert isinstance(describe(dissection, NO_SHEETS), Report)
