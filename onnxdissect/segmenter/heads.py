"""The outputs of a segmenter, each with its classes, and the vocabulary that these make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import Vocabulary, make_vocabulary
from onnxdissect.data.broden.writer import check_category
from onnxdissect.data.limits import MOST_SCORES
from onnxdissect.data.vocabulary import HIGHEST_NUMBER
from onnxdissect.errors import DataFormatError, ParameterError, nearest, shown, shown_path
from onnxdissect.model import Network
from onnxdissect.model.reading.randomness import describe_draws, random_nodes
from onnxdissect.model.scores.class_scores import said_output
from onnxdissect.model.scores.pixel_classes import PixelClasses, find_pixel_classes
from onnxdissect.segmenter.class_list import ClassList, composed, read_class_list
from onnxdissect.segmenter.spec import SegmenterSpec
from onnxdissect.storage.numerals import whole_number

__all__ = ["Head", "Heads", "find_heads", "read_lists"]

DEFAULT_CATEGORY = "object"
"""Of classes of which nothing is said."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """An output that labels pixels.

    Attributes
    ----------
    found : PixelClasses
        The output.
    listed : ClassList
        Its classes.
    chances : bool
        Whether its scores are chances; else logits.
    numbers : ndarray of uint16, shape (classes,)
        Label number of each class, 0 for those that mean unlabelled.
    ignored : frozenset of int
        Numbers beyond the classes that mean unlabelled as well.
    """

    found: PixelClasses
    listed: ClassList
    chances: bool
    numbers: NDArray[np.uint16] = field(repr=False)
    ignored: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All outputs that label pixels.

    Attributes
    ----------
    heads : tuple of Head
    vocabulary : Vocabulary
        Classes that mean unlabelled are no concepts. The others have the label numbers 1, 2, 3 and so on.
    grid : (int, int)
        The label grid (sh, sw).
    """

    heads: tuple[Head, ...]
    vocabulary: Vocabulary
    grid: tuple[int, int]


def read_lists(spec: SegmenterSpec) -> tuple[ClassList, ...]:
    """Read the classes of every head.

    Parameters
    ----------
    spec : SegmenterSpec

    Returns
    -------
    tuple of ClassList
        With a category for each class.

    Raises
    ------
    DataError
        If a list cannot be read, or two lists have a name in common.
    """
    lists = []
    owners: dict[str, ClassList] = {}
    ignored = _ignored(spec)
    for at, file in enumerate(spec.classes):
        read = read_class_list(file.path)
        category = spec.heads[at][0] if spec.heads else DEFAULT_CATEGORY
        check_category(category)
        lists.append(ClassList(read.path, read.names, tuple(own or category for own in read.categories)))
        for name in read.names:
            if name in owners and name not in ignored:
                raise DataFormatError(
                    f"{shown(name)} is a class of two heads, in {shown_path(owners[name].path)} and "
                    f"{shown_path(read.path)}",
                    hint="two classes of one name could not be told apart: give one of them another",
                )
            owners[name] = read
    return tuple(lists)


def find_heads(spec: SegmenterSpec, network: Network, lists: Sequence[ClassList]) -> Heads:
    """Bring the outputs of a network together with their classes.

    Parameters
    ----------
    spec : SegmenterSpec
    network : Network
        The segmenter.
    lists : sequence of ClassList
        Of each head.

    Returns
    -------
    Heads

    Raises
    ------
    ParameterError
        If the network is no segmenter, tells another number of classes apart than the lists name, or what is
        asked of it does not fit.
    """
    outputs: list[str | None] = [output for _, output in spec.heads]
    heads: list[Head] = []
    labels: dict[str, dict[int, str]] = {}
    count = 0
    ignored, named = _ignored_numbers(spec, lists), _ignored(spec)
    for output, listed in zip(outputs or [spec.output], lists, strict=True):
        found = find_pixel_classes(network, output, len(listed.names))
        _check_count(network, found, listed)
        _check_repeatable(network, found)
        _check_scores(spec, network, found)
        numbers = np.zeros(len(listed.names), np.uint16)
        for index, (name, category) in enumerate(zip(listed.names, listed.categories, strict=True)):
            if index in ignored or name in named:
                continue
            count += 1
            if count > HIGHEST_NUMBER:
                raise DataFormatError(f"there are more than {HIGHEST_NUMBER:,} classes in all")
            numbers[index] = count
            labels.setdefault(category, {})[count] = name
        numbers.setflags(write=False)
        beyond = frozenset(ignored) if found.numbered else frozenset[int]()
        chances = found.chances if spec.scores is None else spec.scores == "probabilities"
        heads.append(Head(found, listed, chances, numbers, beyond))
    if not count:
        raise ParameterError("ignore= leaves no class to label pixels with", hint="ignore=0")
    _check_ignored(spec, heads)
    _check_grid(spec, heads)
    return Heads(tuple(heads), make_vocabulary(labels), spec.grid or _common_grid(heads))


