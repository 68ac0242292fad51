"""What a reader of the page of right and wrong predictions can do, done; and that everyone can read it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browsing import comes_to, expect
from support.explained import CLASSES, network_of_world
from support.labelled import SHOWN, labelled_folder, labelled_scenes
from support.report_addresses import address
from support.small_runs import broden, dissect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from onnxdissect import LabelledExplanations


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one layer, so that its report is soon drawn."""
    folder = tmp_path_factory.mktemp("predictions")
    network_of_world(folder / "net.onnx")
    broden(folder / "data", 12, 0)
    dissect(folder, layers=["deep"], bootstrap=20, null=0)
    return folder


@pytest.fixture(scope="module")
def found(world: Path) -> LabelledExplanations:
    """Few enough pictures that some images have none."""
    import onnxdissect
    from onnxdissect.experiments.confusions import write_predictions
    from onnxdissect.report import build
    from onnxdissect.report.confusions import build_confusions

    result = onnxdissect.explain_labelled(
        world / "net.onnx", labelled_scenes(), world / "run", top=3, examples=6, resamples=50
    )
    build(onnxdissect.load(world / "run"))
    write_predictions(result, world / "out")
    build_confusions(result, world / "out")
    return result


def where(world: Path, fragment: str = "") -> str:
    return address(world / "out", "index.html", fragment)


def listed(page: Page, side: str) -> list[int]:
    cards = page.locator(f"#{side} > li[data-image]")
    return [int(one.get_attribute("data-image") or -1) for one in cards.all()]


def examples(found: LabelledExplanations, right: bool, **wanted: Any) -> list[int]:
    shown = []
    for example in found.examples:
        image = found.images[example.image]
        units = [one.unit for one in image.units]
        labels = [found.labels[unit][0] for unit in units]
        if (
            image.right == right
            and wanted.get("shows", image.class_index) == image.class_index
            and wanted.get("predicted", image.predicted_index) == image.predicted_index
            and ("unit" not in wanted or wanted["unit"] in units)
            and ("concept" not in wanted or any(wanted["concept"] in label for label in labels))
        ):
            shown.append(example.image)
    return shown


CHUNK = 12  # cards that are drawn before the reader comes near the end of a list


def sides_come_to(page: Page, found: LabelledExplanations, **wanted: Any) -> None:
    for side, right in (("right", True), ("wrong", False)):
        expected = examples(found, right, **wanted)

        def begins(side: str = side) -> list[int]:
            return listed(page, side)[:CHUNK]

        comes_to(begins, expected[:CHUNK])


def see_pictures(page: Page) -> None:
    page.wait_for_selector("#right > li[data-image]")
    for item in page.locator(".predictions > li[data-image]").all()[:8]:
        item.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('.predictions li[data-image]')].slice(0, 4)"
        ".every(item => [...item.querySelectorAll('img')].every(i => i.complete && i.naturalWidth))"
    )


def test_right_and_wrong_stand_side_by_side(world: Path, found: LabelledExplanations, page: Page) -> None:
    page.goto(where(world))
    sides_come_to(page, found)
    wrong = sum(not one.right for one in found.images)
    shown = len(examples(found, False))
    assert shown < wrong
    expect(page.locator("#wrong-count")).to_have_text(f"{shown} of {wrong} images shown")
    expect(page.locator("header .lead")).to_contain_text(f"{found.right} of {SHOWN} images are told right")
    right, other = (page.locator(f"#{side}").bounding_box() for side in ("right", "wrong"))
    assert right and other and right["x"] + right["width"] <= other["x"]
    see_pictures(page)
    first = found.images[examples(found, False)[0]]
    card = page.locator("#wrong > li").first
    expect(card.locator(".said")).to_have_text(
        f"{CLASSES[first.predicted_index]} predicted, shows {CLASSES[first.class_index]}"
    )
    tiles = card.locator(".pictures > li[data-unit]")
    expect(tiles).to_have_count(len(first.units))
    for place, unit in enumerate(first.units):
        text = tiles.nth(place).inner_text()
        mark = "●" if unit.held else "○"
        assert text.split("\n")[0].strip() == f"{mark} {found.labels[unit.unit][0]}"
        assert f"unit {unit.unit} · {round(100 * unit.share)} %" in text
        expect(tiles.nth(place).locator("svg.mask path.line")).to_be_visible()


def test_images_are_chosen_by_class_concept_and_unit(
    world: Path, found: LabelledExplanations, page: Page
) -> None:
    page.goto(where(world))
    page.select_option("#class", "1")
    sides_come_to(page, found, shows=1)
    page.select_option("#predicted", "0")
    sides_come_to(page, found, shows=1, predicted=0)
    expect(page.locator("#right-count")).to_have_text("0 images")
    page.click("#all")
    sides_come_to(page, found)
    image = found.images[examples(found, False)[0]]
    unit = image.units[0].unit
    page.fill("#unit", str(unit))
    sides_come_to(page, found, unit=unit)
    page.wait_for_selector(f"#wrong .asked[data-unit='{unit}']")
    assert page.locator(f".asked:not([data-unit='{unit}'])").count() == 0
    page.fill("#unit", "")
    concept = found.labels[unit][0]
    page.fill("#concept", f" {concept.upper()} ")
    sides_come_to(page, found, concept=concept)
    page.fill("#concept", "nothing is called so")
    expect(page.locator("#wrong-count")).to_have_text("0 images shown")
    expect(page.locator("#wrong > li")).to_have_count(0)


