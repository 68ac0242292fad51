"""The page of thresholds: its charts, its data, and what other programs read."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from support.fake_counts import FakeRun, fake_run

from onnxdissect.report import build
from onnxdissect.report.data.report_data import gather_report
from onnxdissect.report.figures.threshold_charts import threshold_charts
from onnxdissect.report.pages.scripts import read_script
from onnxdissect.results.sweep import LayerSweep, QuantileCounts, threshold_sweep

CATEGORIES = (("object", 0), ("color", 5))


def counts(
    quantile: float, detectors: int, unique: int, *, generic: int = 0, band: tuple[int, int] | None = None
) -> QuantileCounts:
    low, high = band or (None, None)
    by = {"object": unique, "color": 0}
    return QuantileCounts(
        layer="a",
        quantile=quantile,
        units=99,
        labelled=90 if detectors else 0,
        detectors=detectors,
        unique_detectors=unique,
        unique_low=low,
        unique_high=high,
        generic_labels=generic,
        generic_detectors=generic,
        generic_color=generic,
        generic_wide=0,
        generic_filling=0,
        changed=None,
        detectors_by=by,
        unique=by,
    )


def sweep(*rows: QuantileCounts) -> LayerSweep:
    return LayerSweep("a", tuple(row.quantile for row in rows), rows, ())


def test_charts_lie_on_a_log_axis() -> None:
    rows = counts(0.001, 10, 4), counts(0.01, 20, 8, generic=5), counts(0.1, 40, 2, generic=40)
    units, shares, categories = threshold_charts(sweep(*rows), CATEGORIES)
    detectors, unique = units.lines
    xs = [spot.x for spot in detectors.spots]
    assert xs == pytest.approx([units.left, (units.left + units.right) / 2, units.right])
    heights = [units.baseline - spot.y for spot in detectors.spots]
    assert [height / heights[0] for height in heights] == pytest.approx([1, 2, 4])
    assert [spot.text for spot in unique.spots] == ["0.001: 4", "0.01: 8", "0.1: 2"]
    assert [spot.text for spot in shares.lines[0].spots] == ["0.001: 0 %", "0.01: 25 %", "0.1: 100 %"]
    assert [tick.text for tick in shares.ticks] == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    assert [line.name for line in categories.lines] == ["object"]
    for chart in (units, shares, categories):
        assert [place.text for place in chart.columns] == ["0.001", "0.01", "0.1"]
        names = sorted(line.name_y for line in chart.lines)
        assert all(b - a >= 12 for a, b in pairwise(names))
        for line in chart.lines:
            assert all(0 < spot.y <= chart.baseline for spot in line.spots)


def test_intervals_are_bands() -> None:
    rows = counts(0.001, 10, 4, band=(2, 5)), counts(0.1, 10, 4, band=(3, 10))
    units = threshold_charts(sweep(*rows), CATEGORIES)[0]
    detectors, unique = units.lines
    assert detectors.band == ""
    corners = [tuple(map(float, point.split(","))) for point in unique.band.split()]
    step = (units.baseline - detectors.spots[0].y) / 10
    values = [(units.baseline - y) / step for _, y in corners]
    assert values == pytest.approx([5, 10, 3, 2], abs=0.02)
    assert [x for x, _ in corners] == pytest.approx([units.left, units.right, units.right, units.left])


def test_a_layer_that_detects_nothing_has_no_shares() -> None:
    charts = threshold_charts(sweep(counts(0.001, 0, 0), counts(0.1, 0, 0)), CATEGORIES)
    assert [chart.title for chart in charts] == ["Detectors"]
    assert [tick.text for tick in charts[0].ticks] == ["0", "1"]


def test_close_quantiles_are_named_where_there_is_room() -> None:
    levels = (0.001, 0.00101, 0.002, 0.0021, 0.05, 0.099, 0.1)
    (chart, *_) = threshold_charts(sweep(*(counts(level, 3, 2) for level in levels)), CATEGORIES)
    assert [place.text for place in chart.columns] == ["0.001", "0.002", "0.05", "0.1"]
    assert len(chart.lines[0].spots) == 7


def test_what_the_page_and_programs_read(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    found = threshold_sweep(dissection)
    report = build(dissection).parent
    (content,) = read_script(report / "thresholds" / "labels.js")
    assert content["quantiles"] == [0.005, 0.02]
    assert content["places"] == [0, 1]
    generic = {(concept.name, concept.category) for concept in found.generic}
    assert [flag for *_, flag in content["names"]] == [
        (name, category) in generic for name, category, _ in content["names"]
    ]
    told = json.loads((report / "data.json").read_text(encoding="utf-8"))["thresholds"]
    assert [one["name"] for one in told["generic"]] == [concept.name for concept in found.generic]
    for layer, info, listed, counted in zip(
        found.layers, dissection.layers, content["layers"], told["layers"], strict=True
    ):
        assert listed["slug"] == counted["slug"] == info.slug
        names = [
            tuple("" if place < 0 else content["names"][place][0] for place in unit)
            for unit in listed["labels"]
        ]
        assert names == [unit.labels for unit in layer.units]
        assert listed["detectors"] == [[int(on) for on in unit.detector] for unit in layer.units]
        assert listed["same"] == [unit.unit for unit in layer.units if unit.same_label]
        assert counted["same_label"] == layer.same_label
        for row, counted_row in zip(layer.counts, counted["counts"], strict=True):
            assert {name: getattr(row, name) for name in counted_row} == counted_row


def test_one_quantile_has_no_sweep(tmp_path: Path) -> None:
    dissection = fake_run(units=(4,), images=3, top=1).save(tmp_path / "run")
    assert gather_report(dissection).sweep is None
    report = build(dissection).parent
    assert "thresholds" not in json.loads((report / "data.json").read_text(encoding="utf-8"))
    assert "thresholds" not in (report / "index.html").read_text(encoding="utf-8")
