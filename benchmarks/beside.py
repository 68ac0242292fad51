"""Rows of figures beside those of version 0.1 and what is aimed for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HEAD", "Figure"]

HEAD = f"{'':<44} {'0.1':>10} {'aim':>10} {'now':>10}   now / 0.1"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row.

    Attributes
    ----------
    name : str
        With the unit.
    before : float or None
        Of version 0.1, on another machine of two cores that others used too: what it says is the order of
        magnitude. None where nobody measured it.
    aim : float or None
        At most.
    digits : int
        Behind the point.
    """

    name: str
    before: float | None = None
    aim: float | None = None
    digits: int = 1

    def row(self, now: float) -> str:
        """Give the row."""
        before, aim = ("" if value is None else self._shown(value) for value in (self.before, self.aim))
        ratio = "" if self.before is None else f"{now / self.before:.2f}"
        return f"{self.name:<44} {before:>10} {aim:>10} {self._shown(now):>10}   {ratio:>9}"

    def _shown(self, value: float) -> str:
        return f"{value:,.{self.digits}f}"
