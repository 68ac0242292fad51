"""Unique detectors by category against the depth of the layer, a line for each network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxdissect.report.figures.comparison.marks import (
    DARK,
    DASHES,
    GREY,
    WIDTH,
    category_styles,
    count_axis,
    draw_legend,
    shorten_middle,
    shown_categories,
)
from onnxdissect.report.figures.paper import MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnxdissect.experiments.comparison.records import ComparedLayer
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["DepthLine", "depth_figure", "depth_lines"]

_MOST_TOLD_APART = 8  # lines that have markers and names


@dataclass(frozen=True, slots=True)
class DepthLine:
    """The compared layers of one network, at one quantile, under one basis.

    Attributes
    ----------
    name : str
        No longer than it has to be to tell it from the others.
    layers : tuple of ComparedLayer
        By depth.
    """

    name: str
    layers: tuple[ComparedLayer, ...]


def depth_lines(result: ComparisonResult) -> list[DepthLine]:
    """Find the networks of which several layers are compared.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    list of DepthLine
        In the order of their first layers.
    """
    found: dict[tuple[str, float, str | None], list[ComparedLayer]] = defaultdict(list)
    for layer in result.layers:
        found[layer.run, layer.quantile, layer.basis].append(layer)
    several = [sorted(one, key=lambda layer: layer.depth) for one in found.values()]
    several = [one for one in several if len({layer.depth for layer in one}) > 1]
    names = _short_names([one[0] for one in several])
    return [DepthLine(name, tuple(one)) for name, one in zip(names, several, strict=True)]


def _short_names(layers: Sequence[ComparedLayer]) -> list[str]:
    """Name networks by their files, by their runs where files are alike; by more where that is not enough."""
    parts: tuple[Callable[[ComparedLayer], str], ...] = (
        lambda layer: layer.model,
        lambda layer: layer.run,
        lambda layer: f"{layer.model}, {layer.basis or 'own units'}",
        lambda layer: f"{layer.model}, {layer.quantile:g}",
        lambda layer: f"{layer.run}, {layer.basis or 'own units'}, {layer.quantile:g}",
    )
    for part in parts[:-1]:
        names = [part(layer) for layer in layers]
        if len(set(names)) == len(names):
            return names
    return [parts[-1](layer) for layer in layers]


def depth_figure(result: ComparisonResult) -> Figure:
    """Draw a plot for all categories together and for each of them, with a line for each network.

    Parameters
    ----------
    result : ComparisonResult
        With a network of several layers, and a detector somewhere.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lines = depth_lines(result)
    styles = category_styles(result.categories)
    shown = shown_categories(result)
    rows = -(-(1 + len(shown)) // 2)
    named_below = len(lines) if len(lines) <= _MOST_TOLD_APART else 0
    figure = Figure(figsize=(WIDTH, 0.5 + 1.14 * rows + 0.13 * -(-named_below // 2)), layout="constrained")
    plots = list(figure.subplots(rows, 2, sharex=True, squeeze=False).flat)
    named = _draw_lines(plots[0], lines, lambda layer: layer.unique.value, DARK)
    plots[0].set_title("all", fontsize=7.5)
    for axes, category in zip(plots[1:], shown, strict=False):
        _draw_lines(axes, lines, _counter(category), styles[category].colour)
        axes.set_title(
            shorten_middle(category, 20), fontsize=7.5, color=styles[category].colour, parse_math=False
        )
    for axes in plots[1 + len(shown) :]:
        axes.set_axis_off()
    deepest = max(layer.depth for line in lines for layer in line.layers)
    for axes in plots[: 1 + len(shown)]:
        count_axis(axes, 4)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.set_xlim(0.7, deepest + 1.3)
        axes.tick_params(labelsize=7, labelbottom=True)
    for axes in plots[max(len(shown) - 1, 0) : 1 + len(shown)]:
        axes.set_xlabel("depth of the layer", fontsize=7)
    figure.supylabel("unique detectors", fontsize=8)
    if named:
        draw_legend(figure, named, 2)
    else:
        plots[0].set_title(f"all, {len(lines)} networks", fontsize=7.5)
    return figure


def _counter(category: str) -> Callable[[ComparedLayer], float]:
    return lambda layer: layer.unique_by_category[category].value


def _draw_lines(
    axes: Axes, lines: Sequence[DepthLine], count: Callable[[ComparedLayer], float], colour: str
) -> dict[str, Any]:
    """Draw a plot's lines; give those of the legend, in a colour that is no category's."""
    named: dict[str, Any] = {}
    apart = len(lines) <= _MOST_TOLD_APART
    for i, line in enumerate(lines):
        drawn: dict[str, Any] = {"lw": 1.0, "ls": DASHES[i % len(DASHES)], "ms": 2.8}
        drawn["marker"] = MARKERS[i % len(MARKERS)]
        if not apart:
            drawn = {"lw": 0.7, "alpha": 0.6}
        elif i >= len(MARKERS):
            drawn["mfc"] = "white"
        depths = [layer.depth + 1 for layer in line.layers]
        axes.plot(depths, [count(layer) for layer in line.layers], color=colour, clip_on=False, **drawn)
        if apart:
            (named[line.name],) = axes.plot([], [], color=GREY, **drawn)
    return named
