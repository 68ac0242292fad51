"""The bar chart and the depth chart: legible, and what the summary says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from support.fake_counts import FakeRun

from onnxdissect.report.data.photos import Photos
from onnxdissect.report.data.report_data import Bar, CategoryBars, gather_report
from onnxdissect.report.figures.bars import BarChart, bar_chart
from onnxdissect.report.figures.depth import depth_chart


def groups_of(*counts: int) -> list[CategoryBars]:
    def bars(category: int, count: int) -> Iterator[Bar]:
        for i in range(count):
            units = tuple(range(1 + (count - i) // 2))
            yield Bar(f"concept {category}-{i}", units, f"layer-{units[0]}-q0")

    return [CategoryBars(f"category {c}", c, tuple(bars(c, count))) for c, count in enumerate(counts)]


def test_empty_chart() -> None:
    assert bar_chart([]).panels == ()
    assert bar_chart(groups_of(0, 0)).panels == ()


@pytest.mark.parametrize(
    "counts", [(1,), (0, 3), (5, 0, 2, 1), (72,), (40, 20, 8, 6, 4, 3), (90, 60, 30, 20), (199, 1)]
)
def test_chart_is_legible(counts: tuple[int, ...]) -> None:
    groups = groups_of(*counts)
    chart = bar_chart(groups)
    assert chart.width <= 1220
    bars = [bar for panel in chart.panels for bar in panel.bars]
    assert [bar.text for bar in bars] == [bar.concept for group in groups for bar in group.bars]
    assert [bar.count for bar in bars] == [len(bar.units) for group in groups for bar in group.bars]
    scale = {round(bar.height / bar.count, 9) for bar in bars}
    assert len(scale) == 1
    for panel in chart.panels:
        assert panel.headings[0].x < panel.bars[0].x
        edges = [(bar.x, bar.x + bar.width) for bar in panel.bars]
        assert all(left < right <= chart.width for left, right in edges)
        middles = sorted([bar.middle for bar in panel.bars] + [heading.x for heading in panel.headings])
        # letters are 11 pixels high
        assert all(b - a >= 12 for a, b in pairwise(middles))
        assert all(bar.y >= 0 and bar.y + bar.height == pytest.approx(chart.baseline) for bar in panel.bars)
        ticks = [tick.count for tick in panel.ticks]
        assert ticks[0] == 0
        assert 1 < len(ticks) <= 6
    if len(chart.panels) > 1:
        sizes = [len(panel.bars) for panel in chart.panels]
        assert max(sizes) - min(sizes) < max(sizes) / 2


def test_long_names_are_shortened_in_the_chart_only() -> None:
    name = "a concept with a name that goes on and on"
    chart: BarChart = bar_chart([CategoryBars("object", 0, (Bar(name, (3, 4), "x"),))])
    bar = chart.panels[0].bars[0]
    assert bar.text == "a concept with a name tha…"
    assert bar.title == f"{name} (object): 2 units, 3, 4"


def test_depth_chart_agrees_with_the_summary(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = gather_report(dissection, Photos())
    for q, quantile in enumerate(dissection.quantiles):
        chart = depth_chart(report.layers, q)
        summaries = [s for s in dissection.summary() if s.quantile == quantile]
        for line in chart.lines:
            assert [spot.count for spot in line.spots] == [s.unique[line.category] for s in summaries]
            assert all(spot.y <= chart.baseline for spot in line.spots)
        names = sorted(line.name_y for line in chart.lines)
        assert all(b - a >= 13.9 for a, b in pairwise(names))
        assert names[0] >= 4
