"""The cells along one axis of a value: tokens in their order, some of them, or all in another order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.layout.tokens import Tokens

__all__ = ["OTHER", "SEVERAL", "TokenRow"]

OTHER = -1
"""At a place that holds no cell: a class token, padding."""
SEVERAL = -2
"""At a place where several cells were put together."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenRow:
    """The cells that lie along one axis of a value.

    Attributes
    ----------
    origins : tuple of str
        Rows of tokens whose cells they are.
    grid : (int, int)
        (h, w) of their grid.
    axis : int
        Along which axis of the value.
    cells : ndarray of int64
        By place, the number of the cell, row by row; below zero where there is none, or several at once.
    mixed : bool
        Whether cells have heard others since, as attention lets them.
    """

    origins: tuple[str, ...]
    grid: tuple[int, int]
    axis: int
    cells: NDArray[np.int64]
    mixed: bool = False

    @classmethod
    def of(cls, name: str, axis: int, tokens: Tokens) -> TokenRow:
        """Take a row of tokens in their order.

        Parameters
        ----------
        name : str
            The value.
        axis : int
            Its axis of tokens.
        tokens : Tokens
            What lies along it.

        Returns
        -------
        TokenRow
        """
        return cls((name,), tokens.grid, axis, _numbers(tokens))

    @property
    def disordered(self) -> bool:
        """Whether cells are known to lie in another order than the grid's."""
        held = self.cells[self.cells != OTHER]
        return bool(np.any(held == SEVERAL) or np.any(np.diff(held) <= 0))

    def lines(self) -> tuple[Tokens, NDArray[np.int64], NDArray[np.int64]] | None:
        """Read the list as a grid whose rows and columns were moved as a whole.

        Returns
        -------
        tokens : Tokens
            What lies along the axis.
        rows, columns : ndarray of int64
            Which row and which column of the origin lies where.

            All of it None where the cells are no such grid. Rows and columns may be every second one, say, as
            the four parts of a patch merging are, but reach over the whole picture.
        """
        held = np.flatnonzero(self.cells != OTHER)
        w = self.grid[1]
        cells = self.cells[held]
        if cells.min() < 0 or held[-1] - held[0] != len(held) - 1:
            return None
        wide = int(np.argmin(np.append(cells // w == cells[0] // w, False)))
        if len(cells) % wide:
            return None
        laid = cells.reshape(-1, wide)
        rows, columns = laid[:, 0] // w, laid[0] % w
        if not np.array_equal(laid, rows[:, None] * w + columns):
            return None
        if not all(_spans(line, n) for line, n in zip((rows, columns), self.grid, strict=True)):
            return None
        first = int(held[0])
        return Tokens(first, laid.shape, len(self.cells) - first - len(held)), rows, columns

    @property
    def complete(self) -> bool:
        """Whether as many cells lie there as the grid has, or several at some places."""
        held = self.cells[self.cells != OTHER]
        return len(held) == self.grid[0] * self.grid[1] or bool(np.any(held == SEVERAL))

    def shift(self, tokens: Tokens) -> tuple[int, int] | None:
        """Tell how far cells lie behind those of a row that has them in order.

        Parameters
        ----------
        tokens : Tokens
            What lies along the other row.

        Returns
        -------
        (int, int) or None
            Rows and columns. None where not all lie equally far, or so far along a row that many come to
            lie in the next.
        """
        if tokens.length != len(self.cells) or tokens.grid != self.grid or np.any(self.cells == SEVERAL):
            return None
        other = _numbers(tokens)
        both = (self.cells >= 0) & (other >= 0)
        far = set((other[both] - self.cells[both]).tolist())
        if len(far) != 1:
            return None
        w = self.grid[1]
        rows, columns = divmod(far.pop() + w // 2, w)
        columns -= w // 2
        return (rows, columns) if abs(columns) <= max(w // 4, 1) else None


def _spans(line: NDArray[np.int64], length: int) -> bool:
    """Whether rows, or columns, are all of the grid in any order, or evenly spaced ones all over it."""
    if len(line) == length:
        return len(np.unique(line)) == length
    steps = set(np.diff(line).tolist())
    step = steps.pop() if len(steps) == 1 else 0
    return step > 0 and bool(line[0] < step and line[-1] + step >= length)


def _numbers(tokens: Tokens) -> NDArray[np.int64]:
    beside = np.full(tokens.before, OTHER), np.full(tokens.after, OTHER)
    return np.concatenate([beside[0], np.arange(tokens.cells), beside[1]]).astype(np.int64)
