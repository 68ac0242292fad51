"""The best IoU of each concept in each layer, as a map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from onnxdissect.report.figures.comparison.marks import WIDTH, category_styles, short_names, shorten_middle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnxdissect.experiments.comparison.records import ComparedConcept
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["heat_figure", "top_concepts"]

_MOST_ROWS = 40
_MOST_COLUMNS = 16
_CELL = 0.125  # inches of a row
_NAME, _LAYER = 20, 26  # letters


def top_concepts(result: ComparisonResult, most: int) -> list[ComparedConcept]:
    """Choose the concepts that some layer detects best, and order them by category and name.

    Parameters
    ----------
    result : ComparisonResult
    most : int

    Returns
    -------
    list of ComparedConcept
    """

    def highest(concept: ComparedConcept) -> float:
        return max((found.iou for found in concept.best if found and found.detectors), default=0.0)

    ranked = sorted(
        result.concepts, key=lambda concept: (-highest(concept), concept.category, concept.concept)
    )
    order = {category: i for i, category in enumerate(result.categories)}
    return sorted(ranked[:most], key=lambda concept: (order[concept.category], concept.concept))


def heat_figure(result: ComparisonResult) -> Figure:
    """Draw concepts against layers; the more numerous of the two are the rows.

    Parameters
    ----------
    result : ComparisonResult
        With a concept that is detected.

    Returns
    -------
    matplotlib.figure.Figure
        Dots mark where a unit detects the concept; cells without a unit that meets it are empty.
    """
    from matplotlib.figure import Figure

    layers = short_names([layer.name for layer in result.layers], _LAYER)
    across = len(layers) > _MOST_COLUMNS
    chosen = top_concepts(result, _MOST_COLUMNS if across else _MOST_ROWS)
    rows, columns = (len(layers), len(chosen)) if across else (len(chosen), len(layers))
    names = [shorten_middle(concept.concept, _NAME) for concept in chosen]
    below = 0.05 * max(map(len, names if across else layers))
    figure = Figure(figsize=(WIDTH, 0.75 + below + _CELL * rows), layout="constrained")
    axes = figure.add_subplot()
    iou = np.array([[found.iou if found else np.nan for found in one.best] for one in chosen])
    hits = np.array([[bool(found and found.detectors) for found in one.best] for one in chosen])
    if across:
        iou, hits = iou.T, hits.T
    picture = axes.imshow(iou, cmap="Blues", vmin=0, aspect="auto", interpolation="nearest")
    size = min(2.6, 26 / columns)
    dark = iou > 0.55 * np.nanmax(iou)
    for chosen_cells, colour in ((hits & ~dark, "#0b2545"), (hits & dark, "white")):
        y, x = np.nonzero(chosen_cells)
        axes.plot(x, y, ls="", marker="o", ms=size, color=colour, mew=0)
    axes.set_xticks(range(columns), names if across else layers, rotation=90, parse_math=False)
    axes.set_yticks(range(rows), layers if across else names, parse_math=False)
    axes.tick_params(length=0, labelsize=6, pad=2)
    _colour_names(axes, result, chosen, across=across)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(picture, ax=axes, location="top", fraction=0.04, pad=0.02, aspect=30)
    left_out = "" if len(chosen) == len(result.concepts) else f", top {len(chosen)} concepts"
    bar.set_label(f"best IoU{left_out}; dots: detected", fontsize=6.5)
    bar.ax.tick_params(labelsize=6, length=2)
    bar.outline.set_visible(False)
    return figure


def _colour_names(
    axes: Axes, result: ComparisonResult, chosen: Sequence[ComparedConcept], *, across: bool
) -> None:
    """Write concepts in the colours of their categories, with a line between categories."""
    styles = category_styles(result.categories)
    texts = axes.get_xticklabels() if across else axes.get_yticklabels()
    for text, concept in zip(texts, chosen, strict=True):
        text.set_color(styles[concept.category].colour)
    draw = axes.axvline if across else axes.axhline
    for i, (one, other) in enumerate(pairwise(chosen)):
        if one.category != other.category:
            draw(i + 0.5, color="white", lw=1.6)
            draw(i + 0.5, color="#999999", lw=0.5)