def test_a_view_can_be_linked(world: Path, found: LabelledExplanations, page: Page) -> None:
    unit = found.images[examples(found, False)[0]].units[0].unit
    page.goto(where(world, f"class=1&unit={unit}"))
    sides_come_to(page, found, shows=1, unit=unit)
    expect(page.locator("#class")).to_have_value("1")
    expect(page.locator("#unit")).to_have_value(str(unit))
    page.reload()
    sides_come_to(page, found, shows=1, unit=unit)
    page.goto(where(world, "class=99&predicted=x&unit=-3"))
    page.wait_for_function("document.getElementById('right-count').textContent.startsWith('0 ')")


def test_the_matrix_counts_and_chooses(world: Path, found: LabelledExplanations, page: Page) -> None:
    page.goto(where(world))
    cells = page.locator(".matrix .cell")
    assert cells.count() == len(found.confusions) + sum(one.right > 0 for one in found.classes)
    for one in found.confusions:
        cell = page.locator(
            f".matrix .cell[data-shown='{one.class_index}'][data-told='{one.predicted_index}']"
        )
        expect(cell).to_have_text(str(one.images))
        expect(cell).to_have_class(re.compile("wrong"))
    one = found.confusions[0]
    page.click(f".matrix .cell[data-shown='{one.class_index}'][data-told='{one.predicted_index}']")
    sides_come_to(page, found, shows=one.class_index, predicted=one.predicted_index)
    expect(page).to_have_url(re.compile(f"class={one.class_index}&predicted={one.predicted_index}"))
    expect(page.locator("#images-title")).to_be_in_viewport()


def test_confusions_name_detectors_with_their_rates(
    world: Path, found: LabelledExplanations, page: Page
) -> None:
    page.goto(where(world))
    details = page.locator("details.confusion")
    expect(details).to_have_count(len(found.confusions))
    for place, one in enumerate(found.confusions):
        item = details.nth(place)
        expect(item.locator("summary")).to_contain_text(f"{one.class_name} → {one.predicted_name}")
        if item.get_attribute("open") is None:
            item.locator("summary").click()
        rows = item.locator("tbody tr")
        expect(rows).to_have_count(len(one.fired) + len(one.silent))
        for at, unit in enumerate((*one.fired, *one.silent)):
            text = rows.nth(at).inner_text()
            assert unit.label in text and f"unit {unit.unit}" in text
            assert f"{unit.fired} of {unit.images}" in text
            if unit.base_images:
                assert f"{unit.base_fired} of {unit.base_images}" in text
            link = rows.nth(at).locator("a").get_attribute("href")
            assert link is not None
            assert link.startswith("../run/report/layers/") and link.endswith(f"#unit={unit.unit}")
    detailed = next(i for i, one in enumerate(found.confusions) if one.detailed)
    details.nth(detailed).locator("button.chooses").click()
    one = found.confusions[detailed]
    sides_come_to(page, found, shows=one.class_index, predicted=one.predicted_index)


def test_units_lead_to_their_cards(world: Path, found: LabelledExplanations, page: Page) -> None:
    page.goto(where(world))
    link = page.locator("details.confusion[open] tbody a").first
    unit = int((link.get_attribute("href") or "").rpartition("=")[2])
    link.click()
    expect(page.locator("#unit-title")).to_contain_text(found.labels[unit][0])
    expect(page).to_have_url(re.compile(f"deep.html#unit={unit}$"))


def test_held_concepts_stand_in_a_table(world: Path, found: LabelledExplanations, page: Page) -> None:
    page.goto(where(world))
    assert found.held is not None
    first = page.locator("table.held tbody tr").first
    for value in (found.held.strongest.right.value, found.held.strongest.wrong.value):
        assert value is not None
        expect(first).to_contain_text(f"{100 * value:.1f} %")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme: Any, world: Path, found: LabelledExplanations, page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.goto(where(world, f"unit={found.images[examples(found, False)[0]].units[0].unit}"))
    see_pictures(page)
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast"]
    violations = axe.run(page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in violations] == []


@pytest.mark.parametrize("width", [360, 1000, 1280])
def test_nothing_hangs_over(width: int, world: Path, found: LabelledExplanations, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(where(world))
    page.wait_for_selector("#right > li[data-image]")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_keys_reach_the_search(world: Path, found: LabelledExplanations, page: Page) -> None:
    page.goto(where(world))
    page.wait_for_selector("#right > li[data-image]")
    page.keyboard.press("/")
    expect(page.locator("#concept")).to_be_focused()


def test_folders_have_no_held_concepts_and_names_do_no_harm(
    world: Path, nasty: str, tmp_path: Path, page: Page
) -> None:
    import onnxdissect
    from onnxdissect.report.confusions import build_confusions

    photos = labelled_folder(tmp_path / "photos")
    plain = onnxdissect.explain_labelled(world / "net.onnx", photos, world / "run", top=2, examples=2)
    result = replace(
        plain,
        model=nasty,
        source=nasty,
        layer=nasty,
        alias=nasty,
        images=tuple(replace(one, name=nasty) for one in plain.images),
        classes=tuple(replace(one, class_name=f"{nasty}{one.class_index}") for one in plain.classes),
        confusions=tuple(
            replace(
                one,
                class_name=nasty,
                predicted_name=nasty,
                fired=tuple(replace(unit, label=nasty) for unit in one.fired),
                silent=tuple(replace(unit, label=nasty) for unit in one.silent),
            )
            for one in plain.confusions
        ),
        labels=tuple((nasty, category) for _, category in plain.labels),
        run=str(tmp_path / nasty.replace("/", "")),
    )
    page.goto(build_confusions(result, tmp_path / "page").as_uri())
    page.wait_for_selector("#wrong > li[data-image]")
    expect(page.locator("#wrong .said").first).to_contain_text(nasty)
    expect(page.locator("table.held")).to_have_count(0)
    assert page.title() != "owned"
