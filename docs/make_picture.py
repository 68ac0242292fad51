"""Make docs/picture.png: the overview of a real run of the shipped network, seen by a real browser.

    python docs/make_picture.py [RUN]

Needs Chromium and Playwright (the dev extra). Without a run directory the shipped network is dissected first.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import onnxdissect
from onnxdissect.report import build

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "picture.png"
WIDTH, HEIGHT = 1280, 1186


def screenshot(address: str, target: Path) -> None:
    """Photograph a page from disk, once its pictures are there."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("no Playwright found; sh setup.sh dev")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("no Chromium found; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(address)
        page.wait_for_selector(".card svg.mask")
        page.wait_for_load_state("networkidle")
        page.wait_for_function("[...document.images].every(image => image.complete)")
        page.screenshot(path=target)
        browser.close()


def main() -> None:
    """Dissect, build the page, photograph it."""
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            run = onnxdissect.load(sys.argv[1])
        else:
            model = ROOT / "models" / "tiny_scenes.onnx"
            run = onnxdissect.dissect(model, out=Path(folder) / "run")
        screenshot(build(run).as_uri(), PICTURE)
    print(PICTURE)


if __name__ == "__main__":
    main()
