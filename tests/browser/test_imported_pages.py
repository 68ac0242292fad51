"""The pages of imported results: everything that was published, and nothing that looks like more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from support.browsing import expect
from support.report_addresses import address
from support.result_files import draw_units, table, write

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from onnxdissect.results import Dissection

NOTE = "These results were imported from conv4.csv and 1 other file."


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    """Two layers, with their report."""
    from onnxdissect import import_netdissect
    from onnxdissect.report import build

    folder = tmp_path_factory.mktemp("imported")
    files = [
        write(folder / f"{name}.csv", table(draw_units(count, seed)))
        for seed, (name, count) in enumerate((("conv4", 9), ("conv5", 20)))
    ]
    run = import_netdissect(files, folder / "AlexNet", data_name="Broden")
    build(run)
    return run


def where(run: Dissection, page: str, fragment: str = "") -> str:
    return address(run.path / "report", page, fragment)


def test_the_overview_says_what_it_is_and_counts(imported: Dissection, page: Page) -> None:
    page.goto(where(imported, "index.html"))
    assert page.locator("h1").inner_text() == "AlexNet"
    assert page.locator(".eyebrow").inner_text().lower() == "network dissection on broden"
    assert NOTE in page.locator("p.note").inner_text()
    facts = page.locator("dl.facts").inner_text()
    assert "imported" in facts
    assert "conv4.csv (sha256 " in facts
    assert f"{len(imported.concepts)} concepts named" in facts
    assert "0 images" not in page.locator("main").inner_text()
    rows = [row.inner_text().split() for row in page.locator("table.layers tbody tr").all()]
    for row, summary in zip(rows, imported.summary(), strict=True):
        assert row[0] == summary.layer
        counts = [summary.units, summary.detectors]
        assert row[1:3] == [str(count) for count in counts]
        assert row[-3:] == [str(summary.unique[name]) for name in imported.categories]
    assert page.locator("img, canvas").count() == 0
    expect(page.locator("body")).to_have_class(re.compile("alive"))
    assert page.locator("svg:visible").count() >= 2  # categories against depth, and the bars
    cards = page.locator(".glimpse .card")
    assert 0 < cards.count() <= 6


def test_a_layer_shows_every_unit_without_pictures(imported: Dissection, page: Page) -> None:
    page.goto(where(imported, "layers/conv5.html"))
    page.wait_for_selector("#cards .card")
    assert NOTE in page.locator("p.note").first.inner_text()
    assert page.locator("#cards .card").count() == 20
    text = page.locator("main").inner_text()
    assert "T –" not in text
    assert "never above its threshold" not in text
    assert "positions" not in text
    assert page.locator("#sort option").all_inner_texts() == ["IoU", "unit", "label"]
    assert page.locator(".toggles").count() == 0
    assert page.locator("#cards img, #cards canvas, #cards .tile").count() == 0
    page.select_option("#kind", "detectors")
    expect(page.locator("#cards .card")).to_have_count(imported.summary()[1].detectors)


def test_a_unit_tells_the_best_of_each_category(imported: Dissection, page: Page) -> None:
    unit = max(imported.units("conv5"), key=lambda unit: unit.iou)
    page.goto(where(imported, "layers/conv5.html", f"unit={unit.unit}"))
    page.wait_for_selector("#unit[open] table.best")
    said = page.locator("#unit").inner_text()
    assert said.startswith(unit.label)
    assert "could not be read" not in said
    assert "Threshold" not in said
    assert "best concepts" not in said
    rows = [row.inner_text().split("\t") for row in page.locator("#unit table.best tr").all()]
    told = [[category, name, f"{iou:.3f}"] for category, (name, iou) in unit.best.items() if name]
    assert [[cell.strip() for cell in row] for row in rows] == told
    assert page.locator("#unit img, #unit canvas, #unit .toggles").count() == 0
    assert not page.locator("#unit .unit-images").is_visible()
    page.keyboard.press("m")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#unit-place")).not_to_have_text(re.compile(f"^unit {unit.unit} "))


def test_a_concept_tells_its_units_and_no_images(imported: Dissection, page: Page) -> None:
    unit = next(unit for unit in imported.units("conv5") if unit.detector)
    (number,) = [c.number for c in imported.concepts if (c.name, c.category) == (unit.label, unit.category)]
    page.goto(where(imported, "concepts.html", f"concept={number}"))
    page.wait_for_selector("#concept:not([hidden]) .card")
    expect(page.locator("#concept-title")).to_have_text(unit.label)
    held = [one for one in imported.units() if one.detector and one.label == unit.label]
    verb = "unit detects" if len(held) == 1 else "units detect"
    assert page.locator("#concept-facts").inner_text() == f"{unit.category} · {len(held)} {verb} it"
    assert page.locator("#concept .card").count() == len(held)
    assert NOTE in page.locator("p.note").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(imported: Dissection, page: Page, scheme: Literal["light", "dark"]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    for name, fragment in (("index.html", ""), ("layers/conv5.html", "unit=3"), ("concepts.html", "")):
        page.goto(where(imported, name, fragment))
        page.wait_for_selector("#unit[open] table.best" if fragment else "main")
        options = {"resultTypes": ["violations"], "preload": False}
        found = axe.run(page, options=options).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], name


def test_a_small_dark_screen_reads_it_too(imported: Dissection, page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    page.emulate_media(color_scheme="dark")
    for name in ("index.html", "layers/conv5.html", "concepts.html"):
        page.goto(where(imported, name))
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.locator("p.note").first.is_visible()
