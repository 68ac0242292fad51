"""Einsum: what the axes of its result mean, whose places they have, and what the product costs."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from onnxdissect.model.graph import attribute

__all__ = ["Equation", "parse_equation"]

_CELLS = frozenset("HWThwtx")


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation with its ellipses written out.

    Attributes
    ----------
    operands : tuple of str
        One letter per axis of each operand.
    out : str
        One letter per axis of the result.
    """

    operands: tuple[str, ...]
    out: str

    def axes(self, known: Mapping[int, str]) -> str | None:
        """Name the axes of the result.

        Parameters
        ----------
        known : mapping of int to str
            For each operand that depends on the image the meaning of its axes, see
            `onnxdissect.model.layout.axes`.

        Returns
        -------
        str or None
            None where the equation takes a diagonal, or puts rows and columns in another order.
        """
        if any(len(set(letters)) < len(letters) for letters in (*self.operands, self.out)):
            return None
        if any(len(names) != len(self.operands[place]) for place, names in known.items()):
            return None
        meanings: dict[str, set[str]] = {}
        for place, names in known.items():
            for letter, name in zip(self.operands[place], names, strict=True):
                meanings.setdefault(letter, set()).add(name)
        summed = {name for letter in meanings if letter not in self.out for name in meanings[letter]}
        kept = {name for letter in self.out for name in meanings.get(letter, ())}
        named = [self._name(letter, meanings, summed, kept, known) for letter in self.out]
        for name in "NCHW":
            # channels by channels: only one of them can be the units
            for place in [i for i, other in enumerate(named) if other == name][1:]:
                named[place] = "?"
        # where rows and columns change places, which is which is not for this table to say
        cells = "".join(name for name in named if name in "HW")
        return None if cells == "WH" else "".join(named)

    def _name(
        self,
        letter: str,
        meanings: Mapping[str, set[str]],
        summed: set[str],
        kept: set[str],
        known: Mapping[int, str],
    ) -> str:
        if letter in meanings:
            names = meanings[letter] - {"?"} or {"?"}
            return names.pop() if len(names) == 1 else "?"
        # an axis of the weights alone
        weights = {
            c
            for i, letters in enumerate(self.operands)
            if i not in known and letter in letters
            for c in letters
        }
        apart = {name for c in weights if c in self.out for name in meanings.get(c, ())}
        if apart:
            # weights of its own for each group or head, or for each cell
            return "c" if apart <= set("Cc") else "?"
        # units, where the product is over all units that there were, or over the pixels of a patch
        units = bool(summed) and (bool(summed & set("Cc")) or summed <= set("?tx"))
        if not units or kept & set("Cc"):
            return "?"
        return "C" if sum(other not in meanings for other in self.out) == 1 else "c"

    def holding(self, axis: int) -> list[int]:
        """Which operands have an axis of the result.

        Parameters
        ----------
        axis : int
            Of the result.

        Returns
        -------
        list of int
        """
        return [i for i, letters in enumerate(self.operands) if self.out[axis] in letters]

    def mixes(self, known: Mapping[int, str]) -> bool:
        """Tell whether each cell of the result hears all others.

        Parameters
        ----------
        known : mapping of int to str
            As for `axes`.

        Returns
        -------
        bool
            True where cells are summed over, or weighed by a statistic of them all.
        """
        cells = [
            {letter for letter, name in zip(self.operands[i], names, strict=True) if name in _CELLS}
            for i, names in known.items()
        ]
        return any(each - set(self.out) for each in cells) or (not all(cells) and any(cells))

    def multiply_accumulates(self, shapes: Sequence[Sequence[int]]) -> int:
        """Count the products, operands taken in pairs from the left as onnxruntime does.

        Parameters
        ----------
        shapes : sequence of sequence of int
            Shape of each operand.

        Returns
        -------
        int
            0 for a single operand, which is only summed or put in another order.
        """
        lengths: dict[str, int] = {}
        for letters, shape in zip(self.operands, shapes, strict=True):
            for letter, length in zip(letters, shape, strict=True):
                lengths[letter] = max(lengths.get(letter, 1), int(length))
        left = set(self.operands[0])
        total = 0
        for place, letters in enumerate(self.operands[1:], 1):
            together = left | set(letters)
            total += prod(lengths[letter] for letter in together)
            left = together & {*self.out, *"".join(self.operands[place + 1 :])}
        return total


def parse_equation(node: ir.Node, ranks: Sequence[int]) -> Equation | None:
    """Read an Einsum node's equation.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    ranks : sequence of int
        Number of axes of each operand.

    Returns
    -------
    Equation or None
        None where the equation does not fit the operands.
    """
    text = str(attribute(node, "equation", "")).replace(" ", "")
    left, arrow, right = text.partition("->")
    operands = left.split(",")
    if len(operands) != len(ranks):
        return None
    spare = [letter for letter in string.ascii_letters + string.digits if letter not in text]
    extra = [rank - len(letters.replace("...", "")) for letters, rank in zip(operands, ranks, strict=True)]
    if any(n < 0 or (n and "..." not in letters) for n, letters in zip(extra, operands, strict=True)):
        return None
    most = max(extra, default=0)
    written = [
        letters.replace("...", "".join(spare[most - n : most]))
        for n, letters in zip(extra, operands, strict=True)
    ]
    if arrow:
        out = right.replace("...", "".join(spare[:most]))
    else:
        once = sorted({c for c in left if c.isalpha() and left.count(c) == 1})
        out = ("".join(spare[:most]) if "..." in left else "") + "".join(once)
    return Equation(tuple(written), out) if set(out) <= set("".join(written)) else None
