"""What a reader of the page of a comparison can do, done; and that everyone can read it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browsing import comes_to, expect
from support.comparisons import comparison, made_sides, run_sides, without_intervals
from support.fake_counts import fake_run
from support.report_addresses import address

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from onnxdissect.experiments.comparison.records import ComparedConcept
    from onnxdissect.experiments.comparison.result import ComparisonResult

MODEL = Path(__file__).parents[2] / "models" / "tiny_scenes.onnx"


@dataclass
class Compared:
    result: ComparisonResult
    folder: Path

    def at(self, fragment: str = "") -> str:
        return address(self.folder, "index.html", fragment)


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Two layers of the shipped network in two runs; the first run has a report."""
    from onnxdissect import dissect
    from onnxdissect.report import build
    from onnxdissect.report.comparison import show_comparison

    folder = tmp_path_factory.mktemp("compared")
    runs = {}
    for name, layers in (("one", ["relu4", "relu6"]), ("two", ["relu6"])):
        options: dict[str, Any] = {"limit": 60, "bootstrap": 0, "out": folder / name}
        runs[f"runs/{name}"] = dissect(MODEL, "tiny", layers, quantiles=[0.005, 0.02], **options)
    build(runs["runs/one"])
    sides, concepts = run_sides(list(runs.items()), 0.02)
    result = comparison(
        sides, concepts, by="run", matched=[(1, 2), (0, 1)], marks=["one has more layers than two"]
    )
    show_comparison(result, runs, folder / "out")
    return Compared(result, folder / "out")


def listed(page: Page) -> list[str]:
    page.wait_for_selector("#matrix th")
    return page.locator("#matrix th").all_text_contents()


def highest(concept: ComparedConcept) -> float:
    return max(best.iou for best in concept.best if best)


def iou(concept: ComparedConcept, layer: int) -> float:
    best = concept.best[layer]
    return best.iou if best else 0.0


def test_the_page_says_what_is_compared(compared: Compared, page: Page) -> None:
    page.goto(compared.at())
    assert page.locator("h1").inner_text() == "2 runs side by side"
    assert "one has more layers than two" in page.locator(".marks").inner_text()
    assert page.locator(".marks").is_visible()
    assert page.locator("svg.groups:visible").count() == 1
    assert page.locator("svg.groups:visible text.count").all_text_contents() == [
        f"{group.unique.mean:.1f}".removesuffix(".0") for group in compared.result.groups
    ]
    assert page.locator("table.pairs tbody tr").count() == len(compared.result.pairs)


def test_concepts_are_searched_filtered_and_sorted(compared: Compared, page: Page) -> None:
    concepts = compared.result.concepts
    page.goto(compared.at())
    assert sorted(listed(page)) == sorted(concept.concept for concept in concepts)
    expect(page.locator("#count")).to_have_text(f"{len(concepts)} concepts")
    by_name = {concept.concept: concept for concept in concepts}
    page.select_option("#sort", "highest")
    comes_to(
        lambda: [highest(by_name[name]) for name in listed(page)],
        sorted((highest(concept) for concept in concepts), reverse=True),
    )
    page.click("#heads th:nth-child(3) button")
    expect(page.locator("#heads th:nth-child(3)")).to_have_attribute("aria-sort", "descending")
    expect(page).to_have_url(re.compile("sort=1"))
    shown = [iou(by_name[name], 1) for name in listed(page)]
    assert all(one >= other - 1e-4 for one, other in pairwise(shown))
    page.select_option("#kind", "all")
    wanted = [c.concept for c in concepts if all(best and best.detectors for best in c.best)]
    comes_to(lambda: sorted(page.locator("#matrix th").all_text_contents()), sorted(wanted))
    page.select_option("#kind", "")
    category = concepts[0].category
    page.select_option("#category", category)
    comes_to(
        lambda: sorted(listed(page)),
        sorted(concept.concept for concept in concepts if concept.category == category),
    )
    page.select_option("#category", "")
    page.fill("#find", concepts[0].concept[:3].upper())
    found = [c.concept for c in concepts if concepts[0].concept[:3].lower() in c.concept.lower()]
    comes_to(lambda: sorted(listed(page)), sorted(found))


