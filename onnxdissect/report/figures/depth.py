"""Geometry of the chart of categories against depth, in pixels; a template writes it as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onnxdissect.report.data.report_data import LayerReport
from onnxdissect.report.figures.bars import Tick, axis_counts

__all__ = ["Column", "DepthChart", "Line", "Spot", "depth_chart", "names_apart", "shortened"]

_WIDTH, _HEIGHT = 620, 250
_LEFT, _RIGHT, _ABOVE, _BELOW = 34, 118, 14, 34
_APART = 14.0  # pixels between the names at the lines' ends
_LONGEST = 12


@dataclass(frozen=True, slots=True)
class Spot:
    """A layer's unique detectors of a category."""

    x: float
    y: float
    count: int
    layer: str


@dataclass(frozen=True, slots=True)
class Line:
    """A category through the network.

    Attributes
    ----------
    category : str
    colour : int
        Number of its colour in the style sheet.
    shape : int
        Number of the markers' shape: lines can be told apart without colour.
    spots : tuple of Spot
        One per layer.
    name_y : float
        Height of its name at the right end.
    """

    category: str
    colour: int
    shape: int
    spots: tuple[Spot, ...]
    name_y: float

    @property
    def path(self) -> str:
        """Points of an SVG polyline."""
        return " ".join(f"{spot.x:.1f},{spot.y:.1f}" for spot in self.spots)


@dataclass(frozen=True, slots=True)
class Column:
    """A layer's name under the chart."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class DepthChart:
    """Unique detectors of each category against depth.

    Attributes
    ----------
    width, height : int
    left, right, baseline : float
        Of the plot.
    ticks : tuple of Tick
    columns : tuple of Column
    lines : tuple of Line
        Categories with a detector somewhere; empty if nothing was detected.
    """

    width: int
    height: int
    left: float
    right: float
    baseline: float
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def depth_chart(layers: Sequence[LayerReport], quantile: int) -> DepthChart:
    """Lay out a line per category over the layers in the network's order.

    Parameters
    ----------
    layers : sequence of LayerReport
    quantile : int
        Position of the quantile in the run.

    Returns
    -------
    DepthChart
    """
    left, right, baseline = float(_LEFT), float(_WIDTH - _RIGHT), float(_HEIGHT - _BELOW)
    rows = [layer.views[quantile].category_bars for layer in layers]
    highest = max((group.unique for row in rows for group in row), default=0)
    scale = (baseline - _ABOVE) / max(highest, 1)
    step = (right - left) / max(len(layers) - 1, 1)
    places = [left + step * i for i in range(len(layers))] if len(layers) > 1 else [(left + right) / 2]
    lines = []
    for g, group in enumerate(rows[0] if rows else ()):
        counts = [row[g].unique for row in rows]
        if any(counts):
            spots = tuple(
                Spot(x, baseline - count * scale, count, layer.info.alias)
                for x, count, layer in zip(places, counts, layers, strict=True)
            )
            lines.append(Line(group.category, group.colour, g % 6, spots, spots[-1].y))
    every = -(-len(layers) * 46 // int(right - left)) if layers else 1
    columns = tuple(
        Column(x, shortened(layer.info.alias))
        for i, (x, layer) in enumerate(zip(places, layers, strict=True))
        if i % every == 0
    )
    ticks = tuple(Tick(baseline - count * scale, count) for count in axis_counts(max(highest, 1)))
    return DepthChart(_WIDTH, _HEIGHT, left, right, baseline, ticks, columns, _spread(lines, baseline))


def shortened(text: str) -> str:
    """Shorten a name to what fits under a column.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def names_apart(ends: Sequence[float], above: float, baseline: float) -> tuple[float, ...]:
    """Choose heights for the names at the right ends of lines, so that they do not overlap.

    Parameters
    ----------
    ends : sequence of float
        Height of each line's end, in pixels from the top.
    above : float
        Top of the plot.
    baseline : float
        Bottom of the plot.

    Returns
    -------
    tuple of float
        In the order of `ends`.
    """
    ordered = sorted(range(len(ends)), key=lambda i: -ends[i])
    heights: dict[int, float] = {}
    lowest = baseline + 4
    for i in ordered:
        lowest = min(ends[i], lowest)
        heights[i] = lowest
        lowest -= _APART
    # if the topmost name is now above the chart, all names move down
    down = max(above - 4 - min(heights.values(), default=above), 0.0)
    return tuple(heights[i] + down for i in range(len(ends)))


def _spread(lines: Sequence[Line], baseline: float) -> tuple[Line, ...]:
    """Set the heights of the names at the lines' ends."""
    heights = names_apart([line.spots[-1].y for line in lines], _ABOVE, baseline)
    return tuple(replace(line, name_y=height) for line, height in zip(lines, heights, strict=True))
