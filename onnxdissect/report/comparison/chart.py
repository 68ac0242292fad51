"""Geometry of the charts of a comparison, in pixels; templates write them as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from onnxdissect.report.data.numbers import count_text
from onnxdissect.report.figures.bars import Tick, axis_counts
from onnxdissect.report.figures.comparison.depth import depth_lines
from onnxdissect.report.figures.comparison.marks import (
    GroupNumbers,
    group_numbers,
    reach_name,
    series_places,
    short_names,
    shown_categories,
)
from onnxdissect.report.figures.depth import names_apart
from onnxdissect.report.figures.threshold_charts import LogChart, LogLine, Place

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["WIDTHS", "GroupChart", "GroupRow", "Segment", "depth_charts", "group_chart", "series_chart"]

WIDTHS = (880, 340)
"""Of the bars in pixels: on a screen, and on a telephone."""

_NARROW = 500
_NAMES = 250  # beside the bars, on a screen
_LETTERS = (38, 46)  # of a name, on a screen and on a telephone, where it stands above the bar
_ROW, _TALL_ROW, _BAR = 24.0, 38.0, 15.0
_COUNT = 52  # right of the longest bar, for its number
_BELOW = 24
_LINE_WIDTH, _LINE_HEIGHT = 620, 280
_SMALL = (402, 200)
_LEFT, _RIGHT, _ABOVE, _UNDER = 50, 122, 28, 34
_CLOSEST = 34.0  # pixels between two texts below an axis
_ALL = 8  # the style sheet's grey, which no category of NetDissect's has


@dataclass(frozen=True, slots=True)
class Segment:
    """Unique detectors of a category in a group.

    Attributes
    ----------
    x, width : float
    colour : int
        Number of its colour in the style sheet.
    title : str
        Tooltip.
    """

    x: float
    width: float
    colour: int
    title: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group's bar.

    Attributes
    ----------
    y : float
        Top of the bar.
    name : str
        Shortened.
    title : str
        Tooltip: the whole name, the numbers.
    segments : tuple of Segment
    whisker : (float, float) or None
        Left and right end.
    end : float
        Where the number stands.
    count : str
    """

    y: float
    name: str
    title: str
    segments: tuple[Segment, ...]
    whisker: tuple[float, float] | None
    end: float
    count: str


@dataclass(frozen=True, slots=True)
class GroupChart:
    """Unique detectors of every group, by category.

    Attributes
    ----------
    width, height : float
    left, baseline : float
        Where bars begin, and where the last one ends.
    bar : float
        Height of a bar.
    above : bool
        Whether names stand above the bars.
    ticks : tuple of Tick
        Their ``y`` is horizontal here.
    rows : tuple of GroupRow
    reach : str
        What the whiskers are; empty where there are none.
    """

    width: int
    height: float
    left: float
    baseline: float
    bar: float
    above: bool
    ticks: tuple[Tick, ...]
    rows: tuple[GroupRow, ...]
    reach: str


def group_chart(result: ComparisonResult, colours: Mapping[str, int], width: int) -> GroupChart:
    """Lay out a bar for each group, stacked by category.

    Parameters
    ----------
    result : ComparisonResult
    colours : mapping of str to int
        Number of each category's colour.
    width : int
        Pixels, of `WIDTHS`.

    Returns
    -------
    GroupChart
    """
    narrow = width < _NARROW
    names = short_names([group.name for group in result.groups], _LETTERS[narrow])
    in_all, by_category = group_numbers(result)
    reach = reach_name(result)
    highest = max([1.0, *(max(n.mean, n.high if reach else 0.0) for n in in_all)])
    left = 4.0 if narrow else float(_NAMES)
    scale = (width - left - _COUNT) / highest
    row = _TALL_ROW if narrow else _ROW
    rows = []
    for i, group in enumerate(result.groups):
        x, segments = left, []
        for category in result.categories:
            value = by_category[category][i].mean
            if value:
                said = f"{group.name}, {category}: {count_text(value)} unique detectors"
                segments.append(Segment(x, value * scale, colours[category], said))
                x += value * scale
        numbers = in_all[i]
        reaches = bool(reach) and numbers.low != numbers.high
        ends = (left + numbers.low * scale, left + numbers.high * scale) if reaches else None
        rows.append(
            GroupRow(
                y=4 + i * row + (17 if narrow else 3),
                name=names[i],
                title=_group_title(group.name, numbers, reach if reaches else ""),
                segments=tuple(segments),
                whisker=ends,
                end=max(x, ends[1] if ends else 0.0) + 6,
                count=count_text(numbers.mean),
            )
        )
    baseline = 6 + row * len(rows)
    ticks = tuple(Tick(left + count * scale, count) for count in axis_counts(math.floor(highest)))
    return GroupChart(width, baseline + _BELOW, left, baseline, _BAR, narrow, ticks, tuple(rows), reach)


