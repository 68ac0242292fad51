"""The charts of a comparison lie where their numbers are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.comparisons import comparison, made_sides, without_intervals

from onnxdissect.report.comparison.chart import WIDTHS, depth_charts, group_chart, series_chart
from onnxdissect.report.data.report_data import category_colours


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seeds", [1, 3])
def test_bars_are_as_long_as_their_counts(width: int, seeds: int) -> None:
    result = comparison(*made_sides(networks=4, seeds=seeds))
    colours = category_colours(result.categories)
    chart = group_chart(result, colours, width)
    first, last = chart.ticks[0], chart.ticks[-1]
    scale = (last.y - first.y) / (last.count - first.count)
    assert first.y == chart.left
    layers = {layer.name: layer for layer in result.layers}
    for row, group in zip(chart.rows, result.groups, strict=True):
        means = [group.unique_by_category[c].mean for c in result.categories]
        assert [part.width / scale for part in row.segments] == pytest.approx([m for m in means if m])
        assert [part.colour for part in row.segments] == [
            colours[c] for c, mean in zip(result.categories, means, strict=True) if mean
        ]
        assert row.segments[0].x == chart.left
        for one, other in pairwise(row.segments):
            assert other.x == pytest.approx(one.x + one.width)
        single = layers[group.members[0]].unique
        ends = (group.unique.least, group.unique.most) if seeds > 1 else (single.low, single.high)
        if ends[0] == ends[1]:
            assert row.whisker is None
        else:
            assert row.whisker is not None
            assert [(x - chart.left) / scale for x in row.whisker] == pytest.approx(ends)
        assert row.end < width
        assert row.y + chart.bar <= chart.baseline
    assert all(other.y - one.y >= chart.bar for one, other in pairwise(chart.rows))
    assert [row.whisker for row in group_chart(without_intervals(result), colours, width).rows] == (
        [row.whisker for row in chart.rows] if seeds > 1 else [None] * 4
    )


def test_a_comparison_without_detectors_has_bars_of_no_length() -> None:
    sides, concepts = made_sides(networks=2, depths=2, positions=[1, 100])
    for side in sides:
        side.iou = side.iou * 0
    result = comparison(sides, concepts, resamples=0)
    chart = group_chart(result, category_colours(result.categories), WIDTHS[0])
    assert [(row.segments, row.count) for row in chart.rows] == [((), "0"), ((), "0")]
    assert series_chart(result, {}) is None
    assert depth_charts(result, {}) == ()


def test_a_series_is_drawn_along_its_positions() -> None:
    result = comparison(*made_sides(networks=4, positions=[0, 10, 100, 1000], seeds=2))
    colours = category_colours(result.categories)
    chart = series_chart(result, colours)
    assert chart is not None
    assert [column.text for column in chart.columns] == ["0", "10", "100", "1000"]
    total = chart.lines[0]
    assert (total.name, total.colour) == ("all", 8)
    low, high = chart.ticks[0], chart.ticks[-1]
    scale = (low.y - high.y) / (float(high.text) - float(low.text))
    assert [(low.y - spot.y) / scale for spot in total.spots] == pytest.approx(
        [group.unique.mean for group in result.groups]
    )
    xs = [spot.x for spot in total.spots]
    assert xs[2] - xs[1] == pytest.approx(xs[3] - xs[2])
    assert total.band.count(",") == 8
    assert {line.name for line in chart.lines[1:]} <= set(result.categories)
    assert series_chart(comparison(*made_sides(networks=3)), colours) is None


def test_depth_has_a_chart_of_each_category_with_a_line_of_each_network() -> None:
    result = comparison(*made_sides(networks=3, depths=4))
    charts = depth_charts(result, category_colours(result.categories))
    assert charts[0].title == "All categories"
    assert [chart.title for chart in charts[1:]] == [
        c for c in result.categories if any(layer.unique_by_category[c].value for layer in result.layers)
    ]
    for chart in charts:
        assert [line.name for line in chart.lines] == ["net0", "net1", "net2"]
        assert len({line.shape for line in chart.lines}) == 3
        assert all(len(line.spots) == 4 for line in chart.lines)
    low, high = charts[0].ticks[0], charts[0].ticks[-1]
    scale = (low.y - high.y) / (float(high.text) - float(low.text))
    for line, n in zip(charts[0].lines, range(3), strict=True):
        assert [(low.y - spot.y) / scale for spot in line.spots] == pytest.approx(
            [layer.unique.value for layer in result.layers if layer.model == f"net{n}"]
        )
    assert depth_charts(comparison(*made_sides(networks=3)), {}) == ()
