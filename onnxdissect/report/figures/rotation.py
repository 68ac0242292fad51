"""Unique detectors against the share of a rotation as SVG, PDF and PNG files, as wide as a paper's column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.experiments.rotation import RotationCurve, RotationResult
from onnxdissect.report.data.report_data import category_colours
from onnxdissect.report.figures.paper import COLOURS, MARKERS, paper_settings, save_figure
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_rotations", "rotation_figure_name"]

_WIDTH = 3.3  # inches: a column of a paper
_HEIGHT = 2.9
_DARK, _GREY = "#222222", "#777777"
_ALL = "all (mean, sd of seeds)"
_LAST = ("permutation", "random directions", "95 % interval")
# Where marks of what no share of a rotation belongs to are drawn.
_BESIDE = 1.08


def rotation_figure_name(slug: str, quantile: int) -> str:
    """Name a layer's figure, without its ending.

    Parameters
    ----------
    slug : str
        The layer's folder name.
    quantile : int
        Position of the quantile in the run.

    Returns
    -------
    str
    """
    return f"{slug}-q{quantile}"


def draw_rotations(result: RotationResult, folder: Path) -> list[Path]:
    """Draw every curve of a result in every format; equal results give equal bytes.

    Parameters
    ----------
    result : RotationResult
    folder : Path
        Made if it does not exist.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    make_folder(folder, inside=result.path if folder.is_relative_to(result.path) else None)
    colours = category_colours(result.categories)
    written: list[Path] = []
    try:
        with paper_settings():
            for place, curve in enumerate(result.curves):
                layer = result.layers[place // len(result.quantiles)]
                name = rotation_figure_name(layer.slug, place % len(result.quantiles))
                permuted = next(
                    point.unique_detectors
                    for point in result.points_of(curve.layer, curve.quantile)
                    if point.kind == "permutation"
                )
                written += save_figure(_figure(curve, permuted, colours), folder / name)
    except OSError as error:
        raise write_error(folder, error, doing=f"draw into {folder}") from error
    return written


def _figure(curve: RotationCurve, permuted: int, colours: dict[str, int]) -> Figure:
    """Draw one curve: all categories with interval and spread, each category as a line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    alphas = [value.alpha or 0.0 for value in curve.values]
    everything = [value.unique for value in curve.values]
    if everything[0].low is not None:
        axes.fill_between(
            alphas,
            [found.low or 0.0 for found in everything],
            [found.high or 0.0 for found in everything],
            color=_DARK,
            alpha=0.13,
            lw=0,
            label=_LAST[2],
        )
    axes.errorbar(
        alphas,
        [found.mean for found in everything],
        yerr=[found.sd for found in everything],
        color=_DARK,
        marker="o",
        ms=3,
        lw=1.4,
        elinewidth=0.8,
        capsize=1.8,
        label=_ALL,
    )
    for g, (category, colour) in enumerate(colours.items()):
        means = [value.by_category[category].mean for value in curve.values]
        if any(means):
            (line,) = axes.plot(
                alphas, means, color=COLOURS[colour], marker=MARKERS[g % len(MARKERS)], ms=2.4, lw=0.9
            )
            # a name that begins with an underscore would be left out of the legend
            line.set_label("\u200b" + category if category.startswith("_") else category)
    _draw_controls(axes, curve, permuted)
    axes.set_xlim(-0.05, _BESIDE + 0.05)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("share of the rotation")
    axes.set_ylabel("unique detectors")
    # matplotlib would put lines with error bars behind all others
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [_ALL, *(name for name in named if name not in (_ALL, *_LAST)), *_LAST]
    shown = [name for name in names if name in named]
    legend = figure.legend(
        [named[name] for name in shown],
        shown,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=6.5,
        handlelength=1.6,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _draw_controls(axes: Axes, curve: RotationCurve, permuted: int) -> None:
    """Mark what the permuted layer has, at alpha 0, and beside the curve what random directions have."""
    axes.plot([0], [permuted], ls="", marker="x", ms=6, color=_GREY, mew=1.2, label=_LAST[0])
    directions = curve.directions.unique
    axes.errorbar(
        [_BESIDE],
        [directions.mean],
        yerr=[directions.sd],
        ls="",
        marker="D",
        mfc="white",
        ms=4,
        color=_GREY,
        elinewidth=0.8,
        capsize=1.8,
        label=_LAST[1],
    )
