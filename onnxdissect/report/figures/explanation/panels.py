"""A prediction and the units that made it: the image, their masks, and where they responded."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.upsampling import upsample_map
from onnxdissect.experiments.explanation.segments import segment_by_units
from onnxdissect.report.data.photos import shrink
from onnxdissect.report.figures.explanation.segments import draw_segments
from onnxdissect.report.figures.paper import paper_settings, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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

_SIDE = 192  # pixels of an image in a figure, at most: as many as a column has
_WHOLE = 7.0  # inches: the text of a page
_ROW = 6  # units beside each other
_GAP = 0.05
_EDGE = 0.04
_WIDTH = (_WHOLE - 2 * _EDGE - _ROW * _GAP) / (_ROW + 1)  # of a column
_LINE = 0.112  # of a line of text
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
    """Write figures of every explanation; equal explanations give equal bytes.

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
    """Write the figures of one explanation.

    That is the image with the masks of its units and, painted, with its segmentation by units, both as PNG
    and SVG, and the segmentation as a map of numbers.

    Parameters
    ----------
    explanation : Explanation
    folder : Path
        Where they are put.
    name : str
        Of the first, without its endings.

    Returns
    -------
    list of Path
        What was written.
    """
    with paper_settings():
        written = save_figure(explanation_figure(explanation), folder / name, FORMATS)
        return [*written, *draw_segments(explanation, segment_by_units(explanation), folder, name)]


def explanation_figure(explanation: Explanation) -> Figure:
    """Draw the image, and of each unit told of its mask and its heat map, as wide as a page's text.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    from onnxdissect.experiments.explanation.formats.wording import (
        attribution_name,
        concept_sentence,
        prediction,
    )

    small = shrink(explanation.pixels, _SIDE)
    tall = min(max(small.shape[0] / small.shape[1], 0.4), 2.2) * _WIDTH
    rows = [explanation.units[i : i + _ROW] for i in range(0, len(explanation.units), _ROW)] or [()]
    name = f"{explanation.alias}, {attribution_name(explanation)}"
    said = textwrap.wrap(f"{prediction(explanation)}; {name}", 95)[:2]
    sentence = textwrap.wrap(concept_sentence(explanation), 118)[:3]
    block = 3 * _LINE + 0.05 + 2 * tall + _GAP + 2 * _LINE + 0.12
    top = 0.12 + 0.13 * len(said)
    height = top + len(rows) * block + 0.08 + 0.13 * len(sentence)
    figure = Figure(figsize=(_WHOLE, height))
    # one field of inches from the upper left corner: axes of their own would take most of the time
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(_EDGE, 0.06, "\n".join(said), va="top", fontsize=8, weight="bold", parse_math=False)
    for row, units in enumerate(rows):
        y = top + row * block
        if row == 0:
            _image(axes, small, 0, y + 3 * _LINE + 0.05, tall)
            _text(axes, 0, y + 3 * _LINE + 0.08 + tall, [_fitted(_named(explanation.image), 19)])
        for column, unit in enumerate(units, 1):
            _unit(axes, explanation, unit, small, (column, y, tall))
    y = top + len(rows) * block + 0.02
    axes.text(_EDGE, y, "\n".join(sentence), va="top", fontsize=7.5, parse_math=False)
    axes.set(xlim=(0, _WHOLE), ylim=(height, 0), aspect="auto")
    return figure


def _unit(
    axes: Axes,
    explanation: Explanation,
    unit: UnitContribution,
    small: NDArray[np.uint8],
    place: tuple[int, float, float],
) -> None:
    """Draw what there is of a unit: its label, its mask, its heat map, its contribution."""
    column, y, tall = place
    _text(axes, column, y, list(_heading(unit)))
    y += 3 * _LINE + 0.05
    # at the size that is drawn: of photographs of many megapixels the maps would take most of the time
    heat = upsample_map(
        explanation.activations[unit.unit],
        (small.shape[0], small.shape[1]),
        explanation.input_size,
        explanation.placement,
    )
    mask = heat > np.float32(unit.threshold)
    _image(axes, _lit(small, mask), column, y, tall)
    if mask.any() and not mask.all():
        across = _left(column) + (np.arange(mask.shape[1]) + 0.5) * _WIDTH / mask.shape[1]
        down = y + (np.arange(mask.shape[0]) + 0.5) * tall / mask.shape[0]
        # of one row or column there is no outline
        if min(mask.shape) > 1:
            axes.contour(across, down, mask, levels=[0.5], colors=[_SURE], linewidths=0.7)
    y += tall + _GAP
    _image(axes, _heated(small, heat), column, y, tall)
    _text(axes, column, y + tall + 0.03, list(_amount(unit)))


def _left(column: int) -> float:
    return _EDGE + column * (_WIDTH + _GAP)


def _image(axes: Axes, pixels: NDArray[np.uint8], column: int, y: float, tall: float) -> None:
    # as it is, since a file of larger pictures shows no more
    extent = _left(column), _left(column) + _WIDTH, y + tall, y
    axes.imshow(pixels, extent=extent, interpolation="none")


def _named(image: str) -> str:
    return Path(image).name or image


def _heading(unit: UnitContribution) -> Iterator[str]:
    label = unit.label if unit.detector else f"({unit.label or 'no concept'})"
    yield _fitted(f"{unit.unit} {label}", 19)
    yield f"IoU {unit.iou:.2f}"
    if unit.iou_low is not None and unit.iou_high is not None:
        yield f"[{unit.iou_low:.2f}, {unit.iou_high:.2f}]"


def _amount(unit: UnitContribution) -> Iterator[str]:
    yield f"{unit.contribution:+.3g} ({100 * unit.share:+.0f} %)"
    if unit.box is None:
        yield "below T"


def _text(axes: Axes, column: int, y: float, lines: Sequence[str]) -> None:
    for i, line in enumerate(lines):
        # a name may hold a line end
        said = " ".join(line.split())
        axes.text(
            _left(column) + _WIDTH / 2, y + i * _LINE, said, ha="center", va="top", fontsize=6.2,
            parse_math=False,
        )  # fmt: skip


def _lit(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Leave the image as it is in the mask, and dim it elsewhere."""
    share = np.where(mask, 1.0, _DIMMED)[:, :, None]
    return np.asarray(image * share + 255 * (1 - share) * 0.12, np.uint8)


def _heated(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay the activations over the image, as strong as they are beside the largest of it."""
    import matplotlib as mpl

    heat = np.maximum(heat, 0)
    strength = heat / heat.max() if heat.max() > 0 else heat
    colours = mpl.colormaps[_HEAT](strength)[:, :, :3] * 255
    share = (0.25 + 0.6 * strength)[:, :, None]
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(colours * share + grey * (1 - share), np.uint8)


def _fitted(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
