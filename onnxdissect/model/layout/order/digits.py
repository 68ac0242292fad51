"""The exact order of a map's cells behind any reshapes and transpositions.

A row number is a number of several digits: which block, which row within it. Reshapes take axes apart into
such digits or put digits together, transpositions move them. So each axis of a value is a list of digits, the
most significant first, and wherever a map's digits are together again and in their order, the cells are in
the picture's. Networks that unroll their tokens into mask units (Hiera), or keep them in blocks (NesT), come
back to maps so; a maximum or a mean over the least significant digits of both axes is a pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.layout.reduced import reduced_axes
from onnxdissect.model.layout.tokens import Tokens
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Places
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["CellOrder", "Digits"]


@dataclass(frozen=True, slots=True)
class _Digit:
    """Part of a number that counts images, units, rows or columns: ``number // weight % length``."""

    letter: str
    weight: int
    length: int


_Axis = tuple[_Digit, ...]


@dataclass(frozen=True, slots=True)
class CellOrder:
    """What lies along the axes of a value.

    Attributes
    ----------
    origins : tuple of str
        Maps whose cells it has.
    axes : tuple of tuple of digits
        By axis, the most significant first; none for an axis of length one.
    pooled : (int, int)
        Rows and columns of the origins that each of its cells stands for.
    mixed : bool
        Whether cells have heard others, as attention lets them.
    """

    origins: tuple[str, ...]
    axes: tuple[_Axis, ...]
    pooled: tuple[int, int] = (1, 1)
    mixed: bool = False

    def layout(self) -> tuple[str, Tokens | None] | None:
        """Name the axes, where the cells are in the order of the picture.

        Returns
        -------
        (str, Tokens or None) or None
            The letters, and what lies along a row of tokens. None where cells are in another order.
        """
        letters = ""
        grid = dict.fromkeys("HW", 1)
        for axis in self.axes:
            found = "".join(letter for letter, _ in groupby(digit.letter for digit in axis))
            if any(digit.letter in "HW" and digit.weight != 1 for digit in axis) and "C" not in found:
                return None
            if len(axis) != len(found) and "C" not in found:
                return None
            grid |= {digit.letter: digit.length for digit in axis if digit.letter in "HW"}
            letters += {"": "?", "HW": "T"}.get(found, found)
        if len(letters) != len(self.axes):
            return None
        letters = letters if "N" in letters else letters.replace("?", "N", 1)
        if letters in ("NCHW", "NHWC"):
            return letters, None
        tokens = Tokens(0, (grid["H"], grid["W"]), 0)
        return (letters, tokens) if letters in ("NTC", "TNC", "NCT") else None


