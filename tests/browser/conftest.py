"""A real browser over real reports; needs Chromium and the packages of the dev extra."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

TESTS = Path(__file__).parents[1]
# the data sets and networks of the other tests
sys.path.insert(0, str(TESTS))

# what a page comes to show is compared there
pytest.register_assert_rewrite("support.browsing")

from support.browsing import PATIENCE  # noqa: E402 - once its assertions are rewritten
from support.once import made_once  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from onnxdissect.results import Dissection

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skip before anything is made: the runs and reports that the pages show take long."""
    pytest.importorskip("playwright.sync_api", reason="needs Playwright, of the dev extra")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright import sync_api

    sync_api.expect.set_options(timeout=1000 * PATIENCE)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    context.set_default_timeout(1000 * PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that must neither print_problem nor ask for anything that is not on the disk."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on(
        "requestfailed",
        # a page that is left gives up the pictures it is waiting for
        lambda request: (
            None if request.failure == "net::ERR_ABORTED" else said.append(f"not found: {request.url}")
        ),
    )
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:")) else said.append(request.url),
    )
    yield page
    assert said == []


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    """The shipped network on drawn scenes, with its report."""
    from onnxdissect import dissect, load
    from onnxdissect.report import build

    def make(folder: Path) -> None:
        network = TESTS.parent / "models" / "tiny_scenes.onnx"
        dissection = dissect(
            network,
            "tiny",
            ["relu4", "relu6"],
            quantiles=[0.005, 0.02],
            limit=150,
            bootstrap=300,
            null=2,
            out=folder / "run",
        )
        build(dissection)

    return load(made_once(tmp_path_factory, "real", make) / "run")


@pytest.fixture(scope="session")
def report(run: Dissection) -> Path:
    return run.path / "report"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report without pictures, of a run in which everything is called something dangerous."""
    from support.fake_counts import fake_run

    from onnxdissect.report import build

    plain = fake_run(units=(12,), quantiles=(0.005, 0.02))
    run = replace(
        plain,
        manifest={**plain.manifest, "model": {**plain.manifest["model"], "path": NASTY}, "warnings": [NASTY]},
        concepts=tuple(replace(c, name=f"{NASTY}{c.number}") for c in plain.concepts),
        layers=tuple(replace(layer, name=NASTY, alias=NASTY) for layer in plain.layers),
        images=tuple(replace(image, name=NASTY) for image in plain.images),
    )
    return build(run.save(tmp_path_factory.mktemp("hostile") / "run")).parent


NASTY = "\"'><script>document.title='owned'</script>&amp;/日本"


@pytest.fixture
def nasty() -> str:
    """A name that would take a page over if it were not escaped."""
    return NASTY
