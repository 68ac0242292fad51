"""Reshapes and transpositions that a graph takes back: what comes out has the axes that went in.

Exporters spell group normalisation as a reshape to groups, a normalisation, and a reshape to the shape that
was there before. Which axes the groups are made of need not be known: as long as every operator in between
leaves each number where it is, the same shape means the same places.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.layout.reshapes.pieces import Pieces
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["Rearranged", "Rearrangements"]

_DEEPEST = 8
"""Rearrangements that are remembered for a value."""


@dataclass(frozen=True, slots=True)
class Rearranged:
    """A value before one rearrangement.

    Attributes
    ----------
    names : tuple of str
        The values; several where such were added up since.
    shape : tuple of int
        Their shape.
    perm : tuple of int or None
        The transposition that followed; None for a reshape.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    perm: tuple[int, ...] | None


class Rearrangements:
    """What values were before they were rearranged, followed node by node."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[Rearranged, ...]] = {}
        self._pieces = Pieces()

    def follow(self, node: ir.Node, probe: Probe) -> tuple[str, ...]:
        """Note what a node does; to be called in topological order.

        Parameters
        ----------
        node : onnx_ir.Node
            The node.
        probe : Probe
            Shapes.

        Returns
        -------
        tuple of str
            Values whose axes its first result has again; none where it takes nothing back.
        """
        out = name_of(node.outputs[0]) if node.outputs else ""
        shape = probe.shapes.get(out)
        if shape is None:
            return ()
        first = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
        whole = self._pieces.follow(node, probe)
        if whole is not None:
            self._before[out] = self._before.get(whole, ())
            return ()
        operator = operator_of(node)
        if operator.reshapes or operator.axes is Axes.TRANSPOSED:
            restored = self._rearrange(node, first, out, shape, probe)
            self._pieces.restore(out, restored)
            return restored
        if operator.axes is Axes.POINTWISE:
            self._before[out] = self._together(node, shape, probe)
        elif operator.axes is Axes.FIRST and probe.shapes.get(first) == shape:
            self._before[out] = self._before.get(first, ())
        return ()

    def _rearrange(
        self, node: ir.Node, first: str, out: str, shape: tuple[int, ...], probe: Probe
    ) -> tuple[str, ...]:
        if first not in probe.shapes:
            return ()
        past = self._before.get(first, ())
        perm: tuple[int, ...] | None = None
        if operator_of(node).axes is Axes.TRANSPOSED:
            source = probe.shapes[first]
            perm = tuple(int(i) for i in attribute(node, "perm", tuple(reversed(range(len(source))))))
            if past and past[-1].perm is not None and _undoes(perm, past[-1].perm):
                self._before[out] = past[:-1]
                return past[-1].names
        else:
            # back to the last transposition a reshape moves no number, whatever shapes lie between
            for depth in range(len(past) - 1, -1, -1):
                if past[depth].perm is not None:
                    break
                if past[depth].shape == shape:
                    self._before[out] = past[:depth]
                    return past[depth].names
        self._before[out] = (*past, Rearranged((first,), probe.shapes[first], perm))[-_DEEPEST:]
        return ()

    def _together(self, node: ir.Node, shape: tuple[int, ...], probe: Probe) -> tuple[Rearranged, ...]:
        """Operands of the result's own shape decide; those that are stretched over it move nothing."""
        pasts = [
            self._before.get(name_of(value), ())
            for value in node.inputs
            if value is not None and probe.shapes.get(name_of(value)) == shape
        ]
        # what came another way (an attention's result beside its shortcut) has no such past, nor has the sum
        if not pasts or not all(pasts):
            return ()
        depth = min(map(len, pasts))
        levels: list[Rearranged] = []
        for steps in zip(*(past[len(past) - depth :] for past in pasts), strict=True):
            if len({(step.shape, step.perm) for step in steps}) > 1:
                levels.clear()
                continue
            names = dict.fromkeys(name for step in steps for name in step.names)
            levels.append(Rearranged(tuple(names), steps[0].shape, steps[0].perm))
        return tuple(levels)


def _undoes(perm: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return len(perm) == len(before) and all(before[p] == i for i, p in enumerate(perm))
