"""What a reader of the page of rotations can do, done; and that everyone can read it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
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
        (said,) = [p.inner_text() for p in page.locator("header p.lead").all() if p.is_visible()]
        assert f"In {rotated.layers[layer].alias} at quantile {rotated.quantiles[q]:g}" in said
        assert f"{curve.own}" in said
        assert page.locator("svg.rotation:visible").count() == 1
        page.wait_for_function(
            f"document.querySelector('#count').textContent.startsWith('{len(curve.concepts)} concept')"
        )


def test_concepts_are_sorted_by_their_fall_searched_and_chosen(rotated: RotationResult, page: Page) -> None:
    curve = rotated.curve("relu6")
    page.goto(where(rotated))
    names = listed(page)
    assert sorted(names) == sorted(one.concept for one in curve.concepts)
    falls = {one.concept: fall(one) for one in curve.concepts}
    assert all(falls[a] >= falls[b] - 1e-5 for a, b in pairwise(names))
    assert page.locator("#followed-title").inner_text().startswith(names[0])
    page.select_option("#sort", "before")
    before = {one.concept: one.iou[0][0] for one in curve.concepts}
    shown = [before[name] for name in listed(page)]
    assert shown == sorted(shown, reverse=True)
    page.select_option("#sort", "name")
    assert listed(page) == sorted(names, key=str.lower)
    page.fill("#find", names[0][:3].upper())
    assert listed(page) == sorted(name for name in names if names[0][:3].lower() in name.lower())
    page.fill("#find", "")
    category = curve.concepts[0].category
    page.select_option("#category", category)
    assert sorted(listed(page)) == sorted(o.concept for o in curve.concepts if o.category == category)
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
        assert page.locator("#along .alpha strong").all_inner_texts() == ["0", "0.5", "1"]
        assert units_shown(page) == [f"unit {unit}" for unit in concept.unit[s]]
        found = page.locator("#along .figures strong").all_inner_texts()
        assert found == [f"{iou:.3f}" for iou in concept.iou[s]]
        dull = [("missed" in (item.get_attribute("class") or "")) for item in page.locator("#along li").all()]
        assert dull == [not yes for yes in concept.detected[s]]
    assert "seed=1" in page.url
    assert f"concept={number}" in page.url
    page.keyboard.press("ArrowLeft")
    assert "seed=" not in page.url or "seed=0" in page.url
    assert units_shown(page) == [f"unit {unit}" for unit in concept.unit[0]]


def test_pictures_with_masks_and_annotations(rotated: RotationResult, page: Page) -> None:
    page.goto(where(rotated))
    see_pictures(page)
    page.wait_for_function("[...document.querySelectorAll('#along img')].every(i => i.complete)")
    assert all(page.evaluate("[...document.querySelectorAll('#along img')].map(i => i.naturalWidth)"))
    assert page.locator("#along .mask:visible").count() > 0
    assert page.locator("#along .annotation:visible").count() == 0
    page.keyboard.press("a")
    assert page.locator("#along .annotation:visible").count() > 0
    page.keyboard.press("m")
    assert page.locator("#along .mask:visible").count() == 0
    page.keyboard.press("a")
    assert page.locator("#along .annotation:visible").count() == 0
    page.click("#show button[value=mask]")
    assert page.locator("#along .mask:visible").count() > 0


def test_a_view_can_be_linked(rotated: RotationResult, page: Page) -> None:
    curve = rotated.curve("relu4", 0.02)
    concept = curve.concepts[-1]
    number = numbers_of(rotated)[concept.concept, concept.category]
    slug = "relu4"
    page.goto(where(rotated, f"layer={slug}&q=1&seed=1&sort=name&concept={number}&show=annotation"))
    page.wait_for_selector("#choose-l0:checked")
    page.wait_for_selector("#choose-q1:checked")
    page.wait_for_selector("#along li")
    assert page.locator("#followed-title").inner_text().startswith(concept.concept)
    assert units_shown(page) == [f"unit {unit}" for unit in concept.unit[1]]
    assert page.input_value("#sort") == "name"
    before = page.url
    page.reload()
    page.wait_for_selector("#along li")
    assert page.url == before
    assert units_shown(page) == [f"unit {unit}" for unit in concept.unit[1]]
    page.goto(where(rotated, "layer=none&q=99&seed=-4&concept=x&sort=y&show=z"))
    page.wait_for_selector("#along li")


def test_keys(rotated: RotationResult, page: Page) -> None:
    page.goto(where(rotated))
    names = listed(page)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    page.focus("#concepts button")
    page.keyboard.press("ArrowDown")
    assert page.locator("#followed-title").inner_text().startswith(names[1])
    page.keyboard.press("ArrowUp")
    assert page.locator("#followed-title").inner_text().startswith(names[0])


def test_the_table_of_layers_leads_to_each(rotated: RotationResult, page: Page) -> None:
    page.goto(where(rotated))
    page.click("table.layers a >> nth=1")
    assert page.locator("#choose-l0").is_checked()
    assert page.locator("#choose-q1").is_checked()
    assert "layer=relu4" in page.url


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
    assert page.locator("#count").inner_text() == "0 concepts"


def test_page_without_script(rotated: RotationResult, context: BrowserContext) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(where(rotated))
    assert page.locator("svg.rotation:visible").count() == 1
    assert "In relu6 at quantile 0.005" in page.locator("header p.lead:visible").inner_text()
    page.check("#choose-q1")
    assert "In relu6 at quantile 0.02" in page.locator("header p.lead:visible").inner_text()
    assert "rotation.json" in page.locator("noscript").inner_text()
    plain.close()
