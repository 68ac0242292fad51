"""Reports of made-up runs, read back: the elements of a page, the units' scripts, the files."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from onnxdissect import Dissection
from onnxdissect.report import build
from onnxdissect.report.data.report_data import Report
from onnxdissect.report.figures.beside import FigureProcess
from onnxdissect.report.pages.scripts import read_script
from onnxdissect.results import LayerInfo
from support.fake_counts import FakeRun

VOID = {"meta", "link", "img", "input"}


class Page(HTMLParser):
    """Elements of a page, and the text in each; complains about tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.text += " "  # what stands in two elements does not run together
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.text += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(value in attrs.get(key, "").split() for key, value in wanted.items())
        ]


class Undrawn(FigureProcess):
    """Has no figures drawn."""

    def start(self) -> None: ...

    def draw(self, report: Report, folder: Path) -> None: ...

    def has_drawn(self) -> bool:
        return True


def build_pages(dissection: Dissection, **given: Any) -> Path:
    """Build a report without its figures, which take longer than all else in it, where they are no matter."""
    return build(dissection, figures=Undrawn(), **given)


def with_images(run: FakeRun, folder: Path, pixel: Any = (255, 255, 255)) -> FakeRun:
    """Give a made-up run images on disk, a little larger than their thumbnails."""
    for image in run.images:
        path = folder / "images" / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((140, 160, 3), pixel, np.uint8))
    return replace(run, manifest={**run.manifest, "data": {**run.manifest["data"], "folder": str(folder)}})


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def unit_file(report: Path, slug: str, unit: int) -> dict[str, Any]:
    """What a unit's script hands to the page."""
    where, which, content = read_script(report / "units" / slug / f"{unit}.js")
    assert (where, which) == (slug, unit)
    assert isinstance(content, dict)
    return content


def layer_page(report: Path, info: LayerInfo) -> Page:
    return Page(report / "layers" / f"{info.slug}.html")
