"""The chart of unique detectors against alpha lies where its numbers are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from support.rotated_runs import rotated_run

from onnxdissect.experiments.rotation.measure import measure_rotations
from onnxdissect.report.figures.depth import names_apart
from onnxdissect.report.rotation.chart import WIDTHS, rotation_chart
from onnxdissect.report.rotation.views import RotationView, gather_rotation


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> RotationView:
    alphas = tuple((i + 1) / 20 for i in range(20))
    folder: Path = tmp_path_factory.mktemp("rotated") / "run"
    run = rotated_run(alphas=alphas, seeds=3).save(folder)
    (found,) = gather_rotation(measure_rotations(run), run).views
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_marks_lie_at_their_counts(view: RotationView, width: int) -> None:
    colours = dict.fromkeys(view.curve.values[0].by_category, 0)
    chart = rotation_chart(view, colours, width)
    low, high = chart.ticks[0], chart.ticks[-1]
    scale = (low.y - high.y) / (high.count - low.count)

    def count_at(y: float) -> float:
        return (low.y - y) / scale

    for value, mark in zip(view.curve.values, chart.total.marks, strict=True):
        assert count_at(mark.y) == pytest.approx(value.unique.mean)
        assert count_at(mark.least) == pytest.approx(value.unique.least)
        assert count_at(mark.most) == pytest.approx(value.unique.most)
        assert (mark.x - chart.left) / (chart.right - chart.left) == pytest.approx(value.alpha)
    assert count_at(chart.permuted.y) == pytest.approx(view.permuted)
    assert count_at(chart.random.y) == pytest.approx(view.curve.directions.unique.mean)
    assert [line.name for line in chart.lines] == list(view.categories)
    for line in chart.lines:
        counts = [value.by_category[line.name].mean for value in view.curve.values]
        assert [count_at(mark.y) for mark in line.marks] == pytest.approx(counts)
    assert len(chart.seeds) == 3 * 20
    assert chart.left < chart.right < chart.random_x < width
    assert all(0 <= y <= chart.baseline for _, y in chart.seeds)


@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_below_the_axis_do_not_meet(view: RotationView, width: int) -> None:
    chart = rotation_chart(view, dict.fromkeys(view.curve.values[0].by_category, 0), width)
    places = [x for x, _ in chart.columns]
    assert all(after - before >= 30 for before, after in pairwise(places))
    assert chart.columns[0][1] == "0"
    assert chart.columns[-1][1] == "1"


def test_names_keep_apart_and_their_order() -> None:
    ends = [100.0, 101.0, 20.0, 99.0, 240.0]
    heights = names_apart(ends, 14, 250)
    in_order = sorted(heights)
    assert all(after - before >= 14 for before, after in pairwise(in_order))
    assert sorted(range(5), key=lambda i: heights[i]) == sorted(range(5), key=lambda i: ends[i])
    assert names_apart([], 14, 250) == ()
