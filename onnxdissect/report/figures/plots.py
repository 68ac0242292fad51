"""The charts as SVG, PDF and PNG files for a paper, drawn with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.report.data.report_data import CategoryBars, LayerReport, Report
from onnxdissect.report.figures.paper import COLOURS, MARKERS, paper_settings, save_figure
from onnxdissect.results.sweep import LayerSweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "bars_name", "depth_name", "draw_figures", "thresholds_name"]

FIGURES = "figures"  # their folder, beside the pages


def bars_name(layer: LayerReport, quantile: int) -> str:
    """Name a layer's bar chart, without its ending.

    Parameters
    ----------
    layer : LayerReport
    quantile : int
        Position of the quantile in the run.

    Returns
    -------
    str
        Relative to the report's folder.
    """
    return f"{FIGURES}/{layer.info.slug}-q{quantile}"


def depth_name(quantile: int) -> str:
    """Name the chart of categories against depth, without its ending.

    Parameters
    ----------
    quantile : int
        Position of the quantile in the run.

    Returns
    -------
    str
        Relative to the report's folder.
    """
    return f"{FIGURES}/depth-q{quantile}"


def thresholds_name(layer: LayerReport) -> str:
    """Name the charts of a layer's labels against the quantile, without their ending.

    Parameters
    ----------
    layer : LayerReport

    Returns
    -------
    str
        Relative to the report's folder.
    """
    return f"{FIGURES}/{layer.info.slug}-thresholds"


def draw_figures(report: Report, folder: Path) -> None:
    """Write every figure of a report in every format; equal reports give equal bytes.

    Parameters
    ----------
    report : Report
    folder : Path
        Folder of the report.
    """
    with paper_settings():
        (folder / FIGURES).mkdir()
        for q in range(len(report.quantiles)):
            if any(layer.views[q].unique for layer in report.own_layers):
                save_figure(_depth(report.own_layers, q), folder / depth_name(q))
            for layer in report.drawn_layers:
                if layer.views[q].unique:
                    save_figure(_bars(layer.views[q].category_bars), folder / bars_name(layer, q))
        for layer, swept in zip(report.layers, report.sweep.layers if report.sweep else (), strict=False):
            if layer in report.drawn_layers:
                save_figure(_thresholds(swept, report.categories), folder / thresholds_name(layer))


def _bars(groups: Sequence[CategoryBars]) -> Figure:
    """Draw one bar per detected concept, the paper's figure."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    shown = [group for group in groups if group.bars]
    bars = sum(group.unique for group in shown)
    longest = max(len(bar.concept) for group in shown for bar in group.bars)
    below = 0.062 * min(longest, 40) + 0.25
    figure = Figure(figsize=(max(0.16 * (bars + 2 * len(shown)) + 0.9, 3.4), 1.9 + below))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    width, height = figure.get_size_inches()
    axes.set_position((0.5 / width, below / height, 1 - 0.65 / width, 1 - (below + 0.4) / height))
    x = 0
    ticks, names = [], []
    for group in shown:
        places = list(range(x, x + group.unique))
        heights = [len(bar.units) for bar in group.bars]
        axes.bar(places, heights, width=0.78, color=COLOURS[group.colour])
        middle = (places[0] + places[-1]) / 2
        text = axes.annotate(
            f"{group.category} {group.unique}", (middle, 1.0), xycoords=("data", "axes fraction"),
            xytext=(0, 8), textcoords="offset points", ha="center", color=COLOURS[group.colour],
        )  # fmt: skip
        text.set_parse_math(False)
        ticks += places
        names += [bar.concept if len(bar.concept) <= 40 else bar.concept[:39] + "…" for bar in group.bars]
        x += group.unique + 1
    axes.set_xticks(ticks, names, rotation=90, fontsize=7, parse_math=False)
    axes.set_xlim(-1, x - 1)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("units")
    return figure


def _depth(layers: Sequence[LayerReport], quantile: int) -> Figure:
    """Draw the unique detectors of each category, layer by layer."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(max(0.5 * len(layers) + 1.6, 4.2), 2.6), layout="constrained")
    axes = figure.add_subplot()
    rows = [layer.views[quantile].category_bars for layer in layers]
    for g, group in enumerate(rows[0]):
        counts = [row[g].unique for row in rows]
        if any(counts):
            (line,) = axes.plot(
                range(len(layers)),
                counts,
                color=COLOURS[group.colour],
                marker=MARKERS[g % len(MARKERS)],
                ms=4,
                lw=1.4,
                clip_on=False,
            )
            # a name that begins with an underscore would be left out of the legend
            line.set_label("\u200b" + group.category if group.category.startswith("_") else group.category)
    names = [
        layer.info.alias if len(layer.info.alias) <= 40 else layer.info.alias[:39] + "…" for layer in layers
    ]
    axes.set_xticks(range(len(layers)), names, rotation=45, ha="right", parse_math=False)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("unique detectors")
    legend = axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _thresholds(swept: LayerSweep, categories: Sequence[tuple[str, int]]) -> Figure:
    """Draw detectors, generic labels and categories of a layer against tau, as wide as a page of a paper."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator, PercentFormatter

    figure = Figure(figsize=(7.0, 2.5), layout="constrained")
    axes = figure.subplots(1, 3)
    counts, taus = swept.counts, swept.quantiles

    def draw(place: int, name: str, values: Sequence[float | None], colour: str, marker: str) -> None:
        known = [math.nan if value is None else value for value in values]
        (line,) = axes[place].plot(taus, known, color=colour, marker=marker, ms=3.5, lw=1.3, clip_on=False)
        line.set_label("\u200b" + name if name.startswith("_") else name)

    draw(0, "detectors", [c.detectors for c in counts], COLOURS[8], "o")
    draw(0, "unique", [c.unique_detectors for c in counts], COLOURS[6], "s")
    band = [(c.quantile, c.unique_low, c.unique_high) for c in counts if c.unique_low is not None]
    if band:
        axes[0].fill_between(*zip(*band, strict=True), color=COLOURS[6], alpha=0.2, lw=0)
    draw(1, "of detectors", [c.generic_share for c in counts], COLOURS[7], "o")
    draw(1, "of all labels", [c.generic_label_share for c in counts], COLOURS[8], "s")
    for g, (category, colour) in enumerate(categories):
        if any(count.unique[category] for count in counts):
            draw(2, category, [c.unique[category] for c in counts], COLOURS[colour], MARKERS[g % 6])
    axes[1].set_ylim(0, 1)
    axes[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    for one, title in zip(axes, ("units", "generic labels", "unique detectors"), strict=True):
        one.set_xscale("log")
        one.set_xticks(taus, [f"{tau:g}" for tau in taus], rotation=90 if len(taus) > 4 else 0)
        one.xaxis.set_minor_locator(NullLocator())
        one.set_xlabel("quantile level τ")
        one.set_title(title, fontsize=8)
        one.set_ylim(bottom=0)
        if one.get_legend_handles_labels()[0]:
            for text in one.legend(frameon=False, fontsize=6).get_texts():
                text.set_parse_math(False)
    return figure
