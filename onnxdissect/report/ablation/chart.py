"""Geometry of the drawings of an ablation, in pixels; a template writes them as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxdissect.experiments.ablation import AblationResult, Removal, UnitNeed

__all__ = ["CurveChart", "Line", "NeedsChart", "Spot", "curve_chart", "needs_chart"]

_WIDTH, _HEIGHT = 292, 196
_LEFT, _RIGHT, _ABOVE, _BELOW = 42, 10, 24, 34
_NEEDS_WIDTH, _NEEDS_HEIGHT = 460, 260
_CLOSEST = 24.0  # pixels between two numbers below the axis
_LETTERS = 38  # of a title
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_MOST_TICKS = 5
# Units that equally many classes need are set beside each other, in as many places.
_PLACES = 13
_SPREAD = 0.34
_KINDS = {
    "removed": "without the {n} most important",
    "random removed": "without {n} random",
    "kept": "with only the {n} most important",
    "random kept": "with only {n} random",
}


@dataclass(frozen=True, slots=True)
class Spot:
    """A mark.

    Attributes
    ----------
    x, y : float
    title : str
        Tooltip.
    """

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """What is left as more and more units are removed or kept.

    Attributes
    ----------
    kind : str
        For the style sheet, such as ``random-kept``.
    spots : tuple of Spot
        One for each number of units.
    band : str
        Points of an SVG polygon, the 95 % interval; empty where there is none.
    """

    kind: str
    spots: tuple[Spot, ...]
    band: str

    @property
    def path(self) -> str:
        """Points of an SVG polyline."""
        return " ".join(f"{spot.x:.1f},{spot.y:.1f}" for spot in self.spots)


@dataclass(frozen=True, slots=True)
class CurveChart:
    """One class, or the mean over classes.

    Attributes
    ----------
    width, height : int
    left, right, baseline : float
        Of the plot.
    title : str
        Short enough to stand above.
    label : str
        All of it, for those who do not see it.
    before : float
        Height of what is told with all units there.
    ticks : tuple of (float, str)
        Heights of the y axis.
    columns : tuple of (float, str)
        Places of the x axis.
    lines : tuple of Line
    """

    width: int
    height: int
    left: float
    right: float
    baseline: float
    title: str
    label: str
    before: float
    ticks: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class NeedsChart:
    """IoU of units against how many classes need them.

    Attributes
    ----------
    width, height : int
    left, right, baseline : float
        Of the plot.
    ticks : tuple of (float, str)
        Heights of the y axis.
    columns : tuple of (float, str)
        Places of the x axis.
    detectors, others : tuple of Spot
        Units.
    means : tuple of Spot
        Of the units that equally many classes need.
    """

    width: int
    height: int
    left: float
    right: float
    baseline: float
    ticks: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    detectors: tuple[Spot, ...]
    others: tuple[Spot, ...]
    means: tuple[Spot, ...]

    @property
    def path(self) -> str:
        """Points of the polyline through the means."""
        return " ".join(f"{spot.x:.1f},{spot.y:.1f}" for spot in self.means)


def curve_chart(
    result: AblationResult, number: int | None, name: str, before: float, least: float, *, area: bool = False
) -> CurveChart:
    """Lay the curves of a class out.

    Parameters
    ----------
    result : AblationResult
    number : int or None
        Of the class; None for the mean over those whose units are removed.
    name : str
        Of the class.
    before : float
        What is told with all units there.
    least : float
        What the y axis has to reach down to.
    area : bool
        Draw the ROC area in place of the accuracy.

    Returns
    -------
    CurveChart
    """
    curves = {kind: result.curve(number, kind) for kind in _KINDS}
    lowest, ticks = _axis(least, 1.0)
    counts, baseline = result.counts, float(_HEIGHT - _BELOW)
    first, last = math.log(counts[0]), math.log(counts[-1])

    def x_of(n: int) -> float:
        whole = float(_WIDTH - _RIGHT - 6 - _LEFT)
        return _LEFT + 4 + (whole * (math.log(n) - first) / (last - first) if last > first else whole / 2)

    def y_of(value: float) -> float:
        return baseline - (baseline - _ABOVE) * (value - lowest) / (1.0 - lowest)

    what = "ROC area" if area else "accuracy"
    title = f"{name}, ROC area" if area else name
    return CurveChart(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        baseline=baseline,
        title=title if len(title) <= _LETTERS else f"{title[: _LETTERS - 1]}…",
        label=f"{what} of {name} by number of units; {100 * before:.1f} % with all of them",
        before=y_of(before),
        ticks=tuple((y_of(tick), f"{100 * tick:.0f} %") for tick in ticks),
        columns=tuple(_columns(counts, x_of)),
        lines=tuple(_line(kind, curve, x_of, y_of, area) for kind, curve in curves.items()),
    )


def _value(one: Removal, area: bool) -> float:
    return one.value.area if area else one.value.accuracy


def _axis(least: float, most: float) -> tuple[float, list[float]]:
    """Choose where an axis begins, at or below the least value, and what is written at it."""
    step = next((one for one in _STEPS if (most - least) / one <= _MOST_TICKS), _STEPS[-1])
    first = math.floor(least / step + 1e-9)
    last = math.floor(most / step + 1e-9)
    if first == last:
        first -= 1
    return first * step, [place * step for place in range(first, last + 1)]


def _line(
    kind: str,
    curve: Sequence[Removal],
    x_of: Callable[[int], float],
    y_of: Callable[[float], float],
    area: bool,
) -> Line:
    spots, upper, lower = [], [], []
    for one in curve:
        value, x = _value(one, area), x_of(one.n)
        said = f"{_KINDS[kind].format(n=one.n)}: {100 * value:.1f} %"
        low, high = (None, None) if area else (one.value.low, one.value.high)
        if low is not None and high is not None:
            said += f", 95 % interval {100 * low:.1f} to {100 * high:.1f}"
            upper.append(f"{x:.1f},{y_of(high):.1f}")
            lower.append(f"{x:.1f},{y_of(low):.1f}")
        spots.append(Spot(x, y_of(value), said))
    return Line(kind.replace(" ", "-"), tuple(spots), " ".join((*upper, *reversed(lower))))


def _columns(numbers: Sequence[int], x_of: Callable[[int], float]) -> list[tuple[float, str]]:
    """Write numbers below an axis, as many as fit: both ends first."""
    chosen = {x_of(numbers[-1]): numbers[-1], x_of(numbers[0]): numbers[0]}
    for number in numbers:
        x = x_of(number)
        if all(abs(x - other) >= _CLOSEST for other in chosen):
            chosen[x] = number
    return [(x, f"{chosen[x]:,}") for x in sorted(chosen)]


def needs_chart(needs: Sequence[UnitNeed]) -> NeedsChart:
    """Lay out the IoU of units against how many classes need them.

    Parameters
    ----------
    needs : sequence of UnitNeed
        Of every unit.

    Returns
    -------
    NeedsChart
    """
    most = max(len(one.classes) for one in needs)
    highest = max(max(one.iou for one in needs), 0.01)
    _, ticks = _axis(0.0, highest)
    top, baseline = max(highest, ticks[-1]), float(_NEEDS_HEIGHT - _BELOW)
    slot = (_NEEDS_WIDTH - _RIGHT - _LEFT) / (most + 1)

    def x_of(often: int) -> float:
        return _LEFT + slot * (often + 0.5)

    def y_of(iou: float) -> float:
        return baseline - (baseline - _ABOVE) * iou / top

    spots: dict[bool, list[Spot]] = {True: [], False: []}
    ious: dict[int, list[float]] = {}
    for one in needs:
        often = len(one.classes)
        place = len(ious.setdefault(often, [])) * 5 % _PLACES
        ious[often].append(one.iou)
        beside = _SPREAD * slot * (2 * place / (_PLACES - 1) - 1)
        said = f"unit {one.unit}, {one.label}, IoU {one.iou:.3f}: needed by {often:,}"
        spots[one.detector].append(Spot(x_of(often) + beside, y_of(one.iou), said))
    means = [(often, sum(found) / len(found)) for often, found in sorted(ious.items())]
    return NeedsChart(
        width=_NEEDS_WIDTH,
        height=_NEEDS_HEIGHT,
        left=_LEFT,
        right=_NEEDS_WIDTH - _RIGHT,
        baseline=baseline,
        ticks=tuple((y_of(tick), f"{tick:.2f}") for tick in ticks),
        columns=tuple(_columns(range(most + 1), x_of)),
        detectors=tuple(spots[True]),
        others=tuple(spots[False]),
        means=tuple(
            Spot(x_of(often), y_of(mean), f"needed by {often:,}: mean IoU {mean:.3f}")
            for often, mean in means
        ),
    )
