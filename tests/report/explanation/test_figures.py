"""Figures of explanations, as they lie on the disk."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from support.drawn_explanations import drawn_explanation, drawn_unit

from onnxdissect.experiments.explanation import Explanation, segment_by_units
from onnxdissect.experiments.explanation.formats.segments import legend_record, write_legends
from onnxdissect.report.figures.explanation import draw_explanations
from onnxdissect.report.figures.explanation.marks import SEGMENT_COLOURS, ink, number_spots
from onnxdissect.report.figures.explanation.segments import painted


def drawn(height: int, width: int, units: int = 9) -> Explanation:
    """Each unit with a label of its own, each mask a third of the image or so."""
    rng = np.random.default_rng(height)
    found = [drawn_unit(k, f"concept {k}", 9.0 - k, detector=True, threshold=0.7) for k in range(units)]
    plain = drawn_explanation(found, rng.random((units, 4, 5)), height, width)
    return replace(plain, pixels=rng.integers(0, 256, (height, width, 3)).astype(np.uint8))


def test_the_map_holds_the_numbers_of_the_legend(tmp_path: Path) -> None:
    one = drawn(40, 60)
    written = draw_explanations([one], tmp_path)
    assert [path.name for path in written] == [
        *("01-array.png", "01-array.svg", "01-array-segments.png", "01-array-painted.png"),
        "01-array-painted.svg",
    ]
    write_legends([legend_record("array", "01-array-segments.png", segment_by_units(one))], tmp_path)
    segmentation = segment_by_units(one)
    assert len(segmentation.concepts) > 3
    with Image.open(tmp_path / "01-array-segments.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), segmentation.index)
        clear = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(clear[:, :, 3] == 0, segmentation.index == 0)
    told = json.loads((tmp_path / "segments.json").read_text(encoding="utf-8"))
    (image_told,) = told["images"]
    assert image_told["file"] == "01-array-segments.png"
    for entry, concept in zip(image_told["concepts"], segmentation.concepts, strict=True):
        assert (entry["number"], entry["concept"]) == (concept.number, concept.concept)
        assert entry["area"] == pytest.approx((segmentation.index == concept.number).mean())
        first = clear[segmentation.index == concept.number][0, :3]
        assert "#" + bytes(first.tolist()).hex() == SEGMENT_COLOURS[(concept.number - 1) % 8]
    svg = (tmp_path / "01-array-painted.svg").read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>(.*?)</text>", svg)
    for concept in segmentation.concepts:
        # in the image and in the legend
        assert texts.count(str(concept.number)) == 2
        assert concept.concept in texts


def test_numbers_stand_in_what_they_name() -> None:
    segmentation = segment_by_units(drawn(40, 60))
    spots = number_spots(segmentation.index, len(segmentation.concepts))
    assert [spot.number for spot in spots] == [concept.number for concept in segmentation.concepts]
    for spot in spots:
        assert segmentation.index[int(spot.row * 40), int(spot.column * 60)] == spot.number


def test_numbers_are_read_on_their_colours() -> None:
    def light(colour: str) -> float:
        values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        low, high = sorted((light(one), light(other)))
        return (high + 0.05) / (low + 0.05)

    assert len(set(SEGMENT_COLOURS)) == len(SEGMENT_COLOURS)
    for number, colour in enumerate(SEGMENT_COLOURS, 1):
        assert contrast(colour, ink(number)) >= 4.5


def test_where_nothing_is_painted_the_image_is_grey() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    index = np.zeros((5, 6), np.uint8)
    index[2:, 3:] = 1
    found = painted(image, index)
    assert (np.ptp(found[index == 0], axis=1) == 0).all()
    assert (np.ptp(found[index == 1], axis=1) > 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (300, 20)])
def test_images_of_any_shape_are_drawn(size: tuple[int, int], tmp_path: Path) -> None:
    written = draw_explanations([drawn(*size)], tmp_path)
    with Image.open(written[0]) as whole, Image.open(written[3]) as paint:
        # the text of a page, the column of a paper
        assert (whole.width, paint.width) == (1400, 660)


@pytest.mark.parametrize("name", ["bad\udcff", "broken\nline", "ctl\x01\x1b[31m"])
def test_names_that_no_font_has_are_drawn(name: str, tmp_path: Path) -> None:
    one = drawn(12, 16, 2)
    units = tuple(replace(unit, label=name) for unit in one.units)
    hostile = replace(one, image=f"folder/{name}.png", class_name=name, predicted_name=name, units=units)
    for path in draw_explanations([hostile], tmp_path):
        if path.suffix == ".svg":
            texts = "".join(ElementTree.parse(path).getroot().itertext())
            assert name[:3] in texts and name not in texts
