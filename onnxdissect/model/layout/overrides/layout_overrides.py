"""Layouts that a person states where the graph leaves them open: ``VALUE=NTC:1:14x14``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import onnx_ir as ir

from onnxdissect.errors import LayerLayoutError, LayerNotFoundError, ParameterError, nearest, shown
from onnxdissect.model.graph import name_of
from onnxdissect.model.layers.listing import Listing
from onnxdissect.model.layers.records import LAYOUTS, Layer
from onnxdissect.model.layout.axes import LayoutOverrides
from onnxdissect.model.layout.tokens import Tokens
from onnxdissect.storage.numerals import whole_number

__all__ = ["read_layouts"]

_MOST = 10**9
_MOST_BESIDE = 16
"""More tokens than these beside a grid, and it is likelier the wrong grid."""


def read_layouts(asked: Mapping[str, str], graph: ir.Graph, listing: Listing) -> dict[str, LayoutOverrides]:
    """Understand stated layouts.

    Parameters
    ----------
    asked : mapping of str to str
        Per value, node or alias: a layout, for tokens optionally followed by how many tokens lie before
        the grid, and by the grid: ``NTC:1:14x14``.
    graph : onnx_ir.Graph
        The graph.
    listing : Listing
        What it tells by itself.

    Returns
    -------
    dict of str to LayoutOverrides
        By value.

    Raises
    ------
    LayerNotFoundError
        If there is no such value.
    ParameterError
        If a layout cannot be understood.
    LayerLayoutError
        If it does not fit the value's shape.
    """
    names = {name: name for name in listing.shapes}
    for layer in (*listing.layers, *listing.copies):
        names.setdefault(layer.alias, layer.name)
    for node in graph:
        value = name_of(node.outputs[0]) if node.outputs else ""
        if node.name and value in listing.shapes:
            names.setdefault(node.name, value)
    given: dict[str, LayoutOverrides] = {}
    first: dict[str, str] = {}
    for name, text in asked.items():
        if name not in names:
            raise LayerNotFoundError(
                f"a layout is stated for {name!r}, and the network computes no such value",
                candidates=nearest(name, names),
                hint="onnxdissect layers MODEL lists its values and their aliases",
            )
        value = names[name]
        before = first.setdefault(value, name)
        if before != name:
            raise ParameterError(
                f"{before!r} and {name!r} are one value, and a layout is stated for both",
                hint="leave one of them out",
            )
        given[value] = _given(name, text, listing.shapes[value], listing)
        _refuse_other_grid(name, text, given[value], listing.layers, value)
        disturbance = listing.disturbed.get(value)
        if disturbance is None or (disturbance.sampled and disturbance.value == value):
            continue
        if not disturbance.statable and given[value].layout != "NC":
            raise LayerLayoutError(
                f"a layout says which axis of {name!r} is which, and not where cells lie: "
                f"{disturbance.reason()}",
                hint=f"dissect {disturbance.before!r}: --layer {disturbance.before}",
            )
    return given


def _given(name: str, text: str, shape: tuple[int, ...], listing: Listing) -> LayoutOverrides:
    layout, *rest = text.split(":")
    layout = layout.upper()
    example = _example(name, layout, shape, listing)
    if layout not in LAYOUTS or (rest and "T" not in layout) or len(rest) > 2:
        raise ParameterError(
            f"{text!r} is no layout", candidates=LAYOUTS, hint=f"{example} for tokens" if example else None
        )
    if len(layout) != len(shape):
        raise LayerLayoutError(
            f"the layout {layout} has {len(layout)} axes, and {name!r} has the shape {list(shape)}",
            candidates=tuple(known for known in LAYOUTS if len(known) == len(shape)),
        )
    if "T" not in layout:
        return LayoutOverrides(layout, None)
    length = shape[layout.index("T")]
    before = _count(rest[0], example) if rest else None
    if len(rest) > 1:
        fitting = _fitting(length, before, [_grid(rest[1], example)], length)
    else:
        # a grid that no map of the network has is only believed where all tokens fill it
        fitting = _fitting(length, before, _known_grids(listing), _MOST_BESIDE) or _fitting(
            length, before, _square(length, before), 0 if before is not None else _MOST_BESIDE
        )
    if not fitting:
        others = _layouts_that_fit(layout, shape, listing)
        counted = f"{length} token{'s' if length != 1 else ''}" + (
            f", {length - before} of them behind the first {before}" if before else ""
        )
        raise LayerLayoutError(
            f"{name!r} has {counted}, which fill no grid that the network has",
            candidates=others,
            hint=f"state the tokens before the grid, and the grid: {example}" if example else None,
        )
    return LayoutOverrides(layout, min(fitting, key=lambda t: t.before + t.after))


def _refuse_other_grid(
    name: str, text: str, given: LayoutOverrides, layers: Iterable[Layer], value: str
) -> None:
    """Refuse another grid than the one that the graph has tokens on."""
    own = next((layer for layer in layers if layer.name == value and "T" in layer.layout), None)
    if given.tokens is None or own is None or own.grid in ((1, 1), given.tokens.grid):
        return
    (h, w), (before, _) = own.grid, own.skipped
    fits = f"{own.layout}:{before}:{h}x{w}"
    raise LayerLayoutError(
        f"{text} is stated for {name!r}, and the graph has its tokens on a grid of {h}x{w}",
        candidates=(fits,),
        hint=f"leave the --layout of {name} out, or --layout {name}={fits}",
    )


def _layouts_that_fit(layout: str, shape: tuple[int, ...], listing: Listing) -> tuple[str, ...]:
    """Layouts by which tokens fill a grid that the network has: as asked for first, then of other axes."""
    known = sorted(set(_known_grids(listing)), key=lambda grid: -grid[0] * grid[1])
    orders = [one for one in LAYOUTS if "T" in one and len(one) == len(shape)]
    found = []
    for order in sorted(orders, key=lambda one: one != layout):
        length = shape[order.index("T")]
        behind = [(length - h * w, h, w) for h, w in known if 0 <= length - h * w <= _MOST_BESIDE]
        found += [f"{order}:{beside}:{h}x{w}" for beside, h, w in behind]
    return tuple(found)


def _example(name: str, layout: str, shape: tuple[int, ...], listing: Listing) -> str:
    """Spell a layout of tokens that fits; empty for a value that has no axis for them."""
    if len(shape) != len("NTC"):
        return ""
    fitting = _layouts_that_fit(layout, shape, listing)
    order = layout if layout in LAYOUTS and "T" in layout else "NTC"
    return f"--layout {name}={fitting[0] if fitting else f'{order}:BEFORE:HEIGHTxWIDTH'}"


def _fitting(length: int, before: int | None, grids: Iterable[tuple[int, int]], beside: int) -> list[Tokens]:
    """Grids that tokens may hold: whole, with few others beside them besides those that were stated."""
    found = []
    for grid in grids:
        first = max(length - grid[0] * grid[1], 0) if before is None else before
        after = length - first - grid[0] * grid[1]
        if after >= 0 and after + (first if before is None else 0) <= beside:
            found.append(Tokens(first, grid, after))
    return found


def _known_grids(listing: Listing) -> Iterable[tuple[int, int]]:
    return (layer.grid for layer in listing.layers if layer.grid != (1, 1))


def _square(length: int, before: int | None) -> Iterable[tuple[int, int]]:
    side = math.isqrt(length - (before or 0)) if length > (before or 0) else 0
    return [(side, side)] if side > 1 else []


def _count(text: str, example: str) -> int:
    count = whole_number(text, most=_MOST)
    if count is None:
        raise ParameterError(f"{shown(text)} is no number of tokens", hint=example or None)
    return count


def _grid(text: str, example: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    rows, columns = whole_number(height, least=1, most=_MOST), whole_number(width, least=1, most=_MOST)
    if rows is None or columns is None:
        raise ParameterError(f"{shown(text)} is no grid", hint=example or None)
    return rows, columns
