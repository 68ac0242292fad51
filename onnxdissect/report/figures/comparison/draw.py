"""Which figures a comparison has, and the files they become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.report.figures.comparison.bars import bars_figure
from onnxdissect.report.figures.comparison.depth import depth_figure, depth_lines
from onnxdissect.report.figures.comparison.drawable import with_drawable_names
from onnxdissect.report.figures.comparison.heat import heat_figure
from onnxdissect.report.figures.comparison.series import series_figure
from onnxdissect.report.figures.paper import FORMATS, paper_settings, save_figure
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["FIGURE_NAMES", "comparison_figures", "draw_comparison"]

FIGURE_NAMES = ("groups", "series", "depth", "concepts")
"""Names of all figures that a comparison may have, without their endings."""


def comparison_figures(result: ComparisonResult) -> dict[str, Callable[[ComparisonResult], Figure]]:
    """Choose the figures that say something of a result.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    dict of str to callable
        What draws each, by its name: ``groups`` (bars of unique detectors by category), ``series`` (lines
        along a series), ``depth`` (lines through each network), ``concepts`` (a map of the best IoUs). Empty
        if nothing was detected anywhere.
    """
    if not any(layer.unique.value for layer in result.layers):
        return {}
    chosen: dict[str, Callable[[ComparisonResult], Figure]] = {}
    if result.series and len({group.position for group in result.groups if group.position is not None}) > 1:
        chosen["series"] = series_figure
    else:
        chosen["groups"] = bars_figure
    if depth_lines(result):
        chosen["depth"] = depth_figure
    if result.concepts and len(result.layers) > 1:
        chosen["concepts"] = heat_figure
    return chosen


def draw_comparison(result: ComparisonResult, folder: Path) -> list[Path]:
    """Draw a comparison in every format; equal results give equal bytes.

    Parameters
    ----------
    result : ComparisonResult
    folder : Path
        Made if it does not exist. Figures of an earlier comparison that this one does not have are removed.

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
    result = with_drawable_names(result)
    figures = comparison_figures(result)
    written: list[Path] = []
    try:
        for name in FIGURE_NAMES:
            if name not in figures:
                for form in FORMATS:
                    (folder / f"{name}.{form}").unlink(missing_ok=True)
        with paper_settings():
            import matplotlib as mpl

            with mpl.rc_context({"hatch.linewidth": 0.5}):
                for name, draw in figures.items():
                    written += save_figure(draw(result), folder / name)
    except OSError as error:
        raise write_error(folder, error, doing=f"draw into {folder}") from error
    return written