def _check_count(network: Network, found: PixelClasses, listed: ClassList) -> None:
    named = len(listed.names)
    if found.classes is None or found.classes == named:
        return
    raise ParameterError(
        f"{network.path.name} tells {found.classes:,} class{'es' * (found.classes != 1)} apart in "
        f"{said_output(network, found.output)}, and {shown_path(listed.path)} names {named:,}",
        hint="the list names every class in the order of the output, the background included; ignore= then "
        "leaves classes unlabelled",
    )


def _check_repeatable(network: Network, found: PixelClasses) -> None:
    """Refuse networks that label an image otherwise each time: a report reads labels again."""
    drawing = random_nodes(network.model.graph, [found.output])
    if drawing:
        said, hint = describe_draws(drawing)
        raise ParameterError(
            f"{network.path.name} labels an image otherwise each time: {said}, before {found.output!r}",
            hint=hint,
        )


def _check_scores(spec: SegmenterSpec, network: Network, found: PixelClasses) -> None:
    if found.axis is not None and found.dtype.startswith(("float", "bfloat")):
        return
    for name in ("confidence", "scores"):
        if getattr(spec, name) is not None:
            what = "the number of a class at each pixel" if found.numbered else "whole numbers"
            raise ParameterError(
                f"{name}= needs the scores of all classes, and {said_output(network, found.output)} gives "
                f"{what}",
                hint=f"leave {name}= out, or export the scores as an output and choose it with output=NAME",
            )


def _ignored(spec: SegmenterSpec) -> tuple[str, ...]:
    return tuple(map(composed, spec.ignore))


def _ignored_numbers(spec: SegmenterSpec, lists: Sequence[ClassList]) -> set[int]:
    """Numbers among what is ignored; everything else there is a name of some list."""
    numbers = set()
    names = [name for listed in lists for name in listed.names]
    for one in _ignored(spec):
        if one in names:
            continue
        number = whole_number(one, most=HIGHEST_NUMBER)
        if number is None:
            raise ParameterError(
                f"ignore= takes numbers and names of classes, and no class is called {shown(one)}",
                candidates=nearest(one, names) or tuple(names),
            )
        numbers.add(number)
    return numbers


def _check_ignored(spec: SegmenterSpec, heads: Sequence[Head]) -> None:
    """Refuse numbers that no output can give."""
    if any(head.found.numbered for head in heads):
        return
    most = max(len(head.listed.names) for head in heads)
    for number in _ignored_numbers(spec, [head.listed for head in heads]):
        if number >= most:
            raise ParameterError(
                f"ignore= asks for class {number}, and the classes are 0 to {most - 1}", hint="ignore=0"
            )


def _check_grid(spec: SegmenterSpec, heads: Sequence[Head]) -> None:
    for head in heads:
        classes = 1 if head.found.numbered else len(head.numbers)
        for what, grid in (("grid", spec.grid), ("size", head.found.grid)):
            rows, columns = grid or (0, 0)
            if classes * rows * columns > MOST_SCORES:
                raise ParameterError(
                    f"{classes:,} classes at {rows:,} x {columns:,} places are {classes * rows * columns:,} "
                    f"scores of an image; at most {MOST_SCORES:,} are taken",
                    hint="grid=112x112" if what == "grid" else "size=512x512, where the network takes any",
                )


def _common_grid(heads: Sequence[Head]) -> tuple[int, int]:
    grids = {head.found.grid for head in heads}
    if len(grids) > 1:
        told = ", ".join(f"{h.found.output!r} {h.found.grid[0]}x{h.found.grid[1]}" for h in heads)
        height, width = min(grids)
        raise ParameterError(
            f"the heads label pixels on different grids: {told}",
            hint=f"grid={height}x{width} brings all of them to one",
        )
    return grids.pop()
