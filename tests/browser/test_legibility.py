"""The report is legible for everyone: by rule, at any width, in the dark, on paper, without script."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browsing import expect
from support.report_addresses import address, by_iou, layer_address

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from onnxdissect.results import Dissection


@pytest.mark.parametrize("name", ["index", "layer", "unit", "concepts", "concept", "thresholds"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(name: str, scheme: Any, run: Dissection, page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    best = by_iou(run)[0]
    number = next(c.number for c in run.concepts if c.name == best.label)
    report = run.path / "report"
    page.emulate_media(color_scheme=scheme)
    page.goto(
        {
            "index": address(report, "index.html"),
            "layer": layer_address(run, "show=mask+annotation"),
            "unit": layer_address(run, f"unit={best.unit}"),
            "concepts": address(report, "concepts.html"),
            "concept": address(report, "concepts.html", f"concept={number}"),
            "thresholds": address(report, "thresholds.html"),
        }[name]
    )
    expect(page.locator("body")).to_have_class(re.compile("alive"))
    expect(page.locator("#unit-images li")).to_have_count(15 if name == "unit" else 0)
    if name == "concept":
        expect(page.locator("#concept-title")).to_have_text(best.label)
        expect(page.locator("#cards .card").first).to_be_visible()
    page.wait_for_timeout(100)
    # without preloading, as a page from disk may not read its own style sheet
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if scheme == "dark":  # only the colours differ
        options["runOnly"] = ["color-contrast"]
    found = axe.run(page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over(width: int, run: Dissection, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    best = by_iou(run)[0]
    for where in (
        address(run.path / "report", "index.html"),
        layer_address(run),
        layer_address(run, f"unit={best.unit}&show=mask+side"),
        address(run.path / "report", "concepts.html"),
        address(run.path / "report", "thresholds.html"),
    ):
        page.goto(where)
        expect(page.locator("body")).to_have_class(re.compile("alive"))
        expect(page.locator("#unit-images.side li")).to_have_count(15 if "unit=" in where else 0)
        page.wait_for_timeout(60)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) == 0
        pictures = page.evaluate("[...document.images].filter(i => i.complete).map(i => i.naturalWidth)")
        assert all(pictures)


def test_dark_and_light(run: Dissection, page: Page) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(layer_address(run))
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        colours.append(sum(map(int, re.findall(r"\d+", colour))))
    assert colours[0] > 600 > 150 > colours[1]


def test_printing_leaves_the_controls_out(run: Dissection, page: Page) -> None:
    page.goto(layer_address(run))
    expect(page.locator("#filters")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator("#cards .card").first).to_be_visible()


def test_names_do_no_harm(hostile: Path, page: Page) -> None:
    slug = json.loads((hostile / "data.json").read_text(encoding="utf-8"))["layers"][0]["slug"]
    for name, fragment in (
        ("index.html", ""),
        (f"layers/{slug}.html", "unit=1"),
        ("concepts.html", "concept=2"),
        ("thresholds.html", ""),
    ):
        page.goto(address(hostile, name, fragment))
        expect(page.locator("body")).to_have_class(re.compile("alive"))
        if fragment.startswith("unit"):
            expect(page.locator("#unit[open] #unit-facts dl")).to_be_visible()
        page.wait_for_timeout(80)
        assert page.title() != "owned"
        # the script, the data of the run and of what the page shows
        assert page.locator("script:not([src])").count() == 0
        assert "<script>document.title" in page.locator("body").inner_text()


def test_report_without_script(run: Dissection, context: BrowserContext) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(address(run.path / "report", "index.html"))
    assert page.locator("table.layers:visible").count() == 1
    assert page.locator(".glimpse:visible .card").count() == 6
    page.goto(layer_address(run))
    assert "units.csv" in page.locator("noscript").inner_text()
    plain.close()