class Digits:
    """The order of cells of every value, followed node by node."""

    def __init__(self) -> None:
        self._known: dict[str, CellOrder] = {}

    def start(self, name: str, letters: str, shape: tuple[int, ...], tokens: Tokens | None) -> None:
        """Note a map whose cells are in the picture's order, unless it comes from an earlier one.

        Parameters
        ----------
        name : str
            The map.
        letters : str
            Its axes.
        shape : tuple of int
            Its shape.
        tokens : Tokens or None
            What lies along a token axis.
        """
        if name in self._known or set(letters) not in (set("NCHW"), set("NTC")) or letters == "NCWH":
            return
        if "T" in letters and (tokens is None or tokens.length != tokens.cells):
            return
        parts = {letter: [(letter, length)] for letter, length in zip(letters, shape, strict=True)}
        if tokens is not None:
            parts["T"] = list(zip("HW", tokens.grid, strict=True))
        axes = tuple(
            tuple(_Digit(part, 1, length) for part, length in parts[letter] if length > 1)
            for letter in letters
        )
        self._known[name] = CellOrder((name,), axes)

    def follow(self, node: ir.Node, probe: Probe) -> CellOrder | None:
        """Follow a node; to be called in topological order.

        Parameters
        ----------
        node : onnx_ir.Node
            The node.
        probe : Probe
            Shapes.

        Returns
        -------
        CellOrder or None
            Of its first result; None where it is not known.
        """
        out = name_of(node.outputs[0]) if node.outputs else ""
        shape = probe.shapes.get(out)
        first = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
        if shape is None:
            return None
        found = self._known.get(first)
        operator = operator_of(node)
        if operator.axes is Axes.POINTWISE:
            found = self._together(node, shape, probe)
        elif operator.axes is Axes.PRODUCT:
            found = self._product(node, shape, probe)
        elif found is None:
            return None
        elif operator.axes is Axes.TRANSPOSED:
            perm = attribute(node, "perm", tuple(reversed(range(len(shape)))))
            found = replace(found, axes=tuple(found.axes[int(i)] for i in perm))
        elif operator.reshapes:
            axes = _reshaped(found.axes, shape)
            found = None if axes is None else replace(found, axes=axes)
        elif operator.places in (Places.GATHER, Places.SLICE, Places.SPLIT):
            return self._pick(node, found, probe)
        elif operator.places is Places.REDUCED:
            found = _reduced(node, found, probe)
        elif operator.axes is not Axes.FIRST or probe.shapes.get(first) != shape:
            return None
        if found is not None and tuple(prod(d.length for d in axis) for axis in found.axes) == shape:
            self._known[out] = found
            return found
        return None

    def _together(self, node: ir.Node, shape: tuple[int, ...], probe: Probe) -> CellOrder | None:
        """Operands of the result's own shape decide; smaller ones weigh or shift, and move nothing."""
        names = [name_of(value) for value in node.inputs if value is not None]
        orders = [self._known.get(name) for name in names if probe.shapes.get(name) == shape]
        found = [order for order in orders if order is not None]
        if not found or len(found) != len(orders):
            return None
        if any((one.axes, one.pooled) != (found[0].axes, found[0].pooled) for one in found):
            return None
        origins = tuple(dict.fromkeys(name for one in found for name in one.origins))
        return replace(found[0], origins=origins, mixed=any(one.mixed for one in found))

    def _pick(self, node: ir.Node, order: CellOrder, probe: Probe) -> CellOrder | None:
        """Follow an operator that takes some of the units, as queries, keys and values are told apart."""
        for value in node.outputs:
            shape = probe.shapes.get(name_of(value))
            axes = None if shape is None else _picked(node, order.axes, shape)
            if axes is not None:
                self._known[name_of(value)] = replace(order, axes=axes)
        return self._known.get(name_of(node.outputs[0]))

    def _product(self, node: ir.Node, shape: tuple[int, ...], probe: Probe) -> CellOrder | None:
        names = [name_of(value) if value is not None else "" for value in node.inputs]
        right = operator_of(node).weights
        second = names[right] if right < len(names) else ""
        rows, columns = self._known.get(names[0]), self._known.get(second)
        if (columns is None and second in probe.shapes) or attribute(node, "transA", 0):
            return None
        if rows is None or len(rows.axes) != len(shape):
            return None
        if columns is None:
            over_units = all(digit.letter == "C" for digit in rows.axes[-1])
            units: _Axis = (_Digit("C", 1, shape[-1]),) if shape[-1] > 1 else ()
            return replace(rows, axes=(*rows.axes[:-1], units)) if over_units else None
        plain = operator_of(node).places is Places.MATRIX
        if not plain or len(columns.axes) != len(shape) or rows.pooled != columns.pooled:
            return None
        if rows.axes[:-2] != columns.axes[:-2] or rows.axes[-1] != columns.axes[-2]:
            return None
        origins = tuple(dict.fromkeys((*rows.origins, *columns.origins)))
        axes = (*rows.axes[:-1], columns.axes[-1])
        # keys and values of fewer cells (PVT) are summed over: cells lie where the queries' do
        cells = _cells(axes) * prod(rows.pooled)
        left = tuple(
            name for name in origins if name in self._known and _cells(self._known[name].axes) == cells
        )
        return CellOrder(left or origins, axes, rows.pooled, mixed=True)


