"""Geometry of the charts of a threshold sweep, in pixels; a template writes them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from onnxdissect.report.figures.bars import axis_counts
from onnxdissect.report.figures.depth import names_apart
from onnxdissect.results.sweep import LayerSweep, QuantileCounts

__all__ = ["LogChart", "LogLine", "Place", "threshold_charts"]

_WIDTH, _HEIGHT = 402, 240
_LEFT, _RIGHT, _ABOVE, _BELOW = 50, 122, 28, 34
_NAMES_APART = 34.0  # pixels between the names of two quantiles
# Of the lines that stand for no category: colours of the style sheet that NetDissect's categories leave.
_ALL, _UNIQUE, _GENERIC, _GENERIC_ALL = 8, 6, 7, 8


@dataclass(frozen=True, slots=True)
class Place:
    """A value at a quantile: a point of a line, or a name at an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A quantity over the quantiles.

    Attributes
    ----------
    name : str
    colour : int
        Number of its colour in the style sheet.
    shape : int
        Number of the markers' shape: lines can be told apart without colour.
    spots : tuple of Place
        In rising order of the quantiles; those at which it is not known are left out.
    band : str
        Points of the polygon of its 95 % interval; empty without one.
    name_y : float
        Height of its name at the right end.
    """

    name: str
    colour: int
    shape: int
    spots: tuple[Place, ...]
    band: str
    name_y: float

    @property
    def path(self) -> str:
        """Points of an SVG polyline."""
        return " ".join(f"{spot.x:.1f},{spot.y:.1f}" for spot in self.spots)


@dataclass(frozen=True, slots=True)
class LogChart:
    """Quantities against the quantile, on a log axis.

    Attributes
    ----------
    title : str
    width, height : int
    left, right, baseline : float
        Of the plot.
    ticks : tuple of Place
        Of the vertical axis.
    columns : tuple of Place
        Names of the quantiles, those that find room.
    lines : tuple of LogLine
    """

    title: str
    width: int
    height: int
    left: float
    right: float
    baseline: float
    ticks: tuple[Place, ...]
    columns: tuple[Place, ...]
    lines: tuple[LogLine, ...]


def threshold_charts(sweep: LayerSweep, categories: Sequence[tuple[str, int]]) -> tuple[LogChart, ...]:
    """Lay out the charts of a layer: detectors, shares of generic labels, unique detectors by category.

    Parameters
    ----------
    sweep : LayerSweep
    categories : sequence of (str, int)
        Each with the number of its colour, in the run's order.

    Returns
    -------
    tuple of LogChart
        Without those that would be empty.
    """
    counts = sweep.counts
    bounds = [(c.unique_low, c.unique_high) for c in counts]
    # A known lower end comes with an upper one.
    band = [(low, high) for low, high in bounds if low is not None and high is not None]
    units = (
        _Series("detectors", _ALL, [c.detectors for c in counts]),
        _Series("unique", _UNIQUE, [c.unique_detectors for c in counts], band),
    )
    shares = (
        _Series("of detectors", _GENERIC, [_percent(c.generic_share) for c in counts]),
        _Series("of all labels", _GENERIC_ALL, [_percent(c.generic_label_share) for c in counts]),
    )
    by_category = [_category(name, colour, counts) for name, colour in categories]
    charts = (
        _chart("Detectors", units, sweep.quantiles),
        _chart("Generic labels", shares, sweep.quantiles, percent=True),
        _chart("Unique detectors by category", [s for s in by_category if any(s.values)], sweep.quantiles),
    )
    return tuple(chart for chart in charts if chart.lines)


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    colour: int
    values: Sequence[float | None]
    band: Sequence[tuple[float, float]] = ()


def _category(name: str, colour: int, counts: Sequence[QuantileCounts]) -> _Series:
    return _Series(name, colour, [count.unique[name] for count in counts])


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _chart(
    title: str, series: Sequence[_Series], quantiles: Sequence[float], *, percent: bool = False
) -> LogChart:
    left, right, baseline = float(_LEFT), float(_WIDTH - _RIGHT), float(_HEIGHT - _BELOW)
    known = [value for one in series for value in one.values if value is not None]
    known += [high for one in series for _, high in one.band]
    highest = 100 if percent else max(1, math.ceil(max(known, default=1)))
    scale = (baseline - _ABOVE) / highest
    first, last = math.log(quantiles[0]), math.log(quantiles[-1])
    xs = [left + (right - left) * (math.log(q) - first) / (last - first) for q in quantiles]
    sign = " %" if percent else ""

    def line(place: int, one: _Series) -> LogLine | None:
        spots = tuple(
            Place(x, baseline - value * scale, f"{q:g}: {value:.0f}{sign}")
            for x, q, value in zip(xs, quantiles, one.values, strict=True)
            if value is not None
        )
        if not spots:
            return None
        # The upper ends from the left, the lower ones back.
        ends = [(x, high) for x, (_, high) in zip(xs, one.band, strict=False)]
        ends += [(x, low) for x, (low, _) in reversed(list(zip(xs, one.band, strict=False)))]
        band = " ".join(f"{x:.1f},{baseline - value * scale:.1f}" for x, value in ends)
        return LogLine(one.name, one.colour, place % 6, spots, band, spots[-1].y)

    drawn = [found for place, one in enumerate(series) if (found := line(place, one))]
    heights = names_apart([one.spots[-1].y for one in drawn], float(_ABOVE), baseline)
    lines = tuple(
        LogLine(one.name, one.colour, one.shape, one.spots, one.band, height)
        for one, height in zip(drawn, heights, strict=True)
    )
    ticks = tuple(
        Place(left, baseline - count * scale, f"{count}{sign}")
        for count in (range(0, 101, 25) if percent else axis_counts(highest))
    )
    return LogChart(
        title, _WIDTH, _HEIGHT, left, right, baseline, ticks, _columns(xs, quantiles, baseline), lines
    )


def _columns(xs: Sequence[float], quantiles: Sequence[float], baseline: float) -> tuple[Place, ...]:
    """Name the first quantile and the last, and between them those that do not touch a neighbour."""
    columns = [Place(xs[0], baseline, f"{quantiles[0]:g}")]
    end = Place(xs[-1], baseline, f"{quantiles[-1]:g}")
    for x, quantile in zip(xs[1:-1], quantiles[1:-1], strict=True):
        if x - columns[-1].x >= _NAMES_APART and end.x - x >= _NAMES_APART:
            columns.append(Place(x, baseline, f"{quantile:g}"))
    return (*columns, end)
