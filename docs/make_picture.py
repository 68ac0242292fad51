"""Make docs/picture.png: the top of the report of a real run of the shipped network, seen by a real browser.

    python docs/make_picture.py [RUN]

Needs Chromium. Without a run directory the shipped network is dissected first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import onnxdissect
from onnxdissect.errors import import_cv2
from onnxdissect.report import build

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "picture.png"
WIDTH, HEIGHT = 1280, 1592
# From the heading of the deepest layer's chart on: what a reader wants to see first.
TOP = 700


def screenshot(page: Path, target: Path, profile: str) -> None:
    """Photograph a page from disk."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("no Chromium found; apt-get install chromium")
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
    offline = ("--disable-background-networking", "--disable-component-update", "--disable-quic")
    subprocess.run(
        [
            chromium,
            *quiet,
            *offline,
            f"--user-data-dir={profile}",
            f"--window-size={WIDTH},{HEIGHT}",
            "--hide-scrollbars",
            f"--screenshot={target}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )


def main() -> None:
    """Dissect, build the page, photograph it, cut the picture out."""
    cv2 = import_cv2()
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            run = onnxdissect.load(sys.argv[1])
        else:
            model = ROOT / "models" / "tiny_scenes.onnx"
            run = onnxdissect.dissect(model, out=Path(folder) / "run")
        whole = Path(folder) / "page.png"
        screenshot(build(run), whole, f"{folder}/profile")
        picture = cv2.imread(str(whole))[TOP:HEIGHT]
        cv2.imwrite(str(PICTURE), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(PICTURE)


if __name__ == "__main__":
    main()
