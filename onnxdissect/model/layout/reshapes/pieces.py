"""Values that are cut into pieces along one axis and laid behind each other again in the same order.

Group normalisation is also written so: each group cut out, normalised by itself, and all concatenated. As
long as no operator in between moves a number, the whole is again what it was before it was cut.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.layout.tokens import slice_numbers
from onnxdissect.model.operators.lookup import joined_operands, operator_of
from onnxdissect.model.operators.rules import Axes, Places
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["Pieces"]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a value.

    Attributes
    ----------
    whole : str
        The value.
    axis : int
        Along which it was cut.
    first, last : int
        The piece's first place along it, and the one behind its last.
    gone : bool
        Whether the axis, of length one, was taken away.
    """

    whole: str
    axis: int
    first: int
    last: int
    gone: bool = False


class Pieces:
    """Which values are pieces of which others, followed node by node."""

    def __init__(self) -> None:
        self._pieces: dict[str, _Piece] = {}

    def follow(self, node: ir.Node, probe: Probe) -> str | None:
        """Note what a node does; to be called in topological order.

        Parameters
        ----------
        node : onnx_ir.Node
            The node.
        probe : Probe
            Shapes and stored numbers.

        Returns
        -------
        str or None
            The value that its result consists of, piece behind piece; None where it is no such result.
        """
        out = name_of(node.outputs[0]) if node.outputs else ""
        first = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
        shape = probe.shapes.get(out)
        if shape is None:
            return None
        operator = operator_of(node)
        if operator.axes is Axes.CONCATENATED:
            return self._joined(node, len(shape), probe)
        found: _Piece | None = None
        if operator.axes is Axes.SPLIT and first in probe.shapes:
            self._split(node, first, probe)
            return None
        if operator.places in (Places.GATHER, Places.SLICE) and first in probe.shapes:
            found = _cut(node, first, probe)
        elif operator.axes is Axes.POINTWISE:
            same = {
                self._pieces.get(name_of(value))
                for value in node.inputs
                if value is not None and probe.shapes.get(name_of(value)) == shape
            }
            found = same.pop() if len(same) == 1 else None
        elif operator.axes is Axes.FIRST and probe.shapes.get(first) == shape:
            found = self._pieces.get(first)
        elif operator.axes is Axes.UNSQUEEZED and first in self._pieces:
            piece = self._pieces[first]
            before = probe.shapes[first]
            if piece.gone and shape == (*before[: piece.axis], 1, *before[piece.axis :]):
                found = replace(piece, gone=False)
        if found is not None:
            self._pieces[out] = found
        return None

    def restore(self, out: str, like: Collection[str]) -> None:
        """Note that a value has the numbers of others in their places again.

        Parameters
        ----------
        out : str
            The value.
        like : collection of str
            The others.
        """
        pieces = {self._pieces.get(name) for name in like}
        piece = pieces.pop() if len(pieces) == 1 else None
        if piece is not None:
            self._pieces[out] = piece

    def _split(self, node: ir.Node, source: str, probe: Probe) -> None:
        axis = int(attribute(node, "axis", 0)) % len(probe.shapes[source])
        first = 0
        for value in node.outputs:
            shape = probe.shapes.get(name_of(value))
            if shape is None:
                return
            self._pieces[name_of(value)] = _Piece(source, axis, first, first + shape[axis])
            first += shape[axis]

    def _joined(self, node: ir.Node, rank: int, probe: Probe) -> str | None:
        parts = joined_operands(node)
        axis = int(attribute(node, "axis", 1)) % rank
        pieces = [self._pieces.get(name_of(value)) for value in parts if value is not None]
        whole = next((piece.whole for piece in pieces if piece is not None), None)
        if whole is None:
            return None
        reached = 0
        for piece in pieces:
            if (
                piece is None
                or piece.gone
                or (piece.whole, piece.axis, piece.first) != (whole, axis, reached)
            ):
                return None
            reached = piece.last
        return whole if reached == probe.shapes[whole][axis] else None


def _cut(node: ir.Node, source: str, probe: Probe) -> _Piece | None:
    shape = probe.shapes[source]
    if operator_of(node).places is Places.SLICE:
        spans = slice_numbers(node, len(shape), probe)
        if spans is None or len(spans) != 1:
            return None
        ((axis, (start, end, step)),) = spans.items()
        first, last, _ = slice(start, end).indices(shape[axis])
        return _Piece(source, axis, first, last) if step == 1 and first < last else None
    axis = int(attribute(node, "axis", 0)) % len(shape)
    listed = probe.number(node, 1)
    if listed is None or listed.ndim > 1 or not listed.size or np.any(np.diff(listed.ravel()) != 1):
        return None
    first = int(listed.flat[0])
    first += shape[axis] if first < 0 else 0
    return _Piece(source, axis, first, first + listed.size, gone=listed.ndim == 0)
