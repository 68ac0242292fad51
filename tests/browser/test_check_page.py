"""The page of a check in a real browser: complete without a network, legible, and inert whatever is in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from onnxdissect.check.verdict import Verdict
    from onnxdissect.results import Dissection

NASTY = "\"'><script>document.title='owned'</script>&amp;/日本"


@pytest.fixture(scope="module")
def checked(run: Dissection, tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdict, Path]:
    """The network before training against the trained one."""
    from support.checking import ROOT

    from onnxdissect.check.gate import check_model

    path = tmp_path_factory.mktemp("verdict") / "check.html"
    verdict = check_model(ROOT / "models" / "tiny_scenes_untrained.onnx", run.path, page=path)
    return verdict, path


def test_what_failed_comes_first_with_pictures(checked: tuple[Verdict, Path], page: Page) -> None:
    verdict, path = checked
    page.goto(path.as_uri())
    assert page.inner_text("h1").lower() == verdict.summary
    outcomes = [cell.split()[0] for cell in page.locator("tbody tr td:first-child").all_inner_texts()]
    order = ["error", "warning", "passed"]
    assert outcomes == sorted(outcomes, key=order.index)
    assert len(outcomes) == len(verdict.findings)
    sections = page.locator("section.unit")
    assert sections.count() == min(24, len(verdict.changed))
    first = verdict.changed[0]
    assert f"unit {first.unit}: {first.before}" in sections.nth(0).inner_text()
    sections.nth(0).scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].some(i => i.complete)")
    page.wait_for_timeout(100)
    widths = page.evaluate("[...document.images].filter(i => i.complete).map(i => i.naturalWidth)")
    assert widths
    assert all(widths)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_and_nothing_hangs_over(
    scheme: Any, width: int, checked: tuple[Verdict, Path], page: Page
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.goto(checked[1].as_uri())
    found = axe.run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) == 0


def test_names_are_text(checked: tuple[Verdict, Path], page: Page, tmp_path: Path) -> None:
    from onnxdissect.check.outputs.page import render_check
    from onnxdissect.data import open_dataset
    from onnxdissect.tiny import ensure_tiny

    verdict, _ = checked
    hostile = replace(
        verdict,
        model=NASTY,
        findings=tuple(replace(f, layer=NASTY, message=NASTY, evidence=(NASTY,)) for f in verdict.findings),
        statements=(NASTY,),
        changed=(),
    )
    path = tmp_path / "hostile.html"
    path.write_text(render_check(hostile, None, None, open_dataset(ensure_tiny())), encoding="utf-8")
    page.goto(path.as_uri())
    assert page.title().startswith("check failed")
    assert page.locator("script").count() == 0
    assert NASTY in page.inner_text("tbody")
