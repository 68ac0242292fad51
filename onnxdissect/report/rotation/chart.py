"""Geometry of the chart of unique detectors against alpha, in pixels; a template writes it as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxdissect.report.data.numbers import count_text
from onnxdissect.report.figures.bars import Tick, axis_counts
from onnxdissect.report.figures.depth import names_apart, shortened
from onnxdissect.report.rotation.views import RotationView

if TYPE_CHECKING:
    from onnxdissect.experiments.rotation import CurveValue, Spread

__all__ = ["WIDTHS", "Curve", "Mark", "RotationChart", "rotation_chart"]

WIDTHS = (880, 340)
"""Of the chart in pixels: on a screen, and on a telephone."""

_HEIGHT = 320
_LEFT, _ABOVE, _BELOW = 34, 16, 44
_NAMES = 112  # beside the lines' ends, for their names
_RANDOM = 58  # for the random directions, at the right
_CLOSEST = 30.0  # pixels between two numbers below the axis


@dataclass(frozen=True, slots=True)
class Mark:
    """A mean over the seeds.

    Attributes
    ----------
    x, y : float
    least, most : float
        Heights of the smallest and the largest seed.
    low, high : float
        Heights of the ends of the 95 % interval; those of the mean where it is not known.
    title : str
        Tooltip.
    """

    x: float
    y: float
    least: float
    most: float
    low: float
    high: float
    title: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over the alphas.

    Attributes
    ----------
    name : str
        Of a category, or ``all``; shortened.
    colour : int
        Number of its colour in the style sheet; -1 for all categories together.
    shape : int
        Number of the markers' shape.
    marks : tuple of Mark
        One per alpha.
    end : float
        Of the x axis.
    name_y : float
        Height of its name at the right end.
    """

    name: str
    colour: int
    shape: int
    marks: tuple[Mark, ...]
    name_y: float

    @property
    def path(self) -> str:
        """Points of an SVG polyline."""
        return " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in self.marks)

    @property
    def band(self) -> str:
        """Points of an SVG polygon: the 95 % interval."""
        upper = [f"{mark.x:.1f},{mark.high:.1f}" for mark in self.marks]
        lower = [f"{mark.x:.1f},{mark.low:.1f}" for mark in reversed(self.marks)]
        return " ".join((*upper, *lower))


@dataclass(frozen=True, slots=True)
class RotationChart:
    """Unique detectors against alpha, in all and by category.

    Attributes
    ----------
    width, height : int
    left, right, baseline : float
        Of the plot.
    random_x : float
        Where the random directions stand.
    ticks : tuple of Tick
    columns : tuple of (float, str)
        Place and text of the alphas below the axis.
    total : Curve
        All categories together.
    lines : tuple of Curve
        Categories with a unique detector somewhere.
    seeds : tuple of (float, float)
        A dot for every rotation.
    permuted : Mark
        The layer with its units in another order.
    random : Mark
        Random directions.
    half : (float, float) or None
        Where half of the unique detectors are gone.
    """

    width: int
    height: int
    left: float
    right: float
    baseline: float
    random_x: float
    ticks: tuple[Tick, ...]
    columns: tuple[tuple[float, str], ...]
    total: Curve
    lines: tuple[Curve, ...]
    seeds: tuple[tuple[float, float], ...]
    permuted: Mark
    random: Mark
    half: tuple[float, float] | None


def rotation_chart(view: RotationView, colours: Mapping[str, int], width: int) -> RotationChart:
    """Lay the chart of a layer at a quantile out.

    Parameters
    ----------
    view : RotationView
    colours : mapping of str to int
        Number of each category's colour.
    width : int
        Pixels, of `WIDTHS`.

    Returns
    -------
    RotationChart
    """
    values, random = view.curve.values, view.curve.directions
    names = min(_NAMES, width // 4)
    left, right, baseline = float(_LEFT), float(width - names - _RANDOM), float(_HEIGHT - _BELOW)
    highest = max(_highest(value) for value in (*values, random))
    ticks = axis_counts(max(highest, 1))
    top = max(highest, ticks[-1], 1)

    def x_of(alpha: float) -> float:
        return left + (right - left) * alpha

    def y_of(count: float) -> float:
        return baseline - (baseline - _ABOVE) * count / top

    total = Curve("all", -1, 0, _marks("all", values, _all, x_of, y_of), 0.0)
    lines = [
        Curve(
            shortened(category),
            colours[category],
            1 + i % 5,
            _marks(category, values, _of(category), x_of, y_of),
            0.0,
        )
        for i, category in enumerate(view.categories)
    ]
    ends = [curve.marks[-1].y for curve in (total, *lines)]
    placed = [
        Curve(curve.name, curve.colour, curve.shape, curve.marks, height)
        for curve, height in zip((total, *lines), names_apart(ends, _ABOVE, baseline), strict=True)
    ]
    half = view.curve.half_life
    random_x = width - _RANDOM / 2
    permuted = y_of(view.permuted)
    return RotationChart(
        width=width,
        height=_HEIGHT,
        left=left,
        right=right,
        baseline=baseline,
        random_x=random_x,
        ticks=tuple(Tick(y_of(count), count) for count in ticks),
        columns=tuple(_columns([value.alpha or 0.0 for value in values], x_of)),
        total=placed[0],
        lines=tuple(placed[1:]),
        seeds=tuple(
            (mark.x, y_of(count))
            for row in view.seeds
            for mark, count in list(zip(total.marks, row, strict=True))[1:]
        ),
        permuted=Mark(
            left, permuted, permuted, permuted, permuted, permuted,
            f"units permuted: {view.permuted:,} unique detectors",
        ),
        random=_mark("random directions", random.unique, random_x, y_of),
        half=None if half is None else (x_of(half), y_of(values[0].unique.mean / 2)),
    )  # fmt: skip


def _highest(value: CurveValue) -> int:
    high = value.unique.high
    return max(value.unique.most, -int(-high // 1) if high is not None else 0)


def _all(value: CurveValue) -> Spread:
    return value.unique


def _of(category: str) -> Callable[[CurveValue], Spread]:
    return lambda value: value.by_category[category]


def _marks(
    name: str,
    values: Sequence[CurveValue],
    part: Callable[[CurveValue], Spread],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
) -> tuple[Mark, ...]:
    return tuple(
        _mark(f"{name}, alpha {value.alpha:g}", part(value), x_of(value.alpha or 0.0), y_of)
        for value in values
    )


def _mark(name: str, found: Spread, x: float, y_of: Callable[[float], float]) -> Mark:
    said = f"{name}: {count_text(found.mean)} unique detectors"
    if found.least != found.most:
        said += f", {found.least:,} to {found.most:,} over the seeds"
    low, high = found.mean, found.mean
    if found.low is not None and found.high is not None:
        low, high = found.low, found.high
        said += f", 95 % interval {count_text(low)} to {count_text(high)}"
    return Mark(x, y_of(found.mean), y_of(found.least), y_of(found.most), y_of(low), y_of(high), said)


def _columns(alphas: Sequence[float], x_of: Callable[[float], float]) -> list[tuple[float, str]]:
    """Write the alphas below the axis, as many as fit: both ends first."""
    chosen = {x_of(alphas[0]): alphas[0], x_of(alphas[-1]): alphas[-1]}
    for alpha in alphas:
        x = x_of(alpha)
        if all(abs(x - other) >= _CLOSEST for other in chosen):
            chosen[x] = alpha
    return [(x, f"{chosen[x]:g}") for x in sorted(chosen)]