def _group_title(name: str, numbers: GroupNumbers, reach: str) -> str:
    said = f"{name}: {count_text(numbers.mean)} unique detectors"
    return f"{said}, {reach} {count_text(numbers.low)} to {count_text(numbers.high)}" if reach else said


def series_chart(result: ComparisonResult, colours: Mapping[str, int]) -> LogChart | None:
    """Lay out lines over the positions of a series, in all and by category, each with its spread.

    Parameters
    ----------
    result : ComparisonResult
    colours : mapping of str to int
        Number of each category's colour.

    Returns
    -------
    LogChart or None
        None where nothing stands along a series, or nothing was detected.
    """
    chosen = [i for i, group in enumerate(result.groups) if group.position is not None]
    shown = shown_categories(result)
    if not result.series or len(chosen) < 2 or not shown:
        return None
    positions = [result.groups[i].position or 0.0 for i in chosen]
    places, ticks, _ = series_places(positions)
    texts = [result.groups[i].name for i in chosen]
    in_all, by_category = group_numbers(result)
    band = bool(reach_name(result))
    lines = [_Line("all", _ALL, 0, [in_all[i] for i in chosen], band)]
    lines += [
        _Line(category, colours[category], 1 + g % 5, [by_category[category][i] for i in chosen], band)
        for g, category in enumerate(shown)
    ]
    return _line_chart("", (_LINE_WIDTH, _LINE_HEIGHT), places, texts, ticks, lines)


def depth_charts(result: ComparisonResult, colours: Mapping[str, int]) -> tuple[LogChart, ...]:
    """Lay out a chart for all categories and for each of them: a line through the layers of each network.

    Parameters
    ----------
    result : ComparisonResult
    colours : mapping of str to int
        Number of each category's colour.

    Returns
    -------
    tuple of LogChart
        None of them where no network has several layers, or nothing was detected.
    """
    networks = depth_lines(result)
    shown = shown_categories(result)
    if not networks or not shown:
        return ()
    deepest = max(layer.depth for network in networks for layer in network.layers)
    ticks = [(float(depth + 1), str(depth + 1)) for depth in range(deepest + 1)]
    names = short_names([network.name for network in networks], 14)
    charts = []
    for category in (None, *shown):
        lines = []
        for n, network in enumerate(networks):
            values = [
                (layer.unique if category is None else layer.unique_by_category[category]).value
                for layer in network.layers
            ]
            numbers = [GroupNumbers(value, value, value) for value in values]
            depths = [float(layer.depth + 1) for layer in network.layers]
            colour = _ALL if category is None else colours[category]
            lines.append(_Line(names[n], colour, n % 6, numbers, False, depths))
        places = [tick[0] for tick in ticks]
        texts = [f"depth {text}" for _, text in ticks]
        charts.append(_line_chart(category or "All categories", _SMALL, places, texts, ticks, lines))
    return tuple(charts)


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line is drawn from; its places are the chart's unless it has its own."""

    name: str
    colour: int
    shape: int
    numbers: Sequence[GroupNumbers]
    band: bool
    places: Sequence[float] | None = None


def _line_chart(
    title: str,
    size: tuple[int, int],
    places: Sequence[float],
    texts: Sequence[str],
    ticks: Sequence[tuple[float, str]],
    lines: Sequence[_Line],
) -> LogChart:
    width, height = size
    left, right, baseline = float(_LEFT), float(width - _RIGHT), float(height - _UNDER)
    highest = max(1.0, *(max(n.mean, n.high) for line in lines for n in line.numbers))
    scale = (baseline - _ABOVE) / highest
    first, last = min(places), max(places)
    said = dict(zip(places, texts, strict=True))

    def x_of(place: float) -> float:
        return left + (right - left) * ((place - first) / (last - first) if last > first else 0.5)

    drawn = []
    for line in lines:
        own = line.places or places
        spots = tuple(
            Place(x_of(at), baseline - n.mean * scale, f"{said[at]}: {count_text(n.mean)}")
            for at, n in zip(own, line.numbers, strict=True)
        )
        ends = [(x_of(at), n.high) for at, n in zip(own, line.numbers, strict=True)]
        ends += [(x_of(at), n.low) for at, n in reversed(list(zip(own, line.numbers, strict=True)))]
        band = " ".join(f"{x:.1f},{baseline - value * scale:.1f}" for x, value in ends) if line.band else ""
        drawn.append(LogLine(line.name, line.colour, line.shape, spots, band, 0.0))
    heights = names_apart([line.spots[-1].y for line in drawn], float(_ABOVE), baseline)
    columns: list[Place] = []
    for at, text in ticks:
        if not columns or x_of(at) - columns[-1].x >= _CLOSEST:
            columns.append(Place(x_of(at), baseline, text))
    return LogChart(
        title,
        width,
        height,
        left,
        right,
        baseline,
        tuple(Place(left, baseline - n * scale, str(n)) for n in axis_counts(math.floor(highest))),
        tuple(columns),
        tuple(replace(line, name_y=y) for line, y in zip(drawn, heights, strict=True)),
    )
