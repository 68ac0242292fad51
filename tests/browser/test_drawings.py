"""Masks, annotations and heat as the report draws them are those that were counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from support.browsing import expect
from support.report_addresses import LAYER, by_iou, layer_address

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from onnxdissect.results import Dissection


def raster(path: str, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill an outline of upright edges by the even-odd rule, cell by cell."""
    inside = np.zeros(grid, np.bool_)
    for loop in re.findall(r"M([^Z]*)Z", path):
        corners = [tuple(map(int, corner.split())) for corner in loop.split("L")]
        for (x, y), (other_x, other_y) in zip(corners, corners[1:] + corners[:1], strict=True):
            if x == other_x:
                inside[min(y, other_y) : max(y, other_y), x:] ^= True
    return inside


# The outline, its coordinates, and whether it lies exactly over the photograph.
_SEEN = """all => all.map(svg => [
  svg.querySelector(".line")?.getAttribute("d") ?? "",
  svg.getAttribute("viewBox"),
  JSON.stringify(svg.getBoundingClientRect()) ===
    JSON.stringify(svg.parentElement.querySelector("img").getBoundingClientRect()),
])"""


@pytest.mark.parametrize("quantile", [0, 1])
def test_masks_drawn_are_the_masks_counted(quantile: int, run: Dissection, page: Page) -> None:
    counts = run.counts(LAYER)
    for unit in [u.unit for u in by_iou(run, quantile)][:3]:
        page.goto(layer_address(run, f"q={quantile}&unit={unit}"))
        # those of the unit before stay until the pictures of this one are read
        expect(page.locator(f"#unit-images img[alt*=' of unit {unit}, ']")).to_have_count(15)
        drawn = page.eval_on_selector_all("#unit-images svg.mask", _SEEN)
        assert len(drawn) == 15
        for rank, (path, box, same_place) in enumerate(drawn):
            grid = run.images[counts.top_images[unit, rank]].grid
            counted = run.top_mask(LAYER, unit, rank, run.quantiles[quantile])
            np.testing.assert_array_equal(raster(path, grid), counted)
            assert box == f"0 0 {grid[1]} {grid[0]}"
            assert same_place


def test_annotations_drawn_are_those_of_the_data(run: Dissection, page: Page) -> None:
    from onnxdissect.data import open_dataset

    dataset = open_dataset(run.manifest["data"]["folder"])
    unit = next(u for u in by_iou(run) if u.category in {"object", "part"})
    page.goto(layer_address(run, f"unit={unit.unit}&show=annotation"))
    page.wait_for_selector("#unit-images li")
    number = next(c.number for c in run.concepts if c.name == unit.label)
    (concept,) = dataset.concepts_of([number])
    seen = 0
    for rank, image in enumerate(run.counts(LAYER).top_images[unit.unit].tolist()):
        annotation = dataset.read_annotation(image)
        truth = (annotation.planes == concept + 1).any(axis=0) | (concept in annotation.image_labels)
        line = page.locator("#unit-images li").nth(rank).locator("svg.annotation .line")
        path = line.get_attribute("d") if line.count() else ""
        np.testing.assert_array_equal(raster(path or "", truth.shape), truth)
        seen += truth.any()
    assert seen


def test_heat_lies_where_the_mask_is(run: Dissection, page: Page) -> None:
    unit = by_iou(run)[0].unit
    page.goto(layer_address(run, f"unit={unit}&show=heat"))
    page.wait_for_selector("#unit-images canvas[data-drawn]")
    shares = []
    for rank in range(5):
        canvas = page.locator("#unit-images canvas").nth(rank)
        # the colours of the ramp grow brighter with the activation
        bright = np.array(
            canvas.evaluate(
                "c => [...c.getContext('2d').getImageData(0, 0, 56, 56).data].filter((_, i) => i % 4 === 0)"
            )
        ).reshape(56, 56)
        mask = run.top_mask(LAYER, unit, rank)
        rows, columns = ((np.arange(56) + 0.5) / 56 * size for size in mask.shape)
        inside = mask[rows.astype(int)[:, None], columns.astype(int)]
        if inside.any() and not inside.all():
            shares.append(bright[inside].min() / max(bright[~inside].max(), 1))
    # a threshold separates the map; eight bits and the canvas's own grid blur the edge
    assert shares
    assert min(shares) > 0.8
