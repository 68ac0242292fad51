"""Stacked bars of unique detectors by category, a bar for each group."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

from onnxdissect.report.figures.comparison.marks import (
    DARK,
    WIDTH,
    category_styles,
    draw_legend,
    group_numbers,
    reach_name,
    short_names,
    shown_categories,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["bars_figure"]

_UPRIGHT = 10  # groups whose names find room below upright bars
_LONGEST = 28
_ROW = 0.135  # inches of a bar that lies, with its gap


def bars_figure(result: ComparisonResult) -> Figure:
    """Draw the groups of a comparison side by side; where there are many, one below the other.

    Parameters
    ----------
    result : ComparisonResult
        With a detector somewhere.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = short_names([group.name for group in result.groups], _LONGEST)
    upright = len(names) <= _UPRIGHT
    longest = max(map(len, names))
    turned = upright and longest * len(names) > 44
    height = 2.3 + (0.055 * longest if turned else 0.1) if upright else 0.9 + _ROW * len(names)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    named = _draw_stacks(axes, result, upright=upright)
    places = range(len(names))
    counts = axes.yaxis if upright else axes.xaxis
    counts.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if upright:
        axes.set_xticks(places, names, rotation=90 if turned else 0, parse_math=False)
        axes.set_ylabel("unique detectors")
        axes.set_xlim(-0.6, len(names) - 0.4)
    else:
        axes.set_yticks(places, names, parse_math=False)
        axes.set_xlabel("unique detectors")
        axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="x" if upright else "y", length=0, labelsize=7 if upright else 6.5)
    draw_legend(figure, named, 3)
    return figure


def _draw_stacks(axes: Axes, result: ComparisonResult, *, upright: bool) -> dict[str, Any]:
    """Draw bars and whiskers; give what the legend names."""
    in_all, by_category = group_numbers(result)
    styles = category_styles(result.categories)
    bases = [0.0] * len(in_all)
    named: dict[str, Any] = {}
    draw = axes.bar if upright else axes.barh
    for category in shown_categories(result):
        style = styles[category]
        values = [numbers.mean for numbers in by_category[category]]
        # White edges and hatches tell categories apart where colours are printed in grey.
        named[category] = draw(
            range(len(values)),
            values,
            0.74,
            bases,
            color=style.colour,
            hatch=style.hatch,
            edgecolor="white",
            linewidth=0.5,
        )
        bases = [base + value for base, value in zip(bases, values, strict=True)]
    reach = reach_name(result)
    if reach:
        means = [numbers.mean for numbers in in_all]
        # A group of one layer among others has no range.
        reaches = [n.low != n.high for n in in_all]
        lengths = [
            [max(n.mean - n.low, 0.0) if yes else nan for n, yes in zip(in_all, reaches, strict=True)],
            [max(n.high - n.mean, 0.0) if yes else nan for n, yes in zip(in_all, reaches, strict=True)],
        ]
        whiskers: dict[str, Any] = {"ls": "", "color": DARK, "elinewidth": 0.9, "capsize": 1.8, "zorder": 3}
        places = range(len(means))
        named[reach] = (
            axes.errorbar(places, means, yerr=lengths, **whiskers)
            if upright
            else axes.errorbar(means, places, xerr=lengths, **whiskers)
        )
    return named
