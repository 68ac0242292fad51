"""Files of which something was changed: they are read, or refused in words, and nothing else happens."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.samples import coco, cvat, labelme

from onnxdissect.data.importers.formats.coco.reading import read_coco
from onnxdissect.data.importers.formats.cvat.reading import read_cvat
from onnxdissect.data.importers.formats.labelme import read_labelme
from onnxdissect.data.importers.imported import ImportedData
from onnxdissect.errors import DataError

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, -1, 0, 1, 7, 2**31, 2**70, 0.5, -1e308, "", "a", "\0", "../..", "é" * 300, "\ud800"),
        *([], {}, [[]], [None], [[1, 2]], [[1, 2, 3, 4, 5, 6]], {"a": 1}, {"counts": [1], "size": [1, 1]}),
    ]
)
SETTINGS = settings(max_examples=80, deadline=None)


def looked_at(read: Callable[[], ImportedData], shape: tuple[int, int]) -> None:
    """Read, and ask for every annotation; what is given holds listed labels only."""
    try:
        data = read()
        numbers = {label.number for label in data.labels}
        for image in data.images:
            for category, items in image.annotations(shape).items():
                assert category in data.categories
                for item in items:
                    held = {item} if isinstance(item, int) else set(np.unique(item).tolist()) - {0}
                    assert held <= numbers and (isinstance(item, int) or item.shape == shape)
    except DataError as error:
        assert error.message and "\n" not in error.message


def changed(value: Any, draw: Callable[[Any], Any]) -> Any:
    """A copy in which one value somewhere is another, or is gone, or comes twice."""
    value = copy.deepcopy(value)
    holder: Any = value
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return value
        key = draw(st.sampled_from(keys))
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
            holder = inner
            continue
        what = draw(st.integers(0, 5))
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, list):
            holder.append(inner)
        else:
            holder[key] = draw(ODD)
        return value


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    for sample in (coco, cvat, labelme):
        sample.make(folder)
    return folder


@SETTINGS
@given(data=st.data(), name=st.sampled_from(["instances", "stuff", "panoptic"]), times=st.integers(1, 3))
def test_coco(places: Path, data: st.DataObject, name: str, times: int) -> None:
    path = places / "COCO" / "annotations" / f"{name}_val2017.json"
    content = path.read_text(encoding="utf-8")
    value = json.loads(content)
    for _ in range(times):
        value = changed(value, data.draw)
    try:
        path.write_text(json.dumps(value), encoding="utf-8")
        looked_at(lambda: read_coco(places / "COCO", [path]), (coco.HEIGHT, coco.WIDTH))
    finally:
        path.write_text(content, encoding="utf-8")


@SETTINGS
@given(data=st.data(), times=st.integers(1, 3))
def test_labelme(places: Path, data: st.DataObject, times: int) -> None:
    path = places / "drawn" / "a" / "one.json"
    content = path.read_text(encoding="utf-8")
    value = json.loads(content)
    value["shapes"] += labelme.shapes()["b.png"]
    for _ in range(times):
        value = changed(value, data.draw)
    try:
        path.write_text(json.dumps(value), encoding="utf-8")
        looked_at(lambda: read_labelme(places / "drawn"), (labelme.HEIGHT, labelme.WIDTH))
    finally:
        path.write_text(content, encoding="utf-8")


WORDS = st.sampled_from(
    ["", "0", "-1", "1e999", "nan", "9" * 400, "a", ";", ",", "1,2;3", "<", ">", '"', "&lt;", "é"]
)


@SETTINGS
@given(data=st.data(), times=st.integers(1, 3))
def test_cvat(places: Path, data: st.DataObject, times: int) -> None:
    path = places / "task" / "annotations.xml"
    content = path.read_text(encoding="utf-8")
    text = content
    for _ in range(times):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 1, 2, 10]))
        text = text[:at] + data.draw(WORDS) + text[at + length :]
    try:
        path.write_text(text, encoding="utf-8")
        read = data.draw(st.sampled_from([None, "scene", "object"]))
        looked_at(lambda: read_cvat(places / "task", path, tags=read), (cvat.HEIGHT, cvat.WIDTH))
    finally:
        path.write_text(content, encoding="utf-8")
