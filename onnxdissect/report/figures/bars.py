"""Geometry of the bar chart of unique detectors, in pixels; a template writes it as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from onnxdissect.report.data.report_data import Bar, CategoryBars

__all__ = ["BarChart", "BarMark", "Heading", "Panel", "Tick", "axis_counts", "bar_chart"]

_WIDTH = 1220  # of the page's text beside a scroll bar
_MARGIN = 30  # left of the bars, for the axis
_PLOT = 130  # height of the highest bar
_ABOVE = 18  # over the highest bar, for its count
_SLOT = (15.5, 30.0)  # least and most width of a bar with its gap
_HEADING = 1.5  # slots taken by a category's name
_LETTER = 6.1  # width of a letter, generously
_LONGEST = 26  # letters of a label; the full name is in the bar's title


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the plot at a count of units."""

    y: float
    count: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A category's name, in front of its bars."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class BarMark:
    """A bar: where it stands and what is written at it.

    Attributes
    ----------
    x, y, width, height : float
    text : str
        The concept, shortened if it is long.
    count : int
        Units.
    title : str
        Tooltip: concept, category and units.
    href : str
        Anchor of the concept's best unit.
    colour : int
    """

    x: float
    y: float
    width: float
    height: float
    text: str
    count: int
    title: str
    href: str
    colour: int

    @property
    def middle(self) -> float:
        """Horizontal centre."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Panel:
    """One row of bars.

    Attributes
    ----------
    height : float
        With the names under the bars.
    ticks : tuple of Tick
    headings : tuple of Heading
    bars : tuple of BarMark
    """

    height: float
    ticks: tuple[Tick, ...]
    headings: tuple[Heading, ...]
    bars: tuple[BarMark, ...]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Unique detectors per concept, the paper's figure; wraps into panels on one scale.

    Attributes
    ----------
    width : float
        Of each panel.
    baseline : float
        Where the bars stand.
    left : float
        Where they begin.
    panels : tuple of Panel
        Empty if nothing was detected.
    """

    width: float
    baseline: float
    left: float
    panels: tuple[Panel, ...]


def bar_chart(groups: Sequence[CategoryBars]) -> BarChart:
    """Lay out a bar per detected concept, as high as there are units with that label.

    Parameters
    ----------
    groups : sequence of CategoryBars

    Returns
    -------
    BarChart
    """
    rows = _wrap([group for group in groups if group.bars])
    widest = max((sum(_HEADING + len(group.bars) for group in row) for row in rows), default=1.0)
    slot = min(max((_WIDTH - _MARGIN) / widest, _SLOT[0]), _SLOT[1])
    highest = max((len(bar.units) for group in groups for bar in group.bars), default=1)
    baseline = float(_ABOVE + _PLOT)
    return BarChart(
        width=int(_MARGIN + widest * slot),
        baseline=baseline,
        left=_MARGIN,
        panels=tuple(_panel(row, slot, highest, baseline) for row in rows),
    )


def _wrap(groups: Sequence[CategoryBars]) -> list[list[CategoryBars]]:
    """Split the bars into rows of about equal length, each category as often as needed."""
    capacity = int((_WIDTH - _MARGIN) / _SLOT[0])
    bars = sum(len(group.bars) for group in groups)
    # every row may open with one heading more
    fewest = math.ceil(bars / (capacity - _HEADING * (len(groups) + 1))) if bars else 0
    share = math.ceil(bars / fewest) if fewest else 0
    rows: list[list[CategoryBars]] = []
    room = 0
    for group in groups:
        bars_left = group.bars
        while bars_left:
            if room == 0:
                rows.append([])
                room = share
            taken, bars_left = bars_left[:room], bars_left[room:]
            rows[-1].append(CategoryBars(group.category, group.colour, taken))
            room -= len(taken)
    return rows


def _panel(groups: Sequence[CategoryBars], slot: float, highest: int, baseline: float) -> Panel:
    scale = _PLOT / highest
    headings, bars = [], []
    x = float(_MARGIN)
    for group in groups:
        headings.append(Heading(x + slot * (_HEADING - 0.5), _shorten(group.category)))
        x += slot * _HEADING
        for bar in group.bars:
            height = len(bar.units) * scale
            bars.append(
                BarMark(
                    x=x + slot * 0.12,
                    y=baseline - height,
                    width=slot * 0.76,
                    height=height,
                    text=_shorten(bar.concept),
                    count=len(bar.units),
                    title=_title(bar, group.category),
                    href="#" + bar.anchor,
                    colour=group.colour,
                )
            )
            x += slot
    ticks = tuple(Tick(baseline - count * scale, count) for count in axis_counts(highest))
    # a heading's capitals are wider than a concept's letters
    letters = max([1.4 * len(heading.text) for heading in headings] + [len(bar.text) for bar in bars])
    return Panel(math.ceil(baseline + 10 + letters * _LETTER), ticks, tuple(headings), tuple(bars))


def axis_counts(highest: int) -> range:
    """Choose whole numbers for an axis, at most five above 0.

    Parameters
    ----------
    highest : int
        What the axis reaches up to.

    Returns
    -------
    range
    """
    magnitude = 1
    while True:
        for step in (magnitude, 2 * magnitude, 5 * magnitude):
            if highest <= 5 * step:
                return range(0, highest + 1, step)
        magnitude *= 10


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _title(bar: Bar, category: str) -> str:
    units = ", ".join(map(str, bar.units[:20])) + (" …" if len(bar.units) > 20 else "")
    if len(bar.units) == 1:
        return f"{bar.concept} ({category}): unit {units}"
    return f"{bar.concept} ({category}): {len(bar.units)} units, {units}"
