"""What a reader can do on the pages about bases, done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.basis_runs import fake_basis_run, save_with_nearest
from support.browsing import comes_to, expect
from support.report_addresses import address

from onnxdissect.experiments.basis_findings import BasisFindings, basis_findings

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from onnxdissect.results import Dissection

NASTY = "\"'><script>document.title='owned'</script>&amp;\u202e/日本"


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    """The shipped network with its last layer under a dictionary of named rows, and its report."""
    from onnxdissect import Basis, dissect
    from onnxdissect.report import build

    rng = np.random.default_rng(0)
    matrix = np.vstack([np.eye(128)[:40] + 0.1 * rng.normal(size=(40, 128)), rng.normal(size=(100, 128))])
    names = [f"feature {i}" for i in range(140)]
    names[0], names[1] = NASTY, "x" * 3000
    book = Basis.of("book", matrix, bias=rng.normal(size=140) * 0.1, row_names=names)
    run = dissect(
        Path(__file__).parents[2] / "models" / "tiny_scenes.onnx",
        "tiny",
        ["relu6"],
        quantiles=[0.005, 0.02],
        limit=150,
        bootstrap=300,
        bases=[book, "identity"],
        out=tmp_path_factory.mktemp("turned") / "run",
    )
    build(run)
    return run


def open_page(page: Page, run: Dissection, fragment: str = "", basis: str = "book") -> BasisFindings:
    info = run.layer(f"relu6/basis/{basis}")
    page.goto(address(run.path / "report", f"bases/{info.slug}.html", fragment))
    return basis_findings(run, info.name)[0]


def column(page: Page, name: str) -> list[str]:
    """Cells of a column of the table of directions, after scrolling to its end."""
    while page.locator(".sentinel").count():
        page.evaluate("document.querySelector('.sentinel')?.scrollIntoView()")
        page.wait_for_timeout(30)
    heads = [head.rstrip(" ↑↓") for head in page.locator("#heads th").all_inner_texts()]
    at = heads.index(name)
    found: list[str] = page.eval_on_selector_all(
        "#directions tr", f"all => all.map(row => row.children[{at}].textContent)"
    )
    return found


def leave(page: Page) -> None:
    """Close the closer look at a unit; the address follows a moment later."""
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("unit="))


def test_the_table_has_every_direction_beside_its_nearest_unit(turned: Dissection, page: Page) -> None:
    found = open_page(page, turned)
    expect(page.locator("#count")).to_have_text("140 directions")
    assert column(page, "Direction") == [str(one.unit.unit) for one in found.directions]
    assert column(page, "Name") == [one.name for one in found.directions]
    assert column(page, "Cosine") == [f"{one.cosine:.3f}" for one in found.directions]
    assert column(page, "Nearest unit") == [str(one.nearest.unit) for one in found.directions if one.nearest]
    assert column(page, "Its label") == [
        one.nearest.label or "no concept" for one in found.directions if one.nearest
    ]
    scores = [text.removesuffix(" ✓") for text in column(page, "IoU")]
    assert scores == [f"{one.unit.iou:.3f}" for one in found.directions]
    news = {one.concept.name for one in found.new}
    labels = [(one.unit.label or "no concept", one.unit.detector) for one in found.directions]
    assert column(page, "Label") == [
        name + ("new" if detector and name in news else "") for name, detector in labels
    ]
    assert news


def test_sorting_by_every_column(turned: Dissection, page: Page) -> None:
    found = open_page(page, turned)
    page.click("#heads button:has-text('Cosine')")
    falling = sorted(found.directions, key=lambda one: (-(one.cosine or 0), one.unit.unit))
    comes_to(lambda: column(page, "Direction"), [str(one.unit.unit) for one in falling])
    expect(page).to_have_url(re.compile("sort=cosine"))
    expect(page.locator("#heads th[aria-sort=descending]")).to_have_text(re.compile("^Cosine"))
    page.click("#heads button:has-text('Cosine')")
    rising = sorted(found.directions, key=lambda one: (one.cosine or 0, one.unit.unit))
    comes_to(lambda: column(page, "Direction"), [str(one.unit.unit) for one in rising])
    expect(page).to_have_url(re.compile("sort=-cosine"))
    page.locator("#heads button:has-text('Its IoU')").press("Enter")
    expect(page.locator("#heads th[aria-sort=descending]")).to_have_text(re.compile("^Its IoU"))
    scores = [float(text.removesuffix(" ✓")) for text in column(page, "Its IoU")]
    assert scores == sorted(scores, reverse=True)
    page.click("#heads button:text-is('Label')")
    expect(page.locator("#heads th[aria-sort=ascending]")).to_have_text(re.compile("^Label"))
    labels = [one.unit.label for one in found.directions if one.unit.label]
    shown = column(page, "Label")
    assert "no concept" not in shown[: len(labels)]
    assert shown[len(labels) :] == ["no concept"] * (140 - len(labels))
    page.click("#heads button:has-text('Direction')")
    expect(page).not_to_have_url(re.compile("sort"))
    comes_to(lambda: column(page, "Direction"), [str(i) for i in range(140)])


def test_filters_and_search(turned: Dissection, page: Page) -> None:
    found = open_page(page, turned)
    every = found.directions

    def shown() -> list[int]:
        return [int(text) for text in column(page, "Direction")]

    page.fill("#find", "feature 12")
    comes_to(
        shown,
        [one.unit.unit for one in every if "feature 12" in one.name or one.unit.label == "feature 12"],
    )
    page.click("#reset")
    news = {one.concept.name for one in found.new}
    expected = {
        "detectors": [one.unit.unit for one in every if one.unit.detector],
        "reliable": [one.unit.unit for one in every if one.unit.reliable],
        "new": [one.unit.unit for one in every if one.unit.detector and one.unit.label in news],
        "same": [one.unit.unit for one in every if one.nearest and one.unit.label == one.nearest.label],
        "different": [one.unit.unit for one in every if one.nearest and one.unit.label != one.nearest.label],
    }
    for kind, units in expected.items():
        page.select_option("#kind", kind)
        assert 0 < len(units) < 140, kind
        comes_to(shown, units)
        expect(page.locator("#count")).to_have_text(f"{len(units)} of 140 directions")
    page.click("#reset")
    category = every[0].unit.category
    page.select_option("#category", category)
    comes_to(shown, [one.unit.unit for one in every if one.unit.category == category])


def test_cards_show_pictures_and_open_units_of_both_sides(turned: Dissection, page: Page) -> None:
    found = open_page(page, turned)
    new = page.locator("section:has(#new-q0) .card")
    assert [card.locator("h3").inner_text() for card in new.all()] == [c.concept.name for c in found.new]
    assert new.first.locator("img").count() == 6
    lost = page.locator("section:has(#lost-q0) .card")
    assert [card.locator("h3").inner_text() for card in lost.all()] == [c.concept.name for c in found.lost]
    unsure = [bool(one.unsure) for one in found.new]
    assert [card.locator(".doubt").count() == 1 for card in new.all()] == unsure
    assert any(unsure)
    new.first.locator("h3 a").click()
    dialog = page.locator("dialog[open]")
    direction = found.new[0].direction.unit
    expect(dialog).to_contain_text(f"unit {direction} · ")
    expect(dialog).to_contain_text("of relu6/book")
    leave(page)
    beside = new.first.locator(".beside a")
    beside.click()
    expect(dialog).to_contain_text(f"unit {found.new[0].own.unit} of relu6")
    leave(page)
    page.locator("#directions tr").nth(3).locator("a").first.click()
    expect(dialog).to_contain_text("unit 3 · feature 3 of relu6/book · 4 of 140")
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("unit 4 · feature 4 of relu6/book · 5 of 140")


def test_the_address_holds_what_is_shown(turned: Dissection, page: Page) -> None:
    own = turned.layer("relu6")
    open_page(page, turned, f"q=1&sort=cosine&kind=detectors&unit={own.slug}:7")
    expect(page.locator("dialog[open]")).to_contain_text(f"unit 7 of {own.alias}")
    leave(page)
    second = basis_findings(turned, "relu6/basis/book")[1]
    detectors = sum(one.unit.detector for one in second.directions)
    assert detectors
    counted = "140 directions" if detectors == 140 else f"{detectors} of 140 directions"
    expect(page.locator("#count")).to_have_text(counted)
    expect(page.locator("section:has(#new-q1)")).to_be_visible()
    expect(page.locator("section:has(#new-q0)")).to_be_hidden()
    page.click("nav.top a:has-text('Bases')")
    expect(page).to_have_url(re.compile("bases.html#q=1$"))
    expect(page.locator("table.bases:visible")).to_have_count(1)


def test_from_the_overview_to_a_basis_and_back(turned: Dissection, page: Page) -> None:
    page.goto(address(turned.path / "report", "index.html"))
    assert page.locator("nav.top li").all_inner_texts() == ["relu6", "Bases", "Concepts", "Thresholds"]
    page.click("table.layers:visible a:has-text('under 2 bases')")
    expect(page).to_have_url(re.compile("bases.html#layer="))
    page.click("table.bases:visible a:has-text('identity')")
    expect(page.locator("h1")).to_have_text("identity")
    expect(page.locator("p.lead:visible")).to_contain_text("0 concepts are new, 0 are lost")
    expect(page.locator("#count")).to_have_text("128 directions")
    assert set(column(page, "Cosine")) == {"1.000"}
    assert column(page, "Nearest unit") == column(page, "Direction")
    basis = page.url
    page.click("a:has-text('directions as cards')")
    expect(page).to_have_url(re.compile("/layers/"))
    expect(page.locator("#count")).to_have_text("128 units")
    page.click("a:has-text('What it detects that')")
    expect(page).to_have_url(basis)
    expect(page.locator("h1")).to_have_text("identity")


def test_names_stand_on_cards_and_are_searched(turned: Dissection, page: Page) -> None:
    info = turned.layer("relu6/basis/book")
    page.goto(address(turned.path / "report", f"layers/{info.slug}.html", "sort=unit"))
    cards = page.locator("#cards .card")
    expect(cards.nth(2).locator(".name")).to_have_text("feature 2")
    assert cards.nth(0).locator(".name").inner_text() == NASTY
    width = cards.nth(1).evaluate(
        "card => card.querySelector('.name').getBoundingClientRect().right"
        " - card.getBoundingClientRect().right"
    )
    assert width <= 0
    page.fill("#find", "feature 77")
    expect(page.locator("#count")).to_have_text("1 of 140 units")
    assert page.title() != "owned"


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_page(turned: Dissection, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, turned)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(address(turned.path / "report", "bases.html"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # a name of 3,000 characters does not push the other columns away
    open_page(page, turned)
    assert page.evaluate("document.querySelector('table.directions').scrollWidth") < 1300


def test_hostile_names(tmp_path: Path, page: Page) -> None:
    from onnxdissect.report import build

    made = fake_basis_run(names=[NASTY] * 12, bases=[NASTY])
    run = save_with_nearest(made, tmp_path / "run")
    report = build(run).parent
    for name in ("index.html", "bases.html", f"bases/{run.layers[1].slug}.html"):
        page.goto(address(report, name))
        expect(page.locator("body")).to_have_class(re.compile("alive"))
        page.wait_for_timeout(100)
        assert page.title() != "owned"
    assert set(column(page, "Name")) == {NASTY}


def test_thousands_of_directions_stay_fast(tmp_path: Path, page: Page) -> None:
    from onnxdissect.report.data.bases import basis_record, gather_bases
    from onnxdissect.report.data.report_data import gather_report
    from onnxdissect.report.data.units import layer_units
    from onnxdissect.report.pages.data_files import run_record
    from onnxdissect.report.pages.rendering import copy_assets, render_basis
    from onnxdissect.report.pages.scripts import write_script

    run = save_with_nearest(fake_basis_run(units=(512, 2048)), tmp_path / "run")
    # the page alone: thousands of unit files and figures are another matter
    report = gather_report(run)
    (found,) = gather_bases(run, report, {})
    folder = tmp_path / "report"
    for info in run.layers:
        write_script(
            folder / "data" / f"{info.slug}.js", "dissect.layer", (info.slug, layer_units(run, info))
        )
    write_script(folder / "data" / "run.js", "dissect.run", (run_record(report),))
    slug = found.layer.info.slug
    write_script(folder / "bases" / f"{slug}.js", "dissect.basis", (slug, basis_record(found)))
    copy_assets(folder)
    (folder / "bases" / f"{slug}.html").write_text(render_basis(report, found), encoding="utf-8")
    page.goto(address(folder, f"bases/{slug}.html"))
    expect(page.locator("#count")).to_have_text("2,048 directions")
    assert page.locator("#directions tr").count() <= 101
    spent = page.evaluate(
        """() => {
          const start = performance.now();
          document.querySelector("#heads button[value=cosine]").click();
          return performance.now() - start;
        }"""
    )
    assert spent < 1000, "milliseconds"
    comes_to(lambda: len(column(page, "Direction")), 2048)
