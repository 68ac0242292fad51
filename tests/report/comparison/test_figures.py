"""Figures of comparisons: those that make sense, of a column's width, legible with any names."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from support.comparisons import comparison, made_sides, without_intervals
from support.small_runs import contents

from onnxdissect.errors import OutputError
from onnxdissect.report.figures.comparison import comparison_figures, draw_comparison
from onnxdissect.report.figures.comparison.depth import depth_lines
from onnxdissect.report.figures.comparison.heat import top_concepts
from onnxdissect.report.figures.comparison.marks import (
    group_numbers,
    reach_name,
    series_places,
    short_names,
)
from onnxdissect.report.figures.paper import paper_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnxdissect.experiments.comparison.records import ComparedConcept
    from onnxdissect.experiments.comparison.result import ComparisonResult

FORMS = ("svg", "pdf", "png")


def texts_in(path: Path) -> list[str]:
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text("utf-8"))]


def many_groups() -> ComparisonResult:
    sides, concepts = made_sides(networks=40, units=12, concepts=30)
    for i, side in enumerate(sides):
        name = f"resnet50_of_a_very_long_name-fine-tuned/$stage_{i}$ of 40 stages"
        side.given |= {"group": name, "name": f"{name} relu"}
    return comparison(sides, concepts)


def test_equal_results_are_equal_files_of_a_columns_width(tmp_path: Path) -> None:
    sides, concepts = made_sides(networks=2, depths=3)
    result = comparison(sides, concepts)
    written = draw_comparison(result, tmp_path / "one")
    assert [path.name for path in written] == [
        f"{name}.{form}" for name in ("groups", "depth", "concepts") for form in FORMS
    ]
    draw_comparison(result, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    for name in ("groups", "depth", "concepts"):
        image = cv2.imread(str(tmp_path / "one" / f"{name}.png"))
        assert image is not None
        assert image.shape[1] == 660  # 3.3 inches of 200 dots
    said = texts_in(tmp_path / "one" / "groups.svg")
    shown = [c for c in result.categories if any(la.unique_by_category[c].value for la in result.layers)]
    assert len(shown) > 3
    for text in ("unique detectors", "network 0", "network 1", "range of the group", *shown):
        assert text in said
    assert {"net0", "net1", "depth of the layer", "all"} <= set(texts_in(tmp_path / "one" / "depth.svg"))
    said = texts_in(tmp_path / "one" / "concepts.svg")
    assert {concept.concept for concept in result.concepts[:40]} <= set(said)
    assert "best IoU; dots: detected" in said


@pytest.mark.parametrize(
    ("made", "by", "names"),
    [
        ({"networks": 2}, "network", ["groups", "concepts"]),
        ({"networks": 1, "depths": 3}, "layer", ["groups", "depth", "concepts"]),
        ({"networks": 1}, "network", ["groups"]),
        ({"networks": 3, "positions": [0, 10, 1000]}, "iteration", ["series", "concepts"]),
        ({"networks": 2, "positions": [1, 2], "depths": 2}, "epoch", ["series", "depth", "concepts"]),
    ],
)
def test_only_what_makes_sense_is_drawn(made: dict[str, object], by: str, names: list[str]) -> None:
    sides, concepts = made_sides(**made)  # type: ignore[arg-type]
    assert list(comparison_figures(comparison(sides, concepts, by=by))) == names


def test_nothing_detected_is_nothing_drawn_and_nothing_old_stays(tmp_path: Path) -> None:
    sides, concepts = made_sides(networks=2, positions=[1, 2])
    result = comparison(sides, concepts)
    (tmp_path / "mine.txt").write_text("kept")
    draw_comparison(result, tmp_path)
    assert (tmp_path / "series.svg").is_file()
    for side in sides:
        side.iou = side.iou * 0
    assert draw_comparison(comparison(sides, concepts), tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_series_over_decades_has_a_log_axis_with_a_place_for_zero() -> None:
    places, ticks, logarithmic = series_places([0, 30, 100, 1000, 30000])
    assert logarithmic
    assert np.allclose(places[1:], np.log10([30, 100, 1000, 30000]))
    assert places[0] < places[1] - 0.3
    assert ticks == [(places[0], "0"), (2.0, "100"), (3.0, "1000"), (4.0, "10k")]
    assert series_places([1, 2, 10]) == ([1, 2, 10], [(1, "1"), (2, "2"), (10, "10")], False)
    assert series_places([-10, 1, 1000])[2] is False
    assert [text for _, text in series_places([2, 5, 30])[1]] == ["2", "5", "30"]
    sides, concepts = made_sides(networks=4, positions=[0, 30, 1000, 30000], seeds=2)
    result = comparison(sides, concepts, by="iteration")
    with paper_settings():
        figure = comparison_figures(result)["series"](result)
    below = figure.axes[1]
    assert below.get_xlabel() == "iteration (log axis)"
    assert [text.get_text() for text in below.get_xticklabels()] == ["0", "100", "1000", "10k"]
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_ydata(), [group.unique.mean for group in result.groups])


def test_whiskers_are_the_spread_of_groups_or_the_interval_of_single_layers() -> None:
    sides, concepts = made_sides(networks=2, seeds=3)
    result = comparison(sides, concepts)
    assert reach_name(result) == "range of the group"
    for numbers, group in zip(group_numbers(result)[0], result.groups, strict=True):
        assert (numbers.mean, numbers.low, numbers.high) == (
            group.unique.mean,
            group.unique.least,
            group.unique.most,
        )
    single = comparison(*made_sides(networks=2))
    assert reach_name(single) == "95 % interval"
    for numbers, layer in zip(group_numbers(single)[0], single.layers, strict=True):
        assert (numbers.mean, numbers.low, numbers.high) == (
            layer.unique.value,
            layer.unique.low,
            layer.unique.high,
        )
    assert reach_name(without_intervals(single)) == ""


def test_without_intervals_no_whisker_is_named(tmp_path: Path) -> None:
    result = comparison(*made_sides(networks=2))
    draw_comparison(result, tmp_path / "with")
    assert "95 % interval" in texts_in(tmp_path / "with" / "groups.svg")
    draw_comparison(without_intervals(result), tmp_path / "without")
    assert "95 % interval" not in texts_in(tmp_path / "without" / "groups.svg")


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Texts along axes that lie over each other, or out of the picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    width, height = canvas.get_width_height()
    found = []
    for axes in figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            ticks = [one for one in axis.get_major_ticks() if min(limits) <= one.get_loc() <= max(limits)]
            labels = [label for one in ticks for label in (one.label1, one.label2) if label.get_visible()]
            boxes = [(one.get_text(), one.get_window_extent()) for one in labels]
            found += [
                (one[0], other[0])
                for one, other in combinations(boxes, 2)
                if one[1].x0 < other[1].x1 - 0.5
                and other[1].x0 < one[1].x1 - 0.5
                and one[1].y0 < other[1].y1 - 0.5
                and other[1].y0 < one[1].y1 - 0.5
            ]
            found += [
                (text, "the edge")
                for text, box in boxes
                if box.x0 < -1 or box.x1 > width + 1 or box.y0 < -1 or box.y1 > height + 1
            ]
    return found


@pytest.mark.parametrize("name", ["groups", "concepts"])
def test_forty_long_names_do_not_overlap_and_stay_apart(name: str) -> None:
    result = many_groups()
    with paper_settings():
        figure = comparison_figures(result)[name](result)
        assert overlaps(figure) == []
    named = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(named) == len(set(named)) == 40
    assert figure.get_size_inches()[0] == 3.3


def test_few_groups_of_long_names_do_not_overlap() -> None:
    result = many_groups()
    sides, concepts = made_sides(networks=8)
    for side, group in zip(sides, result.groups, strict=False):
        side.given["group"] = group.name
    few = comparison(sides, concepts)
    with paper_settings():
        assert overlaps(comparison_figures(few)["groups"](few)) == []


@pytest.mark.parametrize("longest", [12, 28])
def test_short_names_differ_and_fit(longest: int) -> None:
    stages = [f"a network with a long name, stage {i}, of forty" for i in range(8, 13)]
    shortened = short_names(stages, longest)
    assert len(set(shortened)) == 5
    assert all(len(name) <= longest for name in shortened)
    assert all(str(i) in name for i, name in zip(range(8, 13), shortened, strict=True))
    hidden = [f"{'x' * 30}{letter}{'x' * 30}" for letter in "abc"]
    assert len(set(short_names(hidden, longest))) == 3
    assert short_names(["short", "names"], longest) == ["short", "names"]


def test_names_are_written_as_they_are(tmp_path: Path) -> None:
    nasty = ["$x_{1}$ <b>", "_hidden & \"quoted'"]
    sides, concepts = made_sides(networks=2, depths=2, categories=("_odd $category$",))
    for side in sides:
        n = int(side.given["model"][-1])
        side.given |= {"group": nasty[n], "model": nasty[n]}
    draw_comparison(comparison(sides, concepts), tmp_path)
    assert set(nasty) <= set(texts_in(tmp_path / "groups.svg"))
    assert "\u200b_odd $category$" in texts_in(tmp_path / "groups.svg")
    assert "_odd $category$" in texts_in(tmp_path / "depth.svg")


def test_networks_are_told_apart_by_as_little_as_it_takes() -> None:
    sides, concepts = made_sides(networks=2, depths=2)
    assert [line.name for line in depth_lines(comparison(sides, concepts))] == ["net0", "net1"]
    for side in sides:
        side.given["model"] = "same"
    assert [line.name for line in depth_lines(comparison(sides, concepts))] == [
        "runs/net0-seed0",
        "runs/net1-seed0",
    ]
    for side in sides[2:]:
        side.given |= {"run": sides[0].given["run"], "quantile": 0.02}
    assert [line.name for line in depth_lines(comparison(sides, concepts))] == ["same, 0.005", "same, 0.02"]


def test_many_networks_through_depth_are_not_named(tmp_path: Path) -> None:
    result = comparison(*made_sides(networks=11, depths=2))
    with paper_settings():
        figure = comparison_figures(result)["depth"](result)
    assert figure.legends == []
    assert figure.axes[0].get_title() == "all, 11 networks"
    assert len(figure.axes[0].lines) == 11


def test_the_map_shows_the_best_of_many_concepts() -> None:
    sides, concepts = made_sides(networks=3, units=120, concepts=90)
    sides[0].iou[:, ::2] = 0
    result = comparison(sides, concepts)
    assert len(result.concepts) > 40
    chosen = top_concepts(result, 40)
    assert len(chosen) == 40

    def highest(one: ComparedConcept) -> float:
        return max(found.iou for found in one.best if found and found.detectors)

    least = min(map(highest, chosen))
    assert all(highest(one) <= least for one in result.concepts if one not in chosen)
    with paper_settings():
        figure = comparison_figures(result)["concepts"](result)
    assert figure.axes[1].get_xlabel() == "best IoU, top 40 concepts; dots: detected"
    image = figure.axes[0].images[0].get_array()
    assert image is not None
    found = np.array([[best.iou if best else np.nan for best in one.best] for one in chosen])
    assert np.isnan(found).any()
    np.testing.assert_array_equal(np.ma.filled(image, np.nan), found)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        draw_comparison(comparison(*made_sides()), tmp_path / "taken" / "figures")


def test_a_category_without_detectors_is_left_out(tmp_path: Path) -> None:
    result = comparison(*made_sides(networks=2))
    (absent,) = result.categories[:1]
    layers = tuple(
        replace(
            layer,
            unique_by_category={
                **layer.unique_by_category,
                absent: replace(layer.unique_by_category[absent], value=0.0),
            },
        )
        for layer in result.layers
    )
    draw_comparison(replace(result, layers=layers), tmp_path)
    assert absent not in texts_in(tmp_path / "groups.svg")
    assert result.categories[1] in texts_in(tmp_path / "groups.svg")
