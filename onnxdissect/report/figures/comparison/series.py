"""Unique detectors along a series, such as checkpoints of one training: in all, and by category."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxdissect.report.figures.comparison.marks import (
    DARK,
    WIDTH,
    GroupNumbers,
    category_styles,
    count_axis,
    draw_legend,
    group_numbers,
    reach_name,
    series_places,
    shown_categories,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["series_figure"]

_CLOSEST = 0.13  # of the axis, between two texts below it


def series_figure(result: ComparisonResult) -> Figure:
    """Draw lines over the positions of the groups, with the groups' spread as bands.

    Parameters
    ----------
    result : ComparisonResult
        Of a series, with a detector somewhere.

    Returns
    -------
    matplotlib.figure.Figure
        All categories together above, each of them below.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
    groups = [group for group in result.groups if group.position is not None]
    chosen = [i for i, group in enumerate(result.groups) if group.position is not None]
    places, ticks, logarithmic = series_places([group.position or 0.0 for group in groups])
    in_all, by_category = group_numbers(result)
    styles = category_styles(result.categories)
    reach = reach_name(result)
    named: dict[str, Any] = {}
    all_style: dict[str, Any] = {"color": DARK, "marker": "o", "ms": 3, "lw": 1.5}
    named["all"] = _draw_line(above, places, [in_all[i] for i in chosen], all_style, band=bool(reach))
    for category in shown_categories(result):
        style = styles[category]
        drawn: dict[str, Any] = {"color": style.colour, "marker": style.marker, "ms": 3, "lw": 1.1}
        numbers = [by_category[category][i] for i in chosen]
        named[category] = _draw_line(below, places, numbers, drawn | {"ls": style.dashes}, band=bool(reach))
    if reach:
        named[reach] = above.fill_between([], [], [], color=DARK, alpha=0.2, lw=0)
    for axes in (above, below):
        count_axis(axes, 5)
    figure.supylabel("unique detectors", fontsize=8)
    kept = _apart(ticks, places)
    below.set_xticks([place for place, _ in kept], [text for _, text in kept], parse_math=False)
    below.set_xlabel(f"{result.by}{' (log axis)' if logarithmic else ''}", parse_math=False)
    if logarithmic and any(group.position == 0 for group in groups):
        _break_axis(below, places, groups[0].position == 0)
    draw_legend(figure, named, 3)
    return figure


def _draw_line(
    axes: Axes, places: Sequence[float], numbers: Sequence[GroupNumbers], drawn: dict[str, Any], *, band: bool
) -> Any:
    if band:
        axes.fill_between(
            places,
            [n.low for n in numbers],
            [n.high for n in numbers],
            color=drawn["color"],
            alpha=0.13,
            lw=0,
        )
    (line,) = axes.plot(places, [n.mean for n in numbers], clip_on=False, **drawn)
    return line


def _apart(ticks: Sequence[tuple[float, str]], places: Sequence[float]) -> list[tuple[float, str]]:
    """Leave out texts that would touch a neighbour."""
    least = _CLOSEST * ((max(places) - min(places)) or 1.0)
    kept: list[tuple[float, str]] = []
    for tick in ticks:
        if not kept or tick[0] - kept[-1][0] >= least:
            kept.append(tick)
    return kept


def _break_axis(axes: Axes, places: Sequence[float], first: bool) -> None:
    """Mark the gap between 0 and the smallest position."""
    if first and len(places) > 1:
        middle = (places[0] + places[1]) / 2
        axes.plot(
            [middle],
            [0],
            transform=axes.get_xaxis_transform(),
            marker=[(-0.6, -1), (0.6, 1)],
            ms=7,
            color=DARK,
            mew=0.8,
            clip_on=False,
            ls="",
        )
