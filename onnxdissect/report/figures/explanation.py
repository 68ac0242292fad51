"""A prediction and the units that made it: the image, their masks, and where they responded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.report.data.photos import shrink
from onnxdissect.report.figures.paper import paper_settings, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnxdissect.experiments.explanation import Explanation, UnitContribution

__all__ = [
    "FORMATS",
    "draw_explanation",
    "draw_explanations",
    "explanation_figure",
    "figure_name",
    "figure_names",
]

FORMATS = ("png", "svg")

_SIDE = 360  # pixels of an image in a figure, at most
_WIDTH = 1.5  # inches of a column
_DIMMED = 0.3
_SURE = "#c9550c"
_HEAT = "inferno"


def figure_names(explanations: Sequence[Explanation]) -> list[str]:
    """Name the figures of explanations, without their endings.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of one call.

    Returns
    -------
    list of str
        A number, and what the image is called.
    """
    count = len(explanations)
    return [figure_name(number, count, one.image) for number, one in enumerate(explanations, 1)]


def figure_name(number: int, count: int, image: str) -> str:
    """Name the figure of one explanation, without its ending.

    Parameters
    ----------
    number, count : int
        Which it is, from 1, of how many.
    image : str
        What the image is called.

    Returns
    -------
    str
        A number, and what the image is called.
    """
    from onnxdissect.model.layers.records import make_slug

    digits = max(2, len(str(count)))
    return f"{number:0{digits}}-{make_slug(Path(image).stem or 'image', ())}"


def draw_explanations(explanations: Sequence[Explanation], folder: Path) -> list[Path]:
    """Write a figure of every explanation as PNG and SVG; equal explanations give equal bytes.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of one call.
    folder : Path
        Where they are put.

    Returns
    -------
    list of Path
        What was written.
    """
    written: list[Path] = []
    for one, name in zip(explanations, figure_names(explanations), strict=True):
        written += draw_explanation(one, folder, name)
    return written


def draw_explanation(explanation: Explanation, folder: Path, name: str) -> list[Path]:
    """Write the figure of one explanation as PNG and SVG.

    Parameters
    ----------
    explanation : Explanation
    folder : Path
        Where they are put.
    name : str
        Without their endings.

    Returns
    -------
    list of Path
        What was written.
    """
    with paper_settings():
        return list(save_figure(explanation_figure(explanation), folder / name, FORMATS))


def explanation_figure(explanation: Explanation) -> Figure:
    """Draw the image, and of each unit told of its mask above and its heat map below.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    from onnxdissect.experiments.explanation.formats.wording import concept_sentence, prediction

    units = explanation.units
    small = shrink(explanation.pixels, _SIDE)
    tall = min(max(small.shape[0] / small.shape[1], 0.4), 2.2) * _WIDTH
    # a sentence stands below the panels, however few they are
    columns = max(len(units), 3) + 1
    size = (columns * (_WIDTH + 0.12) + 0.1, 2 * tall + 1.35)
    figure = Figure(figsize=size)

    def panel(column: int, top: float, height: float) -> Any:
        left = 0.1 + column * (_WIDTH + 0.12)
        axes = figure.add_axes(
            (left / size[0], 1 - (top + height) / size[1], _WIDTH / size[0], height / size[1])
        )
        axes.set_axis_off()
        return axes

    axes = panel(0, 0.62, tall)
    axes.imshow(small)
    _text(axes, _fitted(_named(explanation.image), 30), below=True)
    for column, unit in enumerate(units, 1):
        axes = panel(column, 0.62, tall)
        mask = _resized(explanation.mask(unit.unit), small)
        axes.imshow(_lit(small, mask))
        if mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=[_SURE], linewidths=0.7)
        _text(axes, "\n".join(_heading(unit)))
        axes = panel(column, 0.62 + tall + 0.06, tall)
        axes.imshow(_heated(small, explanation, unit))
        _text(axes, _amount(unit), below=True)
    said = f"{prediction(explanation)}; {explanation.alias}, {explanation.attribution}"
    figure.text(
        0.1 / size[0], 1 - 0.18 / size[1], _fitted(said, 26 * columns), parse_math=False, weight="bold"
    )
    lines = _wrapped(concept_sentence(explanation), 27 * columns)[:2]
    figure.text(0.1 / size[0], 0.12 / size[1], "\n".join(lines), parse_math=False, fontsize=7.5, va="bottom")
    return figure


def _named(image: str) -> str:
    return Path(image).name or image


def _heading(unit: UnitContribution) -> tuple[str, str]:
    label = unit.label if unit.detector else f"({unit.label or 'no concept'})"
    iou = f"IoU {unit.iou:.2f}"
    if unit.iou_low is not None and unit.iou_high is not None:
        iou += f" [{unit.iou_low:.2f}, {unit.iou_high:.2f}]"
    return _fitted(f"{unit.unit} {label}", 26), iou


def _amount(unit: UnitContribution) -> str:
    said = f"{unit.contribution:+.3g} ({100 * unit.share:+.0f} %)"
    return said if unit.box else f"{said}, below T"


def _text(axes: Any, text: str, *, below: bool = False) -> None:
    place = (
        {"xy": (0.5, 0), "xytext": (0, -3), "va": "top"}
        if below
        else {"xy": (0.5, 1), "xytext": (0, 3), "va": "bottom"}
    )
    drawn = axes.annotate(
        text, place["xy"], xycoords="axes fraction", xytext=place["xytext"], textcoords="offset points",
        ha="center", va=place["va"], fontsize=7,
    )  # fmt: skip
    drawn.set_parse_math(False)


def _resized(mask: NDArray[np.bool_], like: NDArray[np.uint8]) -> NDArray[np.bool_]:
    if mask.shape == like.shape[:2]:
        return mask
    rows = (np.arange(like.shape[0]) + 0.5) * mask.shape[0] / like.shape[0]
    columns = (np.arange(like.shape[1]) + 0.5) * mask.shape[1] / like.shape[1]
    return mask[np.ix_(rows.astype(int), columns.astype(int))]


def _lit(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Leave the image as it is in the mask, and dim it elsewhere."""
    share = np.where(mask, 1.0, _DIMMED)[:, :, None]
    return np.asarray(image * share + 255 * (1 - share) * 0.12, np.uint8)


def _heated(image: NDArray[np.uint8], explanation: Explanation, unit: UnitContribution) -> NDArray[np.uint8]:
    """Lay the activations over the image, as strong as they are beside the largest of it."""
    import matplotlib as mpl

    heat = np.maximum(explanation.heat(unit.unit), 0)
    rows = (np.arange(image.shape[0]) + 0.5) * heat.shape[0] / image.shape[0]
    columns = (np.arange(image.shape[1]) + 0.5) * heat.shape[1] / image.shape[1]
    heat = heat[np.ix_(rows.astype(int), columns.astype(int))]
    strength = heat / heat.max() if heat.max() > 0 else heat
    colours = mpl.colormaps[_HEAT](strength)[:, :, :3] * 255
    share = (0.25 + 0.6 * strength)[:, :, None]
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(colours * share + grey * (1 - share), np.uint8)


def _fitted(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)
