"""Accuracy against the number of units removed or kept, and IoU against how many classes need a unit."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxdissect.experiments.ablation.formats.folder import FIGURES
from onnxdissect.report.figures.paper import COLOURS, paper_settings, save_figure
from onnxdissect.storage.files import make_folder, write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnxdissect.experiments.ablation import AblatedClass, AblationResult, Removal

__all__ = ["FORMATS", "accuracy_figure", "draw_ablation", "needs_figure"]

FORMATS = ("png", "svg")

_COLUMNS, _MOST_CLASSES = 4, 10
_WIDTH, _HEIGHT = 1.75, 1.45  # inches of a panel
_REMOVED, _KEPT, _GREY = COLOURS[1], COLOURS[0], "#777777"
_STYLES = {
    "removed": (_REMOVED, "o", "-", "without the n most important"),
    "random removed": (_REMOVED, "o", ":", "without n random"),
    "kept": (_KEPT, "s", "-", "with only the n most important"),
    "random kept": (_KEPT, "s", ":", "with only n random"),
}
_JITTER = 0.16


def draw_ablation(result: AblationResult, folder: Path) -> list[Path]:
    """Write the figures of a result as PNG and SVG; equal results give equal bytes.

    Parameters
    ----------
    result : AblationResult
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
    make_folder(folder)
    written = []
    with paper_settings(), tempfile.TemporaryDirectory(prefix="onnxdissect-figures-") as place:
        for name, draw in zip(FIGURES, (accuracy_figure, needs_figure), strict=True):
            for drawn in save_figure(draw(result), Path(place, name), FORMATS):
                written.append(folder / drawn.name)
                write_bytes(written[-1], drawn.read_bytes())
    return written


def accuracy_figure(result: AblationResult) -> Figure:
    """Draw the mean over classes, and then class by class.

    Parameters
    ----------
    result : AblationResult

    Returns
    -------
    matplotlib.figure.Figure
        Up to ten classes, those that lose most at the largest number of units first; behind the mean, what
        the scores of the classes alone tell.
    """
    from matplotlib.figure import Figure

    shown = _shown(result)
    columns = min(_COLUMNS, 2 + len(shown))
    rows = math.ceil((2 + len(shown)) / columns)
    figure = Figure(figsize=(max(_WIDTH * columns, 3.4), _HEIGHT * rows + 0.75), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    mean = f"mean of {len(result.classes)}"
    before = [(one.nothing.accuracy, one.nothing.area) for one in result.classes]
    accuracy, area = np.mean(before, axis=0).tolist()
    _draw_panel(panels[0], result, None, mean, accuracy)
    _draw_panel(panels[1], result, None, f"{mean}: ROC area", area, area=True)
    for panel, one in zip(panels[2:], shown, strict=False):
        _draw_panel(panel, result, one.class_index, one.class_name, one.nothing.accuracy)
    for place, panel in enumerate(panels):
        if place >= 2 + len(shown):
            panel.set_axis_off()
        elif place + columns >= 2 + len(shown):
            # the lowest panel of its column
            panel.tick_params(axis="x", labelbottom=True)
            panel.set_xlabel("n units (log axis)", fontsize=7)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=6.5)
    figure.supylabel("accuracy, balanced", fontsize=8)
    return figure


def _shown(result: AblationResult) -> Sequence[AblatedClass]:
    n = max(n for n in result.counts)
    lost = {
        one.class_index: one.value.accuracy for one in result.removals if (one.kind, one.n) == ("removed", n)
    }
    order = sorted(result.classes, key=lambda one: lost[one.class_index] - one.nothing.accuracy)
    return order[:_MOST_CLASSES]


def _draw_panel(
    axes: Axes,
    result: AblationResult,
    number: int | None,
    title: str,
    before: float,
    *,
    area: bool = False,
) -> None:
    from matplotlib.ticker import NullLocator, PercentFormatter

    axes.axhline(before, color=_GREY, lw=0.8, ls="--", label="all units")
    for kind, style in _STYLES.items():
        _draw_curve(axes, result.curve(number, kind), style, area)
    axes.set_xscale("log")
    ticks = [n for i, n in enumerate(result.counts) if i % max(1, math.ceil(len(result.counts) / 5)) == 0]
    axes.set_xticks(ticks, [str(n) for n in ticks], fontsize=6)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(axis="y", labelsize=6)
    axes.set_title(title if len(title) <= 28 else f"{title[:27]}…", fontsize=7, parse_math=False)


def _draw_curve(axes: Axes, curve: Sequence[Removal], style: tuple[str, str, str, str], area: bool) -> None:
    colour, marker, dashes, name = style
    counts = [one.n for one in curve]
    axes.plot(
        counts,
        [one.value.area if area else one.value.accuracy for one in curve],
        color=colour,
        marker=marker,
        ls=dashes,
        ms=2.4,
        lw=1.0,
        mfc="white" if dashes == ":" else colour,
        label=name,
    )
    low, high = [one.value.low for one in curve], [one.value.high for one in curve]
    if not area and None not in low:
        axes.fill_between(counts, np.array(low, float), np.array(high, float), color=colour, alpha=0.13, lw=0)


def needs_figure(result: AblationResult) -> Figure:
    """Draw the IoU of units against how many classes need them.

    Parameters
    ----------
    result : AblationResult

    Returns
    -------
    matplotlib.figure.Figure
        A mark for each unit, detectors filled, and the mean over units that equally many classes need.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(3.3, 2.6), layout="constrained")
    axes = figure.add_subplot()
    often = np.array([len(one.classes) for one in result.needs])
    iou = np.array([one.iou for one in result.needs])
    detectors = np.array([one.detector for one in result.needs])
    # units that as many classes need would hide each other
    moved = often + np.random.default_rng(0).uniform(-_JITTER, _JITTER, len(often))
    for chosen, name, filled in ((detectors, "detector", True), (~detectors, "no detector", False)):
        if chosen.any():
            face = _KEPT if filled else "none"
            axes.scatter(moved[chosen], iou[chosen], s=8, c=face, edgecolors=_KEPT, lw=0.6, label=name)
    numbers = np.unique(often)
    means = [iou[often == number].mean() for number in numbers]
    axes.plot(numbers, means, color=_REMOVED, marker="D", ms=4, lw=1.1, label="mean")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("classes that need the unit")
    axes.set_ylabel("IoU of its label")
    axes.set_ylim(bottom=0)
    found = result.need_correlation
    if found is not None:
        axes.set_title(f"rank correlation {found.value:+.2f}", fontsize=7)
    axes.legend(frameon=False, fontsize=6.5)
    return figure
