"""What a check found, as records."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["DatasetReport", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a data set, or suspicious.

    Attributes
    ----------
    level : str
        ``"error"``: a run over these images would stop here; ``"warning"``: it would not.
    file : str
        A table, or the path of an image or label map inside the images folder.
    row : int or None
        Line of the index that lists it, or of the table itself.
    message : str
        One sentence.
    """

    level: str
    file: str
    row: int | None
    message: str


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What a check found.

    Attributes
    ----------
    name : str
        The data set.
    images : int
        How many were looked at.
    problems : tuple of Problem
        In the order of the index, then files that it does not list, then in the order of label.csv.
    """

    name: str
    images: int
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """How many problems are errors."""
        return sum(problem.level == "error" for problem in self.problems)

    @property
    def ok(self) -> bool:
        """No errors; there may be warnings."""
        return self.errors == 0

    def to_json(self) -> dict[str, object]:
        """As JSON values.

        Returns
        -------
        dict
        """
        return asdict(self) | {"errors": self.errors, "ok": self.ok}
