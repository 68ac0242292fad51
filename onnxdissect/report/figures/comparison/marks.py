"""What the figures of a comparison share: how categories look, how far numbers reach, what names become."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from onnxdissect.report.data.report_data import category_colours
from onnxdissect.report.figures.paper import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onnxdissect.experiments.comparison.records import Estimate, GroupSpread
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = [
    "DARK",
    "DASHES",
    "GREY",
    "WIDTH",
    "CategoryStyle",
    "GroupNumbers",
    "category_styles",
    "count_axis",
    "draw_legend",
    "group_numbers",
    "reach_name",
    "series_places",
    "short_names",
    "shorten_middle",
    "shown_categories",
]

WIDTH = 3.3
"""Inches: a column of a paper."""

DARK, GREY = "#222222", "#777777"
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (2, 2)))
"""Of lines, so that they can be told apart in print without colours."""

_HATCHES = ("", "/////", ".....", "\\\\\\\\\\", "xxxxx", "-----")
_DECADE = 10.0
_FEWEST = 3  # texts below a log axis, else every position has one
_BESIDE_ZERO = 0.35  # of a decade at least, from 0 to the smallest position on a log axis


@dataclass(frozen=True, slots=True)
class CategoryStyle:
    """How a category looks: in colour as in the report, and without colour.

    Attributes
    ----------
    colour : str
    hatch : str
        Of areas.
    marker : str
        Of lines.
    dashes : object
        Likewise, as matplotlib takes them.
    """

    colour: str
    hatch: str
    marker: str
    dashes: Any


@dataclass(frozen=True, slots=True)
class GroupNumbers:
    """Unique detectors of one group, in all or of a category.

    Attributes
    ----------
    mean : float
        Over the members.
    low, high : float
        How far the members lie apart; of a single one its 95 % interval; the mean where that is not known.
    """

    mean: float
    low: float
    high: float


def category_styles(categories: Sequence[str]) -> dict[str, CategoryStyle]:
    """Choose how the categories of a comparison look.

    Parameters
    ----------
    categories : sequence of str

    Returns
    -------
    dict of str to CategoryStyle
    """
    return {
        category: CategoryStyle(
            COLOURS[colour], _HATCHES[i % len(_HATCHES)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)]
        )
        for i, (category, colour) in enumerate(category_colours(categories).items())
    }


def shown_categories(result: ComparisonResult) -> tuple[str, ...]:
    """Name the categories in which some layer detects something.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    tuple of str
        In the result's order.
    """
    return tuple(
        category
        for category in result.categories
        if any(layer.unique_by_category[category].value for layer in result.layers)
    )


def group_numbers(result: ComparisonResult) -> tuple[list[GroupNumbers], dict[str, list[GroupNumbers]]]:
    """Gather the unique detectors of every group, and how far they reach.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    in_all : list of GroupNumbers
        One per group.
    by_category : dict of str to list of GroupNumbers
        Likewise, of every category.
    """
    layers = {layer.name: layer for layer in result.layers}
    several = reach_name(result) == _SEVERAL

    def numbers(spread: GroupSpread, single: Estimate) -> GroupNumbers:
        if several or single.low is None or single.high is None:
            return GroupNumbers(spread.mean, spread.least, spread.most)
        return GroupNumbers(spread.mean, single.low, single.high)

    firsts = [layers[group.members[0]] for group in result.groups]
    return (
        [numbers(group.unique, first.unique) for group, first in zip(result.groups, firsts, strict=True)],
        {
            category: [
                numbers(group.unique_by_category[category], first.unique_by_category[category])
                for group, first in zip(result.groups, firsts, strict=True)
            ]
            for category in result.categories
        },
    )


_SEVERAL = "range of the group"


def reach_name(result: ComparisonResult) -> str:
    """Say what whiskers and bands show.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    str
        Empty where there is nothing to show: single layers without a bootstrap.
    """
    if any(len(group.members) > 1 for group in result.groups):
        return _SEVERAL
    return "95 % interval" if any(layer.unique.low is not None for layer in result.layers) else ""


def count_axis(axes: Axes, most: int) -> None:
    """Let the vertical axis begin at 0, with whole numbers, and leave room for markers above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        In which everything is drawn.
    most : int
        How many numbers it may have.
    """
    from matplotlib.ticker import MaxNLocator

    axes.set_ylim(0, max(1.08 * axes.dataLim.y1, 1.0))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=most))


def series_places(positions: Sequence[float]) -> tuple[list[float], list[tuple[float, str]], bool]:
    """Place the positions of a series along an axis: by their logarithm if they span more than a decade.

    On such an axis 0 stands left of the smallest position, beyond a gap.

    Parameters
    ----------
    positions : sequence of float
        In rising order.

    Returns
    -------
    places : list of float
        One per position.
    ticks : list of (float, str)
        Places and texts for the axis; on a log axis the powers of ten and 0 if
        there are enough of them, else every position.
    logarithmic : bool
    """
    above = [position for position in positions if position > 0]
    if not above or min(positions) < 0 or max(above) / min(above) <= _DECADE:
        return list(positions), [(position, f"{position:g}") for position in dict.fromkeys(positions)], False
    first, last = math.log10(min(above)), math.log10(max(above))
    zero = first - max(_BESIDE_ZERO, 0.12 * (last - first))
    places = [math.log10(position) if position > 0 else zero for position in positions]
    powers = [(float(n), _power(n)) for n in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)]
    if len(powers) < _FEWEST:
        powers = [(math.log10(position), f"{position:g}") for position in dict.fromkeys(above)]
    return places, [*([(zero, "0")] if len(above) < len(positions) else []), *powers], True


def _power(exponent: int) -> str:
    value = 10.0**exponent
    if value < 1e4:
        return f"{value:g}"
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k"


def shorten_middle(text: str, longest: int) -> str:
    """Shorten a name in its middle: what tells names apart often stands at their ends.

    Parameters
    ----------
    text : str
    longest : int
        Letters it may have.

    Returns
    -------
    str
    """
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return f"{text[: longest - 1 - end]}…{text[len(text) - end :]}"


def short_names(names: Sequence[str], longest: int) -> list[str]:
    """Shorten names so that no two become alike.

    Parameters
    ----------
    names : sequence of str
        No two of them alike.
    longest : int
        Letters that each may have, as long as that tells them apart.

    Returns
    -------
    list of str
        What all begin with or end in goes first, then the middles; where that is not enough, they are
        numbered.
    """
    if all(len(name) <= longest for name in names):
        return list(names)
    first = _common_start(names)
    last = _common_start([name[first:][::-1] for name in names])
    # Not within a word: of 10 and 11, what differs is not 0 and 1.
    while first and names[0][first - 1].isalnum():
        first -= 1
    while last and names[0][len(names[0]) - last].isalnum():
        last -= 1
    middles = [name[first : len(name) - last] for name in names]
    if len(names) > 1 and max(map(len, middles)) <= longest - 4:
        # As much of the ends as finds room beside what differs.
        room = longest - max(map(len, middles)) - 2
        head = names[0][: min(first, room)]
        tail = names[0][len(names[0]) - last :] if last <= room - len(head) else ""
        cut = "…" if len(head) < first else ""
        end = "…" if last and not tail else ""
        return [f"{head}{cut}{middle}{tail}{end}" for middle in middles]
    shortened = [shorten_middle(name, longest) for name in names]
    if len(set(shortened)) == len(names):
        return shortened
    return [f"{i} {shorten_middle(name, longest - 3)}" for i, name in enumerate(names, 1)]


def _common_start(names: Sequence[str]) -> int:
    """Count the letters with which all names begin."""
    alike = (len(set(letters)) == 1 for letters in zip(*names, strict=False))
    return sum(takewhile(bool, alike))


def draw_legend(figure: Figure, named: Mapping[str, Any], columns: int) -> None:
    """Put a legend below the plots; names are written as they are.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    named : mapping of str to object
        What matplotlib draws, by its name.
    columns : int
        How many names stand side by side.
    """
    names: Iterable[str] = [shorten_middle(name, 22 if columns > 1 else 48) for name in named]
    legend = figure.legend(
        list(named.values()),
        # a name that begins with an underscore would be left out
        ["\u200b" + name if name.startswith("_") else name for name in names],
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=6.5,
        handlelength=2.2,
        columnspacing=1.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
