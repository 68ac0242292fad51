"""What a reader of the page of an ablation can do, done; and that everyone can read it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.ablated import UNITS, ablated_world
from support.browsing import comes_to, expect
from support.report_addresses import address

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Dialog, Page

    from onnxdissect import AblationResult


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ablated_world(tmp_path_factory.mktemp("removed"))


@pytest.fixture(scope="module")
def found(world: Path) -> AblationResult:
    import onnxdissect
    from onnxdissect.report import build
    from onnxdissect.report.ablation import build_ablation

    build(onnxdissect.load(world / "run"))
    result = onnxdissect.ablate(
        world / "net.onnx",
        world / "labelled",
        world / "run",
        groups=["concept", "category"],
        top_n=[1, 2, 4],
        repeats=2,
        resamples=20,
        out=world / "out",
    )
    build_ablation(result, world / "out")
    return result


def where(world: Path, fragment: str = "") -> str:
    return address(world / "out", "index.html", fragment)


def listed(page: Page) -> list[int]:
    rows = page.locator("#list tr[data-unit]")
    return [int(one.get_attribute("data-unit") or -1) for one in rows.all()]


def test_classes_groups_and_curves_are_those_of_the_result(
    world: Path, found: AblationResult, page: Page
) -> None:
    page.goto(where(world))
    expect(page.locator("header .lead")).to_contain_text("most important units of each class")
    rows = page.locator("#classes tbody tr")
    expect(rows).to_have_count(len(found.classes))
    for place, one in enumerate(found.classes):
        row = rows.nth(place)
        expect(row.locator("th")).to_have_text(one.class_name)
        removed = next(r for r in found.curve(one.class_index, "removed") if r.n == 4)
        expect(row).to_contain_text(f"{100 * removed.value.accuracy:.1f} %")
        for unit in one.important[:4]:
            link = row.locator(f"a[href$='#unit={unit}']")
            expect(link).to_have_text(str(unit))
    groups = page.locator("#groups tbody tr")
    expect(groups).to_have_count(len(found.groups))
    for place, group in enumerate(found.groups):
        expect(groups.nth(place).locator("th")).to_have_text(group.name)
        expect(groups.nth(place)).to_contain_text(f"{100 * group.value.accuracy:.1f} %")
    # of the mean twice, as there are its ROC areas
    expect(page.locator(".charts svg")).to_have_count(2 + len(found.classes))
    for kind in ("removed", "kept", "random removed", "random kept"):
        titles = page.locator(f".charts svg:first-child .{kind.replace(' ', '-')} title").all_text_contents()
        for title, mean in zip(titles, found.curve(None, kind), strict=True):
            assert f": {100 * mean.value.accuracy:.1f} %" in title
    expect(page.locator("svg.needs .detectors circle, svg.needs .others circle")).to_have_count(UNITS)


def test_units_are_filtered_and_the_address_keeps_it(world: Path, found: AblationResult, page: Page) -> None:
    order = sorted(found.needs, key=lambda one: (-len(one.classes), -one.iou, one.unit))
    page.goto(where(world))
    comes_to(lambda: sorted(listed(page)), list(range(UNITS)))
    assert listed(page)[0] == order[0].unit
    page.locator("#needed").select_option("1")
    needed = [one.unit for one in order if one.classes]
    assert 0 < len(needed) < UNITS
    comes_to(lambda: sorted(listed(page)), sorted(needed))
    expect(page.locator("#count")).to_have_text(f"{len(needed)} of {UNITS} units")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    name = order[0].classes[0]
    page.keyboard.type(name.upper())
    comes_to(
        lambda: sorted(listed(page)),
        sorted(one.unit for one in order if name in one.classes or name in one.label),
    )
    kept = listed(page)
    page.reload()
    comes_to(lambda: listed(page), kept)
    expect(page.locator("#find")).to_have_value(name.upper())


def test_units_lead_to_their_cards(world: Path, found: AblationResult, page: Page) -> None:
    page.goto(where(world))
    link = page.locator("#list a").first
    unit = int((link.get_attribute("href") or "").rpartition("=")[2])
    link.click()
    expect(page).to_have_url(re.compile(f"deep.html#unit={unit}$"))
    expect(page.locator("#unit-title")).to_contain_text(found.needs[unit].label)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme: Any, world: Path, found: AblationResult, page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.goto(where(world))
    page.wait_for_selector("#list tr[data-unit]")
    for summary in page.locator("details summary").all():
        summary.click()
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast"]
    violations = axe.run(page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in violations] == []


@pytest.mark.parametrize("width", [360, 1000, 1280])
def test_nothing_hangs_over(width: int, world: Path, found: AblationResult, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(where(world))
    page.wait_for_selector("#list tr[data-unit]")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_names_do_no_harm_and_one_class_of_a_run_that_is_gone(
    world: Path, found: AblationResult, tmp_path: Path, page: Page
) -> None:
    from onnxdissect.report.ablation import build_ablation

    nasty = "<script>alert(1)</script>\u202e" + "w" * 300
    target = replace(found.classes[0], class_name=nasty)
    needs = tuple(replace(one, label=nasty, classes=(nasty,), worst_class=nasty) for one in found.needs)
    build_ablation(
        replace(
            found,
            classes=(target,),
            needs=needs,
            groups=(),
            removals=tuple(one for one in found.removals if one.class_index in (None, target.class_index)),
            request={**found.request, "run": "gone"},
        ),
        tmp_path,
    )
    alerts: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(address(tmp_path, "index.html"))
    expect(page.locator("#list tr[data-unit]")).to_have_count(UNITS)
    expect(page.locator("#classes tbody th")).to_have_text(nasty)
    expect(page.locator(".charts svg")).to_have_count(2)
    expect(page.locator("#groups")).to_have_count(0)
    expect(page.locator("#list a, #classes a")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert not alerts


def test_without_script_tables_and_curves_are_there(
    world: Path, found: AblationResult, context: BrowserContext
) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(where(world))
    expect(page.locator(".note code")).to_have_text("ablation.json")
    expect(page.locator("#classes tbody tr")).to_have_count(len(found.classes))
    plain.close()
