"""The report in a real browser; skipped where there is no Chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fake_counts import fake_run
from test_report import with_images

from onnxdissect.report import build

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

# Opens the page in a frame as wide as a telephone or a desktop, and writes down what it sees there.
HARNESS = """<!DOCTYPE html>
<iframe id="frame" src="{page}" width="{width}" height="3000"></iframe>
<pre id="seen"></pre>
<script>
const errors = [];
const frame = document.getElementById("frame");
const shown = (page, selector) =>
  [...page.querySelectorAll(selector)].filter(e => e.getClientRects().length > 0).map(e => e.className);
frame.onload = () => setTimeout(() => {{
  const page = frame.contentDocument, root = page.documentElement;
  const seen = {{
    overflow: root.scrollWidth - root.clientWidth,
    before: shown(page, ".view"),
    pictures: [...page.images].filter(i => i.getClientRects().length).map(i => [i.complete, i.naturalWidth]),
    labels: [...page.querySelectorAll("svg.bars .concept")]
      .filter(e => e.getClientRects().length)
      .map(e => e.getBoundingClientRect().bottom - e.closest("svg").getBoundingClientRect().bottom),
  }};
  page.getElementById("choose-q1").click();
  seen.after = shown(page, ".view");
  frame.contentWindow.location.hash = page.querySelector(".q1 svg.bars a").getAttribute("href");
  seen.target = page.querySelector(":target").className;
  seen.target_shown = page.querySelector(":target").getClientRects().length;
  document.getElementById("seen").textContent = JSON.stringify(seen);
}}, 500);
</script>
"""


def look(page: Path, width: int, folder: Path) -> Any:
    """What the harness sees of a page."""
    assert CHROMIUM is not None
    harness = folder / "harness.html"
    harness.write_text(HARNESS.format(page=page.as_uri(), width=width), encoding="utf-8")
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=20000",
        "--window-size=1400,3200",
        "--dump-dom",
        harness.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    seen = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout.decode(), re.DOTALL)
    assert seen is not None
    return json.loads(html.unescape(seen[1]))


@pytest.mark.parametrize("width", [390, 1280])
def test_page_in_chromium(width: int, tmp_path: Path) -> None:
    run = with_images(fake_run(quantiles=(0.005, 0.02), units=(8, 40)), tmp_path / "broden")
    page = build(run.save(tmp_path / "run"))
    seen = look(page, width, tmp_path)
    assert seen["overflow"] == 0
    assert seen["before"]
    assert all(name.endswith("q0") for name in seen["before"])
    assert len(seen["after"]) == len(seen["before"])
    assert all(name.endswith("q1") for name in seen["after"])
    loaded = [natural for complete, natural in seen["pictures"] if complete]
    assert loaded
    assert set(loaded) == {5 * 115 + 3}
    assert seen["labels"]
    assert all(below <= 0 for below in seen["labels"])
    assert seen["target"].startswith("unit")
    assert seen["target_shown"] == 1
