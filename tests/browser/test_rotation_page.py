"""What a reader of the page of rotations can do, done; and that everyone can read it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browsing import comes_to, expect
from support.report_addresses import address
from support.rotated_runs import rotated_run

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from onnxdissect.experiments.rotation import FollowedConcept, RotationCurve, RotationResult

MODEL = Path(__file__).parents[2] / "models" / "tiny_scenes.onnx"


@pytest.fixture(scope="session")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> RotationResult:
    """The shipped network, two of its layers rotated, with the page."""
    from onnxdissect import rotate
    from onnxdissect.report.rotation import build_rotation
    from onnxdissect.results import load

    result = rotate(
        MODEL,
        "tiny",
        ["relu4", "relu6"],
        alphas=(0, 0.5, 1),
        seeds=2,
        quantiles=[0.005, 0.02],
        limit=60,
        bootstrap=50,
        out=tmp_path_factory.mktemp("rotated") / "run",
    )
    build_rotation(result, load(result.path))
    return result


def where(result: RotationResult, fragment: str = "") -> str:
    return address(result.path / "rotation", "index.html", fragment)


def listed(page: Page) -> list[str]:
    page.wait_for_selector("#concepts button")
    return [text.split("\n")[0].strip() for text in page.locator("#concepts button .name").all_inner_texts()]


def fall(concept: FollowedConcept) -> float:
    return concept.iou[0][0] - sum(row[-1] for row in concept.iou) / len(concept.iou)


def units_shown(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#along .figures span:nth-child(2)").all_inner_texts()]


def see_pictures(page: Page) -> None:
    """Pictures are read as the reader comes near them."""
    page.wait_for_selector("#along li")
    for item in page.locator("#along li").all():
        item.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('#along .frame img').length === 18")


def numbers_of(result: RotationResult) -> dict[tuple[str, str], int]:
    from onnxdissect.results import load

    return {(c.name, c.category): c.number for c in load(result.path).concepts}


def steepest(curve: RotationCurve) -> FollowedConcept:
    return min(curve.concepts, key=lambda one: (-round(fall(one), 5), one.concept))


def test_the_headline_is_that_of_the_layer_and_quantile_on_show(rotated: RotationResult, page: Page) -> None:
    page.goto(where(rotated))
    for layer, q in ((1, 0), (1, 1), (0, 1), (0, 0)):
        page.check(f"#choose-l{layer}")
        page.check(f"#choose-q{q}")
        curve = rotated.curves[2 * layer + q]
        said = page.locator("header p.lead:visible")
        expect(said).to_have_count(1)
        expect(said).to_contain_text(f"In {rotated.layers[layer].alias} at quantile {rotated.quantiles[q]:g}")
        expect(said).to_contain_text(f"{curve.own}")
        expect(page.locator("svg.rotation:visible")).to_have_count(1)
        expect(page.locator("#count")).to_have_text(re.compile(f"^{len(curve.concepts)} concept"))


def test_concepts_are_sorted_by_their_fall_searched_and_chosen(rotated: RotationResult, page: Page) -> None:
    curve = rotated.curve("relu6")
    page.goto(where(rotated))
    names = listed(page)
    assert sorted(names) == sorted(one.concept for one in curve.concepts)
    falls = {one.concept: fall(one) for one in curve.concepts}
    assert all(falls[a] >= falls[b] - 1e-5 for a, b in pairwise(names))
    expect(page.locator("#followed-title")).to_have_text(re.compile(f"^{re.escape(names[0])}"))
    page.select_option("#sort", "before")
    before = {one.concept: one.iou[0][0] for one in curve.concepts}
    comes_to(
        lambda: [before[name] for name in listed(page)],
        sorted((before[name] for name in names), reverse=True),
    )
    page.select_option("#sort", "name")
    comes_to(lambda: listed(page), sorted(names, key=str.lower))
    page.fill("#find", names[0][:3].upper())
    comes_to(lambda: listed(page), sorted(name for name in names if names[0][:3].lower() in name.lower()))
    page.fill("#find", "")
    category = curve.concepts[0].category
    page.select_option("#category", category)
    comes_to(
        lambda: sorted(listed(page)),
        sorted(one.concept for one in curve.concepts if one.category == category),
    )
    page.fill("#find", "no such concept")
    page.wait_for_selector("text=No concept is called so.")


def test_a_concept_is_followed_along_alpha_and_seeds(rotated: RotationResult, page: Page) -> None:
    curve = rotated.curve("relu6")
    concept = steepest(curve)
    number = numbers_of(rotated)[concept.concept, concept.category]
    page.goto(where(rotated))
    page.click(f"#concepts button[value='{number}']")
    for s in range(2):
        page.click(f"#seeds button[value='{rotated.seeds[s]}']")
        expect(page.locator("#along .alpha strong")).to_have_text(["0", "0.5", "1"])
        comes_to(lambda: units_shown(page), [f"unit {unit}" for unit in concept.unit[s]])
        found = page.locator("#along .figures strong").all_inner_texts()
        assert found == [f"{iou:.3f}" for iou in concept.iou[s]]
        dull = [("missed" in (item.get_attribute("class") or "")) for item in page.locator("#along li").all()]
        assert dull == [not yes for yes in concept.detected[s]]
    expect(page).to_have_url(re.compile("seed=1"))
    expect(page).to_have_url(re.compile(f"concept={number}"))
    page.keyboard.press("ArrowLeft")
    expect(page).not_to_have_url(re.compile("seed=(?!0)"))
    comes_to(lambda: units_shown(page), [f"unit {unit}" for unit in concept.unit[0]])


def test_pictures_with_masks_and_annotations(rotated: RotationResult, page: Page) -> None:
    page.goto(where(rotated))
    see_pictures(page)
    page.wait_for_function("[...document.querySelectorAll('#along img')].every(i => i.complete)")
    assert all(page.evaluate("[...document.querySelectorAll('#along img')].map(i => i.naturalWidth)"))
    masks, annotations = (page.locator(f"#along .{kind}:visible") for kind in ("mask", "annotation"))
    assert masks.count() > 0
    assert annotations.count() == 0
    page.keyboard.press("a")
    expect(annotations).not_to_have_count(0)
    page.keyboard.press("m")
    expect(masks).to_have_count(0)
    page.keyboard.press("a")
    expect(annotations).to_have_count(0)
    page.click("#show button[value=mask]")
    expect(masks).not_to_have_count(0)


def test_a_view_can_be_linked(rotated: RotationResult, page: Page) -> None:
    curve = rotated.curve("relu4", 0.02)
    concept = curve.concepts[-1]
    number = numbers_of(rotated)[concept.concept, concept.category]
    slug = "relu4"
    page.goto(where(rotated, f"layer={slug}&q=1&seed=1&sort=name&concept={number}&show=annotation"))
    page.wait_for_selector("#choose-l0:checked")
    page.wait_for_selector("#choose-q1:checked")
    page.wait_for_selector("#along li")
    expect(page.locator("#followed-title")).to_have_text(re.compile(f"^{re.escape(concept.concept)}"))
    comes_to(lambda: units_shown(page), [f"unit {unit}" for unit in concept.unit[1]])
    expect(page.locator("#sort")).to_have_value("name")
    before = page.url
    page.reload()
    page.wait_for_selector("#along li")
    assert page.url == before
    comes_to(lambda: units_shown(page), [f"unit {unit}" for unit in concept.unit[1]])
    page.goto(where(rotated, "layer=none&q=99&seed=-4&concept=x&sort=y&show=z"))
    expect(page.locator("#choose-l1")).to_be_checked()
    page.wait_for_selector("#along li")


def test_keys(rotated: RotationResult, page: Page) -> None:
    page.goto(where(rotated))
    names = listed(page)
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.focus("#concepts button")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#followed-title")).to_have_text(re.compile(f"^{re.escape(names[1])}"))
    page.keyboard.press("ArrowUp")
    expect(page.locator("#followed-title")).to_have_text(re.compile(f"^{re.escape(names[0])}"))


def test_the_table_of_layers_leads_to_each(rotated: RotationResult, page: Page) -> None:
    page.goto(where(rotated))
    page.click("table.layers a >> nth=1")
    expect(page.locator("#choose-l0")).to_be_checked()
    expect(page.locator("#choose-q1")).to_be_checked()
    expect(page).to_have_url(re.compile("layer=relu4"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme: Any, rotated: RotationResult, page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.goto(where(rotated, "show=mask+annotation"))
    page.click("summary >> visible=true")
    see_pictures(page)
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast"]
    found = axe.run(page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []


@pytest.mark.parametrize("width", [360, 390, 1000, 1280])
def test_nothing_hangs_over(width: int, rotated: RotationResult, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(where(rotated))
    page.click("summary >> visible=true")
    see_pictures(page)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.locator("svg.rotation:visible").count() == 1


def test_names_do_no_harm(nasty: str, tmp_path: Path, page: Page) -> None:
    from onnxdissect.experiments.rotation.measure import measure_rotations
    from onnxdissect.report.rotation import build_rotation

    plain = rotated_run()
    run = replace(
        plain,
        manifest={
            **plain.manifest,
            "model": {**plain.manifest["model"], "path": nasty},
            "warnings": [nasty],
        },
        concepts=tuple(replace(c, name=f"{nasty}{c.number}") for c in plain.concepts),
        layers=tuple(replace(one, alias=nasty) for one in plain.layers),
        images=tuple(replace(image, name=nasty) for image in plain.images),
    ).save(tmp_path / "run")
    result = measure_rotations(run)
    page.goto(build_rotation(result, run).as_uri())
    page.wait_for_selector("#along li")
    assert page.title() != "owned"
    assert page.locator("script:not([src])").count() == 0
    assert "<script>document.title" in page.locator("#concepts").inner_text()
    assert page.locator("#along img").count() == 0
    assert "There are no pictures" in page.locator("body").inner_text()


def test_nothing_to_follow(tmp_path: Path, page: Page) -> None:
    from onnxdissect.experiments.rotation.measure import measure_rotations
    from onnxdissect.report.rotation import build_rotation

    run = rotated_run().save(tmp_path / "run", iou_threshold=0.999)
    page.goto(build_rotation(measure_rotations(run), run).as_uri())
    page.wait_for_selector("text=No unit detects a concept, at no alpha of any seed.")
    expect(page.locator("#count")).to_have_text("0 concepts")


def test_page_without_script(rotated: RotationResult, context: BrowserContext) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(where(rotated))
    assert page.locator("svg.rotation:visible").count() == 1
    assert "In relu6 at quantile 0.005" in page.locator("header p.lead:visible").inner_text()
    page.check("#choose-q1")
    expect(page.locator("header p.lead:visible")).to_contain_text("In relu6 at quantile 0.02")
    assert "rotation.json" in page.locator("noscript").inner_text()
    plain.close()
