"""Segmentation by units as pictures: a map of numbers, and the painted image with its legend."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.report.data.photos import shrink
from onnxdissect.report.figures.explanation.marks import area_text, colour, ink, number_spots, rgb
from onnxdissect.report.figures.paper import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnxdissect.experiments.explanation import Explanation
    from onnxdissect.experiments.explanation.segments import Segmentation, SegmentedConcept

__all__ = [
    "draw_segments",
    "map_name",
    "painted",
    "painted_name",
    "segments_figure",
    "write_map",
]

_SIDE = 390  # pixels of the painted image in a figure, at most
_COLUMN = 3.3  # inches of a paper's column
_PICTURE = 1.95  # inches of it that the image takes
_LINE = 0.125  # inches
_PAINT = 0.62  # share of the colour where there is one
_FORMATS = ("png", "svg")


def map_name(figure: str) -> str:
    """Name the map of numbers beside a figure.

    Parameters
    ----------
    figure : str
        Name of the image's figure, without its ending.

    Returns
    -------
    str
    """
    return f"{figure}-segments.png"


def painted_name(figure: str) -> str:
    """Name the painted image beside a figure, without its ending.

    Parameters
    ----------
    figure : str
        Name of the image's figure, without its ending.

    Returns
    -------
    str
    """
    return f"{figure}-painted"


def draw_segments(explanation: Explanation, segments: Segmentation, folder: Path, figure: str) -> list[Path]:
    """Write the map of numbers and the painted image; equal segments give equal bytes.

    Parameters
    ----------
    explanation : Explanation
    segments : Segmentation
        Of it.
    folder : Path
        Where they are put.
    figure : str
        Name of the image's figure, without its ending.

    Returns
    -------
    list of Path
        What was written.
    """
    path = folder / map_name(figure)
    write_map(segments, path)
    drawn = segments_figure(explanation, segments)
    return [path, *save_figure(drawn, folder / painted_name(figure), _FORMATS)]


def write_map(segments: Segmentation, path: Path) -> None:
    """Write the numbers as an image of a palette: a viewer shows the legend's colours, a program the numbers.

    Parameters
    ----------
    segments : Segmentation
    path : Path
        A PNG at the image's own size. 0, where nothing is painted, is transparent.
    """
    from PIL import Image

    numbers = range(len(segments.concepts))
    palette = [0, 0, 0, *(value for number in numbers for value in rgb(number + 1))]
    image = Image.fromarray(segments.index)
    image.putpalette(palette)
    image.save(path, "PNG", transparency=0)


def segments_figure(explanation: Explanation, segments: Segmentation) -> Figure:
    """Draw the painted image as wide as a paper's column, with its legend on the right.

    Parameters
    ----------
    explanation : Explanation
    segments : Segmentation
        Of it.

    Returns
    -------
    matplotlib.figure.Figure
        The numbers of the legend stand in the image, so that it is read without colours too.
    """
    from matplotlib.figure import Figure

    small = shrink(explanation.pixels, _SIDE)
    index = _resized(segments.index, small)
    wide = _PICTURE
    tall = wide * small.shape[0] / small.shape[1]
    if tall > 2.6:
        wide, tall = wide * 2.6 / tall, 2.6
    said = textwrap.wrap(f"{explanation.class_name} by units of {explanation.alias}", 52)[:2]
    head = 0.06 + _LINE * len(said)
    entries = [_entry(concept) for concept in segments.concepts]
    lines = sum(map(len, entries)) + 0.4 * len(entries) if entries else 3
    height = head + max(tall, _LINE * lines) + 0.08
    figure = Figure(figsize=(_COLUMN, height))
    figure.text(
        0.02, 1 - 0.04 / height, "\n".join(said), va="top", parse_math=False, weight="bold", fontsize=7
    )
    axes = figure.add_axes((0.06 / _COLUMN, 1 - (head + tall) / height, wide / _COLUMN, tall / height))
    axes.set_axis_off()
    axes.imshow(painted(small, index), interpolation="none")
    for number in range(1, len(segments.concepts) + 1):
        part = index == number
        # of one row or column there is no outline
        if part.any() and not part.all() and min(part.shape) > 1:
            axes.contour(part, levels=[0.5], colors=["black"], linewidths=0.5)
    for spot in number_spots(index, len(segments.concepts)):
        _chip(axes.text, spot.column * small.shape[1] - 0.5, spot.row * small.shape[0] - 0.5, spot.number)
    left, y = (wide + 0.2) / _COLUMN, head + _LINE / 2
    for number, entry in enumerate(entries, 1):
        _chip(figure.text, left, 1 - y / height, number)
        for i, line in enumerate(entry):
            figure.text(
                left + 0.035, 1 - y / height, line, va="center", parse_math=False, fontsize=6.5,
                weight="bold" if i == 0 else "normal", color="black" if i == 0 else "#444444",
            )  # fmt: skip
            y += _LINE
        y += 0.4 * _LINE
    if not entries:
        none = "No detector among\nthe units told of has\na mask in this image."
        figure.text(left - 0.03, 1 - head / height, none, va="top", fontsize=6.5)
    return figure


def _entry(concept: SegmentedConcept) -> list[str]:
    name = textwrap.wrap(concept.concept, 18, max_lines=2, placeholder="…") or [""]
    return [*name, f"{100 * concept.share:+.0f} %, area {area_text(concept.area)}"]


def _chip(text: Any, x: float, y: float, number: int) -> None:
    text(
        x, y, str(number), ha="center", va="center", fontsize=6, weight="bold", color=ink(number),
        bbox={
            "boxstyle": "round,pad=0.18,rounding_size=0.25", "facecolor": colour(number),
            "edgecolor": "black", "linewidth": 0.5,
        },
    )  # fmt: skip


def painted(image: NDArray[np.uint8], index: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay the colours of numbers over an image, grey where there is none.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    index : ndarray of uint8, shape (height, width)

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    colours = np.array([(0, 0, 0), *map(rgb, range(1, int(index.max()) + 1))], np.float64)
    share = np.where(index > 0, _PAINT, 0.0)[:, :, None]
    return np.asarray(colours[index] * share + grey * (1 - share), np.uint8)


def _resized(index: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = (np.arange(like.shape[0]) + 0.5) * index.shape[0] / like.shape[0]
    columns = (np.arange(like.shape[1]) + 0.5) * index.shape[1] / like.shape[1]
    return index[np.ix_(rows.astype(int), columns.astype(int))]
