"""What a reader of the page of explanations can do, done; and that everyone can read it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest
from support.browsing import comes_to, expect
from support.once import made_once
from support.report_addresses import address

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from onnxdissect import Explanation
    from onnxdissect.results import Dissection

MODEL = Path(__file__).parents[2] / "models" / "tiny_scenes.onnx"
IMAGES = (30, 200, 330, 480)


@dataclass
class Explained:
    run: Path
    found: tuple[Explanation, ...]
    folder: Path

    def at(self, fragment: str = "") -> str:
        return address(self.folder, "index.html", fragment)


def explained_from(found: tuple[Explanation, ...], folder: Path) -> Path:
    """Figures and the page, as ``explain --out`` writes them."""
    from onnxdissect.experiments.explanation import write_explanations
    from onnxdissect.report.explanation import build_explanations
    from onnxdissect.report.figures.explanation import draw_explanations

    folder.mkdir(exist_ok=True)
    figures = draw_explanations(found, folder)
    write_explanations(found, folder, [path.name for path in figures])
    return build_explanations(found, folder)


def explanations(run: Path, images: Path) -> tuple[Explanation, ...]:
    from onnxdissect import explain

    return explain(MODEL, sorted(images.glob("*.png")), run, top=5)


@pytest.fixture(scope="session")
def explained(run: Dissection, tmp_path_factory: pytest.TempPathFactory) -> Explained:
    """Four drawn scenes explained by the shipped network, and a report of the run that leads to them."""
    from onnxdissect import load
    from onnxdissect.data import open_data
    from onnxdissect.report import build

    def make(folder: Path) -> None:
        shutil.copytree(run.path, folder / "run")
        (folder / "images").mkdir()
        for i in IMAGES:
            pixels = open_data("tiny").read_image(i)
            cv2.imwrite(str(folder / "images" / f"scene{i}.png"), pixels[:, :, ::-1])
        explained_from(explanations(folder / "run", folder / "images"), folder / "out")
        build(load(folder / "run"), explanations=[folder / "out"])

    folder = made_once(tmp_path_factory, "explained", make)
    return Explained(folder / "run", explanations(folder / "run", folder / "images"), folder / "out")


def shown(page: Page) -> list[str]:
    page.wait_for_selector("body.alive")
    return page.locator("#explained > li:not([hidden]) h3").all_text_contents()


def names(explained: Explained, wanted: Any) -> list[str]:
    return [Path(one.image).name for one in explained.found if wanted(one)]


def test_the_page_says_what_made_each_prediction(explained: Explained, page: Page) -> None:
    from onnxdissect.experiments.explanation.formats.wording import concept_sentence, definition
    from onnxdissect.experiments.explanation.segments import segment_by_units

    page.goto(explained.at())
    assert shown(page) == names(explained, lambda one: True)
    assert definition(explained.found[0]) in page.locator("main").inner_text()
    for place, one in enumerate(explained.found):
        item = page.locator("#explained > li").nth(place)
        item.scroll_into_view_if_needed()
        expect(item.locator(".sentence")).to_have_text(concept_sentence(one))
        expect(item.locator(".predicted")).to_contain_text(f"{one.class_name}, score {one.score:.4g}")
        units = item.locator(".unit")
        expect(units).to_have_count(len(one.units))
        for k, unit in enumerate(one.units):
            said = " ".join(units.nth(k).inner_text().split())
            label = unit.label if unit.detector else f"({unit.label})"
            assert said.startswith(f"{label} unit {unit.unit}")
            assert f"IoU {unit.iou:.3f}" in said
            assert (
                f"{unit.iou_low:.3f}–{unit.iou_high:.3f}, stable {100 * (unit.stability or 0):.0f} %" in said
            )
            assert ("✓ reliable" in said) == bool(unit.reliable)
            assert f"{100 * unit.share:+.0f} %".replace("-", "−") in said
        legend = [one.concept for one in segment_by_units(one).concepts]
        listed = item.locator(".legend li span:last-child").all_inner_texts()
        assert [text.split(" +")[0].split(" −")[0] for text in listed] == legend
        item.locator("summary").click()
        sums = item.locator("table.sums tbody th")
        wanted = [concept.concept for concept in one.concepts if concept.contribution]
        comes_to(lambda sums=sums: sorted(sums.all_inner_texts()), sorted(wanted))  # type: ignore[misc]
        assert "come to the score" in item.locator("details").inner_text()


def test_predictions_are_chosen_by_class_concept_and_unit(explained: Explained, page: Page) -> None:
    page.goto(explained.at())
    first = explained.found[0]
    page.select_option("#class", first.class_name)
    comes_to(lambda: shown(page), names(explained, lambda one: one.class_name == first.class_name))
    page.select_option("#class", "")
    label = next(unit.label for unit in first.units if unit.detector)
    page.select_option("#concept", label)
    holding = names(explained, lambda one: any(u.detector and u.label == label for u in one.units))
    comes_to(lambda: shown(page), holding)
    expect(page.locator("#count")).to_contain_text(f"{len(holding)} of 4 predictions: a detector of {label}")
    page.click("#reset")
    comes_to(lambda: shown(page), names(explained, lambda one: True))
    number = first.units[-1].unit
    page.select_option("#unit", str(number))
    told = names(explained, lambda one: any(u.unit == number for u in one.units))
    comes_to(lambda: shown(page), told)
    expect(page).to_have_url(re.compile(f"unit={number}"))
    assert page.locator(".unit.sought").count() == len(told)
    page.select_option("#unit", "")
    page.fill("#find", "SCENE30")
    comes_to(lambda: shown(page), ["scene30.png"])
    page.fill("#find", "no such image")
    expect(page.locator("#count")).to_have_text("0 of 4 predictions")
    assert not shown(page)


def test_masks_heat_maps_and_segments_are_switched(explained: Explained, page: Page) -> None:
    page.goto(explained.at())
    units = len(explained.found[0].units)
    first = page.locator("#explained > li").first
    expect(first.locator(".frame img")).to_have_count(units)
    masks, heat, painted = (
        first.locator(kind) for kind in (".mask:visible", ".heat:visible", "img.segments:visible")
    )
    expect(masks).to_have_count(units)
    expect(heat).to_have_count(0)
    expect(painted).to_have_count(1)
    page.keyboard.press("h")
    expect(heat).to_have_count(units)
    expect(first.locator("canvas[data-drawn]")).to_have_count(units)
    page.keyboard.press("m")
    expect(masks).to_have_count(0)
    page.click("#show button[value=segments]")
    expect(painted).to_have_count(0)
    expect(first.locator(".painted .chip:visible")).to_have_count(0)
    expect(page).to_have_url(re.compile("show=heat"))
    page.keyboard.press("s")
    expect(painted).to_have_count(1)
    page.wait_for_function("[...document.querySelectorAll('#image-1 img')].every((i) => i.complete)")
    assert all(page.evaluate("[...document.querySelectorAll('#image-1 img')].map((i) => i.naturalWidth)"))
    # pictures are files
    sources = page.evaluate("[...document.images].map((i) => i.getAttribute('src'))")
    assert sources
    assert not [source for source in sources if source.startswith("data:")]


def test_keys_lead_from_one_prediction_to_the_next(explained: Explained, page: Page) -> None:
    page.goto(explained.at())
    page.wait_for_selector("body.alive")
    for place in (1, 2):
        page.keyboard.press("ArrowDown")
        expect(page.locator(f"#name-{place}")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#name-1")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()


def test_a_units_card_leads_to_the_predictions_that_used_it_and_back(
    explained: Explained, page: Page
) -> None:
    from onnxdissect import load

    number = explained.found[0].units[0].unit
    told = names(explained, lambda one: any(unit.unit == number for unit in one.units))
    layer = f"layers/{load(explained.run).layer('relu6').slug}.html"
    page.goto(address(explained.run / "report", layer, "sort=unit"))
    card = page.locator(f".card:has(a[data-unit$='/{number}'])")
    said = f"{len(told)} prediction{'' if len(told) == 1 else 's'} used this unit"
    while not card.count():
        page.locator(".sentinel").scroll_into_view_if_needed()
    card.locator("a", has_text=said).click()
    expect(page).to_have_url(re.compile(rf"out/index\.html#unit={number}$"))
    comes_to(lambda: shown(page), told)
    expect(page.locator("#unit")).to_have_value(str(number))
    page.locator(f".unit[data-unit='{number}'] h4 a").first.click()
    expect(page.locator("#unit-place")).to_have_text(re.compile(f"^unit {number} of relu6"))
    expect(page.locator("#unit-facts a", has_text=said)).to_be_visible()
    # units that no prediction told of lead nowhere
    used = {unit.unit for one in explained.found for unit in one.units}
    links = page.evaluate("document.querySelectorAll('#cards .beside a').length")
    assert 0 < links <= len(used)


def test_a_report_without_explanations_is_as_it_was(explained: Explained, run: Dissection) -> None:
    with_links = (explained.run / "report" / "data" / "relu6.js").read_text(encoding="ascii")
    without = (run.path / "report" / "data" / "relu6.js").read_text(encoding="ascii")
    assert "explained" in with_links
    assert re.sub(r',"explained":\[\[.*?\]\]', "", with_links) == without


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(explained: Explained, scheme: Any, page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.goto(explained.at(f"unit={explained.found[0].units[0].unit}"))
    expect(page.locator("#explained > li:not([hidden]) .frame").first).to_be_visible()
    page.locator("#explained > li:not([hidden]) summary").first.click()
    page.wait_for_timeout(100)
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast"]
    found = axe.run(page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over(width: int, explained: Explained, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(explained.at())
    for item in page.locator("#explained > li").all():
        item.scroll_into_view_if_needed()
        expect(item.locator(".frame").first).to_be_visible()
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) == 0


def test_what_is_said_below_a_picture_stays_there(explained: Explained, tmp_path: Path, page: Page) -> None:
    # where no unit has a mask a whole sentence stands there instead of a legend
    one = explained.found[0]
    silent = replace(one, units=tuple(replace(unit, detector=False) for unit in one.units))
    page.goto(explained_from((silent,), tmp_path / "out").as_uri())
    expect(page.locator(".pictured .hint")).to_contain_text("there are no segments")
    assert page.locator(".pictured").evaluate("one => one.scrollWidth - one.clientWidth") == 0


def test_paper_has_all_pictures_and_no_controls(explained: Explained, page: Page) -> None:
    page.goto(explained.at())
    expect(page.locator("#filters")).to_be_visible()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator(".frame img")).to_have_count(sum(len(one.units) for one in explained.found))


def test_without_script_everything_is_said(explained: Explained, context: BrowserContext) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(explained.at())
    assert page.locator("#explained h3:visible").count() == len(explained.found)
    assert page.locator("#explained img.segments:visible").count() == len(explained.found)
    assert "which your browser does not run" in page.locator("noscript").inner_text()
    plain.close()


def test_two_hundred_images_are_drawn_as_they_are_reached(
    explained: Explained, tmp_path: Path, page: Page
) -> None:
    from onnxdissect.report.explanation import build_explanations

    many = tuple(replace(explained.found[i % 4], image=f"scene{i}.png") for i in range(200))
    where = build_explanations(many, tmp_path)
    assert where.stat().st_size < 6_000_000
    page.goto(where.as_uri())
    expect(page.locator("#count")).to_have_text("200 predictions")
    expect(page.locator("#image-1 .frame").first).to_be_visible()
    assert page.locator(".frame").count() < 200
    last = page.locator("#image-200")
    last.scroll_into_view_if_needed()
    expect(last.locator(".frame").first).to_be_visible()
    assert page.locator(".frame").count() < 400


def test_names_do_no_harm(nasty: str, explained: Explained, tmp_path: Path, page: Page) -> None:
    one = explained.found[0]
    units = tuple(replace(unit, label=nasty, category=nasty) for unit in one.units)
    concepts = tuple(replace(concept, concept=nasty, category=nasty) for concept in one.concepts)
    hostile = replace(
        one, image=nasty, model=nasty, alias=nasty, class_name=nasty, predicted_name=nasty, units=units,
        concepts=concepts, stripped=nasty, output=nasty, score_of=nasty,
    )  # fmt: skip
    page.goto(explained_from((hostile,), tmp_path / "out").as_uri() + "#unit=" + str(units[0].unit))
    expect(page.locator("#image-1 .frame").first).to_be_visible()
    assert page.title() != "owned"
    assert page.locator("script:not([src])").count() == 0
    assert "<script>document.title" in page.locator("#image-1").inner_text()


def test_concepts_are_told_of_where_units_have_no_contributions(
    explained: Explained, tmp_path: Path, page: Page
) -> None:
    from onnxdissect.experiments.explanation import ShapleyOrders

    one = explained.found[0]
    orders = ShapleyOrders("concepts", len(one.concepts), (), 64, 0)
    concepts = tuple(replace(concept, standard_error=0.125) for concept in one.concepts)
    over = replace(one, attribution="shapley", orders=orders, units=(), contributions=(), concepts=concepts)
    estimated = replace(one, units=tuple(replace(unit, standard_error=0.25) for unit in one.units))
    page.goto(explained_from((over, estimated), tmp_path / "out").as_uri())
    page.wait_for_selector("body.alive")
    first = page.locator("#image-1")
    assert "Contributions are of concepts here" in first.inner_text()
    expect(first.locator("details[open] table.sums")).not_to_have_count(0)
    assert "(s.e. 0.12)" in first.locator("table.sums").first.inner_text()
    expect(page.locator("#image-2 .unit .error")).to_have_text(["s.e. 0.25"] * len(one.units))
    said = page.locator(".meaning").inner_text()
    assert "Contribution, shapley" in said
    assert "Contribution, linear" in said