def test_cells_are_walked_through_by_keys(compared: Compared, page: Page) -> None:
    page.goto(compared.at())
    names = listed(page)
    assert page.locator("#matrix .cell[tabindex='0']").count() == 1
    page.focus("#matrix .cell[tabindex='0']")

    layers = [layer.name for layer in compared.result.layers]

    def is_at(row: int, column: int) -> None:
        said = re.compile(f"^{re.escape(f'{names[row]} in {layers[column]}: ')}")
        expect(page.locator("#matrix .cell:focus")).to_have_attribute("aria-label", said)

    is_at(0, 0)
    for key, row, column in (
        ("ArrowDown", 1, 0),
        ("End", 1, len(layers) - 1),
        ("ArrowLeft", 1, len(layers) - 2),
        ("ArrowUp", 0, len(layers) - 2),
        ("ArrowUp", 0, len(layers) - 2),
        ("Home", 0, 0),
    ):
        page.keyboard.press(key)
        is_at(row, column)
    page.keyboard.press("Enter")
    expect(page.locator("#concept-view")).to_be_visible()
    expect(page.locator("#concept-name")).to_have_text(re.compile(f"^{re.escape(names[0])}"))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#concept-name")).to_have_text(re.compile(f"^{re.escape(names[1])}"))
    page.keyboard.press("Escape")
    expect(page.locator("#concept-view")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("concept="))
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()


def test_a_concept_shows_the_best_unit_of_each_layer_with_pictures(compared: Compared, page: Page) -> None:
    at, concept = max(enumerate(compared.result.concepts), key=lambda one: highest(one[1]))
    page.goto(compared.at(f"concept={at}"))
    page.wait_for_selector("#along li")
    for position, best in enumerate(concept.best):
        item = page.locator("#along li").nth(position)
        assert compared.result.layers[position].name in item.inner_text()
        if best is not None:
            assert f"{best.iou:.3f}" in item.inner_text()
            assert item.get_attribute("data-unit") == f"{position}/{best.unit}"
    page.wait_for_function("document.querySelectorAll('#along .frame img').length >= 12")
    page.wait_for_function("[...document.querySelectorAll('#along img')].some(i => i.naturalWidth)")
    masks, annotations = (page.locator(f"#along .{kind}:visible") for kind in ("mask", "annotation"))
    assert masks.count() > 0
    assert annotations.count() == 0
    page.keyboard.press("a")
    expect(annotations).not_to_have_count(0)
    page.keyboard.press("m")
    expect(masks).to_have_count(0)


def test_units_lead_to_the_reports_of_their_own_runs(compared: Compared, page: Page) -> None:
    at, concept = max(enumerate(compared.result.concepts), key=lambda one: iou(one[1], 1))
    best = concept.best[1]
    assert best is not None
    page.goto(compared.at(f"concept={at}"))
    page.click(f"#along li[data-unit='1/{best.unit}'] .figures a")
    expect(page).to_have_url(re.compile("one/report/layers/relu6.html"))
    expect(page.locator("#unit-place")).to_have_text(re.compile(f"^unit {best.unit} of relu6"))
    expect(page.locator("#choose-q1")).to_be_checked()
    page.goto(compared.at(f"concept={at}"))
    page.wait_for_selector("#along li")
    # the second run has no report
    assert page.locator("#along li").nth(2).locator("a").count() == 0


def test_a_pair_opens_with_what_was_gained_lost_and_kept(compared: Compared, page: Page) -> None:
    page.goto(compared.at())
    assert not page.locator("#pair").is_visible()
    for i, pair in enumerate(compared.result.pairs):
        page.click(f".opens[value='{i}']")
        expect(page.locator("#pair h3").first).to_have_text(f"{pair.first} → {pair.second}")
        expect(page.locator("#pair h3").last).to_have_text(f"Kept ({len(pair.kept):,})")
        said = page.locator("#pair").inner_text()
        assert f"{pair.first} → {pair.second}" in said
        for title, changes in (("Gained", pair.gained), ("Lost", pair.lost)):
            assert f"{title} ({len(changes)})" in said
        for change in (*pair.gained, *pair.lost, *pair.kept):
            row = page.locator(f"#pair .changes tr:has(th:text-is('{change.concept}'))").first
            assert [cell.strip() for cell in row.locator("td").all_inner_texts()] == [
                f"{change.first:.3f}",
                f"{change.second:.3f}",
            ]
        assert page.locator(f".opens[value='{i}']").get_attribute("aria-expanded") == "true"
    page.click(f".opens[value='{len(compared.result.pairs) - 1}']")
    expect(page.locator("#pair")).to_be_hidden()


