"""What a reader of the report can do, done."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.browsing import comes_to, expect
from support.report_addresses import LAYER, address, by_iou, layer_address

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from onnxdissect.results import Dissection


def shown_units(page: Page) -> list[int]:
    """Numbers of the units on show, after scrolling to the last of them."""
    while page.locator(".sentinel").count():
        page.evaluate("document.querySelector('.sentinel')?.scrollIntoView()")
        page.wait_for_timeout(30)
    links: list[str] = page.eval_on_selector_all("#cards a[data-unit]", "all => all.map(a => a.dataset.unit)")
    return [int(link.rpartition("/")[2]) for link in links]


def test_all_units_are_there(run: Dissection, page: Page) -> None:
    page.goto(layer_address(run))
    expect(page.locator("#count")).to_have_text(f"{run.layer(LAYER).units} units")
    assert shown_units(page) == [unit.unit for unit in by_iou(run)]


def test_search_and_filters(run: Dissection, page: Page) -> None:
    page.goto(layer_address(run))
    units = by_iou(run)
    label = next(unit.label for unit in units if unit.detector)

    def shows(wanted: list[int]) -> None:
        comes_to(lambda: shown_units(page), wanted)

    page.fill("#find", label[:3].upper())
    shows([u.unit for u in units if label[:3].lower() in u.label.lower()])
    page.fill("#find", f'"{label}"')
    shows([u.unit for u in units if u.label == label])
    expect(page).to_have_url(re.compile("find="))
    page.click("#reset")
    expect(page).not_to_have_url(re.compile("find="))
    category = units[0].category
    page.select_option("#category", category)
    shows([u.unit for u in units if u.category == category])
    page.select_option("#kind", "detectors")
    shows([u.unit for u in units if u.category == category and u.detector])
    page.click("#reset")
    page.select_option("#kind", "others")
    shows([u.unit for u in units if not u.detector])
    page.click("#reset")
    page.select_option("#kind", "reliable")
    reliable = [u.unit for u in units if u.reliable]
    shows(reliable)
    expect(page.locator("#cards .sure")).to_have_count(len(reliable))
    page.click("#reset")
    page.select_option("#kind", "unsure")
    shows([u.unit for u in units if u.detector and not u.reliable])
    page.click("#reset")
    page.fill("#least", "0.03")
    page.fill("#most", "0.2")
    wanted = [u.unit for u in units if 0.03 <= u.iou <= 0.2]
    shows(wanted)
    expect(page.locator("#count")).to_have_text(f"{len(wanted)} of {len(units)} units")
    page.fill("#find", "no such concept")
    shows([])


def test_the_overview_says_first_how_many_are_reliable(run: Dissection, page: Page) -> None:
    page.goto(address(run.path / "report", "index.html"))
    (summary,) = [
        s for s in run.summary() if (s.layer, s.quantile) == (run.layer(LAYER).name, run.quantiles[0])
    ]
    assert summary.reliable_detectors is not None
    assert summary.reliable_detectors == sum(bool(unit.reliable) for unit in by_iou(run))
    assert 0 < summary.reliable_detectors < summary.detectors, (
        "the two counts could be mistaken for each other"
    )
    (said,) = [p.inner_text() for p in page.locator("header p.lead").all() if p.is_visible()]
    assert (
        f"In {LAYER} at quantile 0.005, {summary.detectors} of {summary.units} units detect a concept, "
        f"{summary.reliable_detectors} of them reliably: {summary.unique_detectors} different concepts"
    ) in said


def test_a_closer_look_says_why_a_detector_is_not_reliable(
    run: Dissection, page: Page, tmp_path: Path
) -> None:
    from onnxdissect import load
    from onnxdissect.report import build

    sure, luck = (unit.unit for unit in [unit for unit in by_iou(run) if unit.reliable][:2])
    shutil.copytree(run.path, tmp_path / "run")
    table = tmp_path / "run" / "units.csv"
    with table.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    at = {name: header.index(name) for name in ("layer", "unit", "reliable")}
    for row in rows:
        # What the correction for the number of detectors leaves out looks like one that is reliable.
        if (row[at["layer"]], row[at["unit"]]) == (run.layer(LAYER).name, str(luck)):
            row[at["reliable"]] = "false"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    changed = load(tmp_path / "run")
    build(changed)
    for unit, words in (
        (sure, "interval above 0.04, label stable"),
        (luck, "as luck leaves some of so many"),
    ):
        page.goto(layer_address(changed, f"unit={unit}"))
        expect(page.locator("dialog[open]")).to_contain_text(words)
        page.goto("about:blank")


@pytest.mark.parametrize("order", ["unit", "label", "threshold"])
def test_sorting(order: str, run: Dissection, page: Page) -> None:
    page.goto(layer_address(run))
    page.select_option("#sort", order)
    expect(page).to_have_url(re.compile(f"sort={order}"))
    units = run.units(LAYER, run.quantiles[0])
    found = shown_units(page)
    assert sorted(found) == list(range(len(units)))
    if order == "unit":
        assert found == sorted(found)
    elif order == "threshold":
        thresholds = [units[k].threshold or 0.0 for k in found]
        assert thresholds == sorted(thresholds, reverse=True)
    else:
        labels = [units[k].label for k in found if units[k].label]
        assert [key for i, key in enumerate(labels) if key not in labels[:i]] == sorted(
            set(labels), key=str.lower
        )


def test_a_view_can_be_linked(run: Dissection, page: Page) -> None:
    unit = next(u for u in by_iou(run, 1) if u.detector)
    page.goto(layer_address(run, f"q=1&category={unit.category}&sort=unit&unit={unit.unit}&show=heat"))
    expect(page.locator("#unit-title")).to_have_text(re.compile(f"^{re.escape(unit.label)}"))
    expect(page.locator("#category")).to_have_value(unit.category)
    expect(page.locator("#sort")).to_have_value("unit")
    expect(page.locator("#choose-q1")).to_be_checked()
    comes_to(
        lambda: shown_units(page),
        [u.unit for u in run.units(LAYER, run.quantiles[1]) if u.category == unit.category],
    )
    before = page.url
    page.reload()
    assert page.url == before
    expect(page.locator("#unit[open]")).to_have_count(1)
    page.goto(layer_address(run, "unit=99999&find=%22&least=x&show=nonsense&q=7"))
    expect(page.locator("#find")).to_have_value('"')
    expect(page.locator("#unit[open]")).to_have_count(0)


def test_dialog(run: Dissection, page: Page) -> None:
    page.goto(layer_address(run, "kind=detectors"))
    units = [u for u in by_iou(run) if u.detector]
    page.locator("#cards a").nth(1).click()
    expect(page.locator("#unit-images li")).to_have_count(15)
    facts = page.locator("#unit-facts").inner_text()
    assert f"{units[1].iou:.3f}" in facts
    assert f"{units[1].iou_low:.3f}–{units[1].iou_high:.3f}" in facts
    assert page.locator(".ranking tbody tr").count() == 10
    assert page.locator(".ranking tbody th").first.inner_text() == units[1].label
    assert page.locator(".histogram .mark").count() == 1
    expect(page).to_have_url(re.compile(rf"unit={units[1].unit}\b"))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#unit-place")).to_contain_text(f"unit {units[2].unit} ")
    page.click("#unit-before")
    page.click("#unit-before")
    expect(page.locator("#unit-before")).to_be_disabled()
    page.click("#unit-toggles button[value=side]")
    expect(page.locator("#unit-images.side li").first.locator(".frame")).to_have_count(3)
    page.keyboard.press("Escape")
    # The address follows the dialog's event, which comes a moment after it is closed.
    expect(page).not_to_have_url(re.compile("unit="))


def test_keyboard(run: Dissection, page: Page) -> None:
    page.goto(layer_address(run))
    page.keyboard.press("/")
    page.keyboard.type("a")
    expect(page.locator("#find")).to_have_value("a")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    links = page.locator("#cards a")
    expect(page.locator("#find")).to_have_value("")
    expect(page.locator("#count")).to_have_text(f"{run.layer(LAYER).units} units")
    links.first.focus()
    page.keyboard.press("ArrowRight")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_selector("#unit[open] #unit-images li")
    page.keyboard.press("h")
    expect(page).to_have_url(re.compile(r"show=mask\+heat"))
    canvas = page.locator("#unit-images canvas").first
    expect(canvas).to_be_visible()
    expect(canvas).to_have_attribute("data-drawn", "yes")
    assert canvas.evaluate("c => new Set(c.getContext('2d').getImageData(0, 0, 56, 56).data).size") > 10
    page.keyboard.press("m")
    page.keyboard.press("a")
    expect(page.locator("body")).to_have_attribute("data-show", "heat annotation")
    page.keyboard.press("Escape")
    expect(page.locator("#unit[open]")).to_have_count(0)
    expect(links.nth(1)).to_be_focused()


def test_concepts(run: Dissection, page: Page) -> None:
    page.goto(address(run.path / "report", "concepts.html"))
    units = [u for u in run.units(quantile=run.quantiles[0]) if u.detector]
    label = units[0].label
    page.fill("#find", label)
    rows = page.locator("table.concepts tbody tr:visible")
    names = {u.label for u in units if label in u.label}
    expect(page.locator("#count")).to_have_text(f"{len(names)} concept" + "s" * (len(names) != 1))
    assert set(rows.locator("th").all_inner_texts()) == names
    page.get_by_role("link", name=label, exact=True).click()
    page.wait_for_selector("#cards a")
    expect(page.locator("#concept-title")).to_have_text(label)
    links = page.locator("#cards a").evaluate_all("all => all.map(a => a.dataset.unit)")
    wanted = {f"{run.layer(u.layer).slug}/{u.unit}" for u in units if u.label == label}
    assert set(links) == wanted
    page.locator("#cards a").first.click()
    page.wait_for_selector("#unit[open] #unit-images li")
    page.keyboard.press("Escape")
    # leaving the dialog changes the address too
    expect(page).not_to_have_url(re.compile("unit="))
    page.click("#all-concepts")
    page.wait_for_selector("#index:visible")


def test_overview(run: Dissection, page: Page) -> None:
    page.goto(address(run.path / "report", "index.html"))
    page.wait_for_selector(".glimpse svg.mask")
    expect(page.locator(".glimpse:visible .card")).to_have_count(6)
    page.locator("details[open]:visible svg.bars a").first.click()
    page.wait_for_selector("#cards .card")
    page.go_back()
    page.check("#choose-q1")
    expect(page).to_have_url(re.compile("#q=1$"))
    expect(page.locator(".view.q0:visible")).to_have_count(0)
    page.locator("nav.top a.keeps").first.click()
    page.wait_for_selector("body[data-page=layer] #choose-q1:checked")
    page.goto(address(run.path / "report", "index.html"))
    for form in ("svg", "pdf", "png"):
        link = page.locator(f"a[href$='.{form}'][download]").first.get_attribute("href")
        assert (run.path / "report" / str(link)).stat().st_size > 1000
