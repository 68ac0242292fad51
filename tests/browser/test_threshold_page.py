"""How labels change with the quantile, as a reader sees it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.browsing import comes_to, expect
from support.fake_counts import fake_run
from support.report_addresses import LAYER, address, layer_address

from onnxdissect import threshold_sweep
from onnxdissect.report import build
from onnxdissect.results.sweep import LayerSweep, ThresholdSweep

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from onnxdissect.results import Dissection

LEVELS = (0.01, 0.001, 0.002, 0.003, 0.005, 0.007, 0.02, 0.03, 0.05, 0.07, 0.1)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    """A run at eleven quantiles, not in order, of more units than are drawn at once."""
    made = fake_run(units=(4, 90), images=3, quantiles=LEVELS, top=1)
    run = made.save(tmp_path_factory.mktemp("wide") / "run")
    build(run)
    return run


def of_layer(run: Dissection, layer: str) -> tuple[ThresholdSweep, LayerSweep]:
    sweep = threshold_sweep(run)
    name = run.layer(layer).name
    return sweep, next(one for one in sweep.layers if one.layer == name)


def listed(page: Page) -> list[int]:
    """Numbers of the units on show, after scrolling to the last of them."""
    while page.locator("#more").is_visible():
        page.evaluate("document.getElementById('more').scrollIntoView()")
        page.wait_for_timeout(30)
    rows: list[str] = page.eval_on_selector_all("#labels tr", "all => all.map(row => row.dataset.unit)")
    return [int(unit) for unit in rows]


def test_every_unit_has_its_label_at_every_quantile(wide: Dissection, page: Page) -> None:
    sweep, layer = of_layer(wide, "relu2")
    page.goto(address(wide.path / "report", "thresholds.html", "layer=-stage2-Relu_output_0"))
    assert 0 < page.locator("#labels tr").count() < 90
    comes_to(lambda: listed(page), list(range(90)))
    heads = page.locator("table.swept thead th").all_inner_texts()
    assert heads == ["Unit", *(f"{quantile:g}" for quantile in sorted(LEVELS))]
    cells = page.eval_on_selector_all(
        "#labels tr", "all => all.map(row => [...row.querySelectorAll('td')].map(cell => cell.innerText))"
    )
    assert cells == [[label or "no concept" for label in unit.labels] for unit in layer.units]
    kinds = page.eval_on_selector_all(
        "#labels tr", "all => all.map(row => [...row.querySelectorAll('td')].map(cell => cell.className))"
    )
    generic = {(concept.name, concept.category) for concept in sweep.generic}
    for unit, classes in zip(layer.units, kinds, strict=True):
        assert [" on" in f" {one}" for one in classes] == list(unit.detector)
        pairs = zip(unit.labels, unit.categories, strict=True)
        assert ["generic" in one.split() for one in classes] == [pair in generic for pair in pairs]
    marked = page.eval_on_selector_all("#labels tr:has(.same)", "all => all.map(row => row.dataset.unit)")
    assert marked == [str(unit.unit) for unit in layer.units if unit.same_label]


def test_filters_of_units(run: Dissection, page: Page) -> None:
    sweep, layer = of_layer(run, LAYER)
    generic = {(concept.name, concept.category) for concept in sweep.generic}
    page.goto(address(run.path / "report", "thresholds.html", f"layer={run.layer(LAYER).slug}"))
    units = layer.units

    def lists(expected: list[int]) -> None:
        comes_to(lambda: listed(page), expected)

    lists([unit.unit for unit in units])
    wanted = {
        "same": [u.unit for u in units if u.same_label],
        "changing": [u.unit for u in units if u.changes],
        "some": [u.unit for u in units if u.detections],
        "every": [u.unit for u in units if all(u.detector)],
        "never": [u.unit for u in units if not u.detections],
        "generic": [
            u.unit
            for u in units
            if (u.labels[0], u.categories[0]) not in generic and (u.labels[-1], u.categories[-1]) in generic
        ],
    }
    for kind, expected in wanted.items():
        page.select_option("#kind", kind)
        lists(expected)
        expect(page).to_have_url(re.compile(f"kind={kind}"))
        expect(page.locator("#count")).to_have_text(f"{len(expected)} of {len(units)} units")
    assert min(map(len, wanted.values())) > 0
    page.click("#reset")
    label = next(unit.labels[-1] for unit in units if unit.changes and unit.labels[-1])
    page.fill("#find", f'"{label}"')
    lists([u.unit for u in units if label in u.labels])
    page.click("#reset")
    page.fill("#find", label[:2].upper())
    lists([u.unit for u in units if any(label[:2].lower() in one.lower() for one in u.labels)])
    page.click("#reset")
    category = units[0].categories[0]
    page.select_option("#category", category)
    lists([u.unit for u in units if category in u.categories])
    page.click("#reset")
    page.select_option("#sort", "changes")
    lists([u.unit for u in sorted(units, key=lambda u: (u.changes, u.unit))])
    page.select_option("#sort", "first")
    last = len(sweep.quantiles)
    first = {u.unit: u.detector.index(True) if u.detections else last for u in units}
    lists(sorted(first, key=lambda unit: (first[unit], unit)))
    page.fill("#find", "no such concept")
    lists([])
    page.click("#reset")
    page.select_option("#layer", run.layer("relu4").slug)
    _, other = of_layer(run, "relu4")
    first_labels = "all => all.slice(0, 40).map(row => row.cells[1].innerText)"
    comes_to(
        lambda: page.eval_on_selector_all("#labels tr", first_labels),
        [unit.labels[0] or "no concept" for unit in other.units][:40],
    )


def test_a_label_leads_to_its_unit_at_that_quantile(wide: Dissection, page: Page) -> None:
    _, layer = of_layer(wide, "relu2")
    unit = next(u for u in layer.units if u.changes and u.labels[0] and u.labels[0] != u.labels[1])
    for place in (0, 1):
        page.goto(address(wide.path / "report", "thresholds.html", "layer=-stage2-Relu_output_0"))
        listed(page)
        page.click(f"#labels tr[data-unit='{unit.unit}'] td:nth-of-type({place + 1}) a")
        expect(page).to_have_url(re.compile("/layers/"))
        page.wait_for_selector("dialog[open]")
        parts = urlsplit(page.url)
        assert parts.path.endswith("/layers/-stage2-Relu_output_0.html")
        assert parse_qs(parts.fragment) == {"q": [str(place + 1)], "unit": [str(unit.unit)]}
        expect(page.locator("#unit-title")).to_have_text(re.compile(f"^{re.escape(unit.labels[place])}"))


def test_the_table_and_the_sentence_say_what_is_stored(run: Dissection, page: Page) -> None:
    _, layer = of_layer(run, LAYER)
    page.goto(address(run.path / "report", "thresholds.html"))
    lead = page.locator("p.lead").inner_text()
    assert f"{layer.same_label} of {len(layer.units)} units have the same label at every quantile" in lead
    section = page.locator("details.figure").filter(has=page.locator(f"summary .name:text-is('{LAYER}')"))
    if section.get_attribute("open") is None:
        section.locator("summary").click()
    expect(section.locator("table").first).to_be_visible()
    for row, counts in zip(section.locator("tbody tr").all(), layer.counts, strict=True):
        cells = [re.sub(r"\s+", " ", cell).strip() for cell in row.locator("th, td").all_inner_texts()]
        assert cells[0] == f"{counts.quantile:g}"
        assert cells[1] == str(counts.detectors)
        assert cells[2] == f"{counts.unique_detectors} {counts.unique_low}–{counts.unique_high}"
        assert counts.generic_share is not None
        assert counts.generic_label_share is not None
        assert cells[3] == f"{100 * counts.generic_share:.0f} % {counts.generic_detectors} units"
        assert cells[4] == f"{100 * counts.generic_label_share:.0f} % {counts.generic_labels} units"
        assert cells[5] == ("·" if counts.changed is None else str(counts.changed))
        assert cells[6:] == [str(counts.unique[category]) for category in run.categories]
    assert section.locator("svg.depth").count() == 3
    for link in section.locator(".downloads a").all():
        assert (run.path / "report" / str(link.get_attribute("href"))).stat().st_size > 1000


@pytest.mark.parametrize("width", [390, 1280])
def test_eleven_quantiles_find_room(width: int, wide: Dissection, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for where in (
        address(wide.path / "report", "thresholds.html"),
        address(wide.path / "report", "index.html"),
        layer_address(wide, alias="relu2"),
    ):
        page.goto(where)
        expect(page.locator("body")).to_have_class(re.compile("alive"))
        page.wait_for_timeout(60)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) == 0, where
    page.goto(address(wide.path / "report", "thresholds.html"))
    for chart in page.locator("details[open] svg.depth").all():
        boxes = [text.bounding_box() for text in chart.locator("text.column").all()]
        edges = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
        assert all(end < start for (_, end), (start, _) in pairwise(edges))


def test_a_table_that_is_cut_off_shows_that_it_scrolls(wide: Dissection, page: Page) -> None:
    page.goto(address(wide.path / "report", "thresholds.html"))
    region = page.locator("details[open] .scroll:has(> table)")
    shown = []
    for width in (390, 1100):
        page.set_viewport_size({"width": width, "height": 844})
        cut = region.evaluate("it => it.scrollWidth > it.clientWidth")
        box = region.bounding_box()
        assert box is not None
        edge: Any = {"x": box["x"] + box["width"] - 2, "y": box["y"], "width": 2, "height": box["height"]}
        region.scroll_into_view_if_needed()
        before = page.screenshot(clip=edge, full_page=True)
        page.add_style_tag(content=".scroll { background-size: 0 0 !important; }")
        shown.append((cut, page.screenshot(clip=edge, full_page=True) != before))
        page.reload()
    # a shadow lies over the edge where there is more behind it, and only there
    assert shown == [(True, True), (False, False)]


def test_one_quantile_has_no_such_page(page: Page, tmp_path: Path) -> None:
    report = build(fake_run(units=(4,), images=3, top=1).save(tmp_path / "run")).parent
    assert not list(report.rglob("thresholds*"))
    page.goto(address(report, "index.html"))
    assert page.get_by_text("Thresholds", exact=True).count() == 0


def test_without_script_the_tables_are_there(wide: Dissection, page: Page) -> None:
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    other = plain.new_page()
    other.goto(address(wide.path / "report", "thresholds.html"))
    assert other.locator("details[open] table.layers tbody tr").count() == len(LEVELS)
    assert "labels_by_quantile.csv" in other.locator("noscript").inner_text()
    plain.close()