def test_matched_units_stand_side_by_side(compared: Compared, page: Page) -> None:
    page.goto(compared.at())
    for place, matching in enumerate(compared.result.matchings):
        page.select_option("#match", str(place))
        expect(page.locator("#match")).to_have_value(str(place))
        expect(page.locator(".matching:visible")).to_contain_text(f"{matching.score:.3f}")
        expect(page.locator("#matched-count")).to_have_text(f"{len(matching.units)} pairs")
        best = max(matching.units, key=lambda pair: (round(pair.score, 6), -pair.first))
        first = page.locator("#matched li").first
        expect(first).to_have_attribute("data-units", f"{best.first}/{best.second}")
        expect(page.locator(".matching:visible")).to_have_count(1)
        page.select_option("#which", "same")
        same = [p for p in matching.units if p.first_label and p.first_label == p.second_label]
        of = "" if len(same) == len(matching.units) else f" of {len(matching.units)}"
        expect(page.locator("#matched-count")).to_have_text(f"{len(same)}{of} pairs")
        page.select_option("#which", "")
    page.locator("#matched li").first.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('#matched li:first-child .frame img').length === 12")
    sought = compared.result.matchings[1].units[0].first
    page.fill("#seek", str(sought))
    found = page.locator("#matched li:not(.sentinel)").first
    expect(found).to_have_attribute("data-units", re.compile(rf"^{sought}/|/{sought}$"))


def test_a_view_can_be_linked(compared: Compared, page: Page) -> None:
    page.goto(compared.at("pair=1&sort=name&category=color&match=1&order=low&show=annotation"))
    page.wait_for_selector("#pair h3")
    expect(page.locator("#sort")).to_have_value("name")
    expect(page.locator("#match")).to_have_value("1")
    expect(page.locator("#order")).to_have_value("low")
    before = page.url
    page.reload()
    page.wait_for_selector("#pair h3")
    assert page.url == before
    page.click("nav.top a:has-text('Pairs')")
    assert page.url == before
    page.goto(compared.at("pair=99&sort=x&category=y&match=-4&concept=z&show=w&kind=k&which=q"))
    expect(page.locator("#pair")).to_be_hidden()
    expect(page.locator("#match")).to_have_value("0")
    page.wait_for_selector("#matched li")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("dialog", [False, True])