def _cells(axes: Sequence[_Axis]) -> int:
    return prod(digit.length for axis in axes for digit in axis if digit.letter in "HW")


def _picked(node: ir.Node, axes: Sequence[_Axis], shape: tuple[int, ...]) -> tuple[_Axis, ...] | None:
    before = [prod(digit.length for digit in axis) for axis in axes]
    places = operator_of(node).places
    if len(shape) == len(axes):
        changed = [i for i, length in enumerate(shape) if length != before[i]]
        if places is Places.GATHER and changed != [int(attribute(node, "axis", 0)) % len(axes)]:
            # as many as before may be in another order
            return None
        if places is Places.SLICE and not changed:
            return None
    else:
        changed = [int(attribute(node, "axis", 0)) % len(axes)]
        if places is not Places.GATHER or tuple(before[: changed[0]] + before[changed[0] + 1 :]) != shape:
            return None
    if any(digit.letter != "C" for i in changed for digit in axes[i]):
        return None
    if len(shape) < len(axes):
        return tuple(axis for i, axis in enumerate(axes) if i not in changed)
    units = [(_Digit("C", 1, length),) if length > 1 else () for length in shape]
    return tuple(units[i] if i in changed else axis for i, axis in enumerate(axes))


def _reshaped(axes: Sequence[_Axis], shape: tuple[int, ...]) -> tuple[_Axis, ...] | None:
    """Take axes apart and together as a reshape does."""
    rest = [digit for axis in axes for digit in axis]
    result: list[_Axis] = []
    for length in shape:
        taken: list[_Digit] = []
        while length > 1:
            if not rest:
                return None
            digit = rest.pop(0)
            if length % digit.length == 0:
                taken.append(digit)
                length //= digit.length
            elif digit.length % length == 0:
                low = digit.length // length
                taken.append(_Digit(digit.letter, digit.weight * low, length))
                rest.insert(0, _Digit(digit.letter, digit.weight, low))
                length = 1
            else:
                return None
        result.append(_joined(taken))
    return tuple(result) if not rest else None


def _joined(digits: Sequence[_Digit]) -> _Axis:
    """Neighbouring digits that are one number again; in which order units are is of no matter."""
    joined: list[_Digit] = []
    for digit in digits:
        before = joined[-1] if joined else None
        if before is not None and before.letter == digit.letter:
            if digit.letter == "C":
                joined[-1] = _Digit("C", 1, before.length * digit.length)
                continue
            if before.weight == digit.weight * digit.length:
                joined[-1] = _Digit(digit.letter, digit.weight, before.length * digit.length)
                continue
        joined.append(digit)
    return tuple(joined)


def _reduced(node: ir.Node, order: CellOrder, probe: Probe) -> CellOrder | None:
    """Take the least significant digits of rows and columns away, as a pooling over blocks does."""
    gone = reduced_axes(node, len(order.axes), probe)
    if gone is None or operator_of(node).axes is Axes.REDUCED_ALONG:
        return None
    pooled = {"H": 1, "W": 1}
    for digit in sorted((d for i in gone for d in order.axes[i]), key=lambda d: d.weight):
        if digit.letter in pooled:
            if digit.weight != pooled[digit.letter]:
                return None
            pooled[digit.letter] *= digit.length
        elif digit.letter == "N":
            return None
    kept = [
        tuple(replace(digit, weight=digit.weight // pooled.get(digit.letter, 1)) for digit in axis)
        for i, axis in enumerate(order.axes)
        if i not in gone
    ]
    if attribute(node, "keepdims", 1):
        rest = iter(kept)
        kept = [() if i in gone else next(rest) for i in range(len(order.axes))]
    rows, columns = order.pooled
    return replace(order, axes=tuple(kept), pooled=(rows * pooled["H"], columns * pooled["W"]))