def test_axe_finds_nothing(dialog: bool, scheme: Any, compared: Compared, page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.goto(compared.at("pair=0&show=mask+annotation&sort=1" + ("&concept=0" if dialog else "")))
    page.wait_for_selector("#pair h3", state="attached")
    page.wait_for_selector("#matched li", state="attached")
    if not dialog:
        page.click("summary >> visible=true")
    page.wait_for_timeout(100)
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast"]
    found = axe.run(page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []


@pytest.mark.parametrize("width", [360, 390, 1000, 1280])
def test_nothing_hangs_over(width: int, compared: Compared, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    page.goto(compared.at("pair=0"))
    page.wait_for_selector("#pair h3")
    page.click("summary >> visible=true")
    expect(page.locator("details[open]")).not_to_have_count(0)
    assert page.evaluate(over) == 0
    expect(page.locator("svg.groups:visible")).to_have_count(1)
    page.goto(compared.at("concept=0"))
    page.wait_for_selector("#along li")
    assert page.evaluate(over) == 0
    assert (
        page.evaluate(
            "(e => e.scrollWidth - e.clientWidth)(document.querySelector('#concept-view .unit-body'))"
        )
        == 0
    )


def test_dark_and_light(compared: Compared, page: Page) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(compared.at())
        colours.append(
            page.evaluate("getComputedStyle(document.querySelector('.matrix .first')).backgroundColor")
        )
    assert colours[0] != colours[1]


def test_forty_layers_and_all_concepts_of_broden(tmp_path: Path, page: Page) -> None:
    from onnxdissect.report.comparison import build_comparison

    sides, concepts = made_sides(networks=40, units=300, concepts=1197)
    for side in sides:
        side.given |= {
            "images": 0,
            "layer": "/stage1/Relu_output_0",
            "name": f"a long name of {side.given['name']}",
        }
    run = fake_run(units=(4,)).save(tmp_path / "run")
    result = comparison(sides, concepts)
    page.goto(build_comparison(result, {side.given["run"]: run for side in sides}, tmp_path / "out").as_uri())
    page.wait_for_selector("#matrix .cell")
    assert page.locator("#matrix tr:not(.sentinel)").count() < 200
    # the table scrolls in a box of its own, below its names
    page.locator(".matrix").scroll_into_view_if_needed()
    box = page.locator(".matrix").bounding_box()
    head = page.locator("#heads th").first.bounding_box()
    assert box is not None
    assert head is not None
    assert box["height"] <= 0.8 * 900
    page.evaluate("document.querySelector('.matrix').scrollTop = 1e6")
    page.wait_for_function("document.querySelectorAll('#matrix tr:not(.sentinel)').length > 100")
    after = page.locator("#heads th").first.bounding_box()
    assert after is not None
    assert abs(after["y"] - head["y"]) < 2
    page.focus("#matrix .cell[tabindex='0']")
    for row in range(1, 4):
        page.keyboard.press("ArrowDown")
        expect(page.locator("#matrix tr").nth(row).locator(".cell").first).to_be_focused()
    cell = page.evaluate("document.activeElement.getBoundingClientRect().top")
    bottom = page.evaluate("document.querySelector('#heads').getBoundingClientRect().bottom")
    assert cell >= bottom - 1
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_names_do_no_harm(nasty: str, tmp_path: Path, page: Page) -> None:
    from onnxdissect.report.comparison import show_comparison

    plain = fake_run(units=(8, 8))
    run = replace(
        plain,
        concepts=tuple(replace(c, name=f"{nasty}{c.number}") for c in plain.concepts),
        images=tuple(replace(image, name=nasty) for image in plain.images),
    ).save(tmp_path / "run")
    sides, concepts = run_sides([(nasty, run)])
    for i, side in enumerate(sides):
        side.given |= {
            "name": f"{nasty}{i}",
            "group": f"{nasty}{i}",
            "alias": nasty,
            "model": nasty,
            "data": nasty,
        }
    result = comparison(sides, concepts, by=nasty, matched=[(0, 1)], marks=[nasty])
    _, where = show_comparison(result, {nasty: run}, tmp_path / "out")
    page.goto(where.as_uri() + "#pair=0&concept=0")
    page.wait_for_selector("#along li")
    page.wait_for_selector("#pair h3", state="attached")
    page.wait_for_selector("#matched li", state="attached")
    assert page.title() != "owned"
    assert page.locator("script:not([src])").count() == 0
    for place in ("#concept-name", "#along", ".marks", "#matrix", "#matched"):
        assert "<script>document.title" in page.locator(place).inner_text()
    assert "There are no pictures" in page.locator("body").inner_text()


def test_nothing_detected_and_nothing_resampled(tmp_path: Path, page: Page) -> None:
    from onnxdissect.report.comparison import show_comparison

    sides, concepts = made_sides(networks=2)
    for side in sides:
        side.given |= {"images": 0, "layer": "/stage1/Relu_output_0"}
        side.iou = side.iou * 0
    run = fake_run(units=(4,)).save(tmp_path / "run")
    runs = {side.given["run"]: run for side in sides}
    result = without_intervals(comparison(sides, concepts, matched=[(0, 1)]))
    _, where = show_comparison(result, runs, tmp_path / "out")
    page.goto(where.as_uri())
    page.wait_for_selector("#matched li")
    assert "No unit of any layer detects a concept." in page.locator("header").inner_text()
    page.click(".opens")
    page.wait_for_selector("#pair >> text=Nothing that both detect.")


def test_page_without_script(compared: Compared, context: BrowserContext) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(compared.at())
    assert page.locator("svg.groups:visible").count() == 1
    assert page.locator("table.pairs:visible tbody tr").count() == len(compared.result.pairs)
    assert "does not run" in page.locator("noscript").first.inner_text()
    plain.close()
