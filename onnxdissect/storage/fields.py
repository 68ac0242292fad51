"""What a document of JSON values has to hold, field by field: each rule names the place that breaks it.

A document is a `Record` of rules. What a rule refuses is a `FieldError`, whose text begins with the place, as
in ``layers[0].units is "many", not a whole number from 1 to 16,777,216``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "Choice",
    "Either",
    "Field",
    "FieldError",
    "Integer",
    "Listed",
    "Mapped",
    "Number",
    "OrNull",
    "Record",
    "Text",
    "expect_distinct",
    "shown",
]

_SHOWN = 60
_LONGEST_TEXT = 100_000


class FieldError(ValueError):
    """A value of a document is not what its rule asks for.

    Parameters
    ----------
    place : str
        Where it stands, such as ``layers[0].units``.
    problem : str
        What it is, and what it should have been.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}")


class Field(Protocol):
    """A rule for one value."""

    @property
    def wanted(self) -> str:
        """What is asked for, such as "a text"."""

    def check(self, value: Any, place: str) -> None:
        """Raise `FieldError` if a value will not do."""


def shown(value: object) -> str:
    """Show a JSON value in a message, cut short where it is long.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    if isinstance(value, dict):
        return "a record"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    text = "null" if value is None else text
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"


def _refuse(value: object, place: str, wanted: str) -> FieldError:
    return FieldError(place, f"is {shown(value)}, not {wanted}")


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number.

    Attributes
    ----------
    least, most : int
        Both are allowed.
    """

    least: int = 0
    most: int = 2**63 - 1

    @property
    def wanted(self) -> str:
        """See `Field`."""
        return f"a whole number from {self.least:,} to {self.most:,}"

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise _refuse(value, place, self.wanted)


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number.

    Attributes
    ----------
    least, most : float
        Its bounds.
    open : bool
        The bounds themselves are not allowed.
    nonzero : bool
        Nor is 0.
    """

    least: float = -1e300
    most: float = 1e300
    open: bool = False
    nonzero: bool = False

    @property
    def wanted(self) -> str:
        """See `Field`."""
        between = "strictly between" if self.open else "between"
        return f"a number {between} {self.least:g} and {self.most:g}" + (", but 0" if self.nonzero else "")

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        sound = (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and not (isinstance(value, float) and not math.isfinite(value))
            and (self.least < value < self.most if self.open else self.least <= value <= self.most)
            and not (self.nonzero and value == 0)
        )
        if not sound:
            raise _refuse(value, place, self.wanted)


@dataclass(frozen=True, slots=True)
class Text:
    """A text.

    Attributes
    ----------
    longest : int
        Characters.
    """

    longest: int = _LONGEST_TEXT

    @property
    def wanted(self) -> str:
        """See `Field`."""
        return f"a text of at most {self.longest:,} characters"

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        if not isinstance(value, str) or len(value) > self.longest:
            raise _refuse(value, place, self.wanted)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some texts.

    Attributes
    ----------
    values : tuple of str
    """

    values: tuple[str, ...]

    @property
    def wanted(self) -> str:
        """See `Field`."""
        return " or ".join(self.values)

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        if not isinstance(value, str) or value not in self.values:
            raise _refuse(value, place, self.wanted)


@dataclass(frozen=True, slots=True)
class OrNull:
    """A value, or null.

    Attributes
    ----------
    rule : Field
        Of the value.
    """

    rule: Field

    @property
    def wanted(self) -> str:
        """See `Field`."""
        return f"{self.rule.wanted}, or null"

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        if value is not None:
            self.rule.check(value, place)


@dataclass(frozen=True, slots=True)
class Either:
    """A value that one of several rules allows.

    Attributes
    ----------
    rules : tuple of Field
        No more than one of them is for records or lists: what is wrong inside is then told by that one.
    """

    rules: tuple[Field, ...]

    @property
    def wanted(self) -> str:
        """See `Field`."""
        return ", or ".join(rule.wanted for rule in self.rules)

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        for rule in self.rules:
            if isinstance(value, dict | list) and isinstance(
                rule, Listed if isinstance(value, list) else Record | Mapped
            ):
                rule.check(value, place)
                return
            try:
                rule.check(value, place)
            except FieldError:
                continue
            return
        raise _refuse(value, place, self.wanted)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list.

    Attributes
    ----------
    rule : Field
        Of each of its values.
    shortest, longest : int
        How many there may be.
    distinct : bool
        No two are equal. Only for texts and numbers.
    """

    rule: Field
    shortest: int = 0
    longest: int = 1_000_000
    distinct: bool = False

    @property
    def wanted(self) -> str:
        """See `Field`."""
        some = f"{self.shortest:,}"
        many = some if self.shortest == self.longest else f"{some} to {self.longest:,}"
        return f"a list of {many}"

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        if not isinstance(value, list) or not self.shortest <= len(value) <= self.longest:
            raise _refuse(value, place, self.wanted)
        found: dict[Any, int] = {}
        for i, item in enumerate(value):
            self.rule.check(item, f"{place}[{i}]")
            if self.distinct and found.setdefault(item, i) != i:
                raise FieldError(f"{place}[{i}]", f"is {shown(item)}, and so is {place}[{found[item]}]")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A record of any names.

    Attributes
    ----------
    rule : Field or None
        Of each of its values; None: they may be anything.
    """

    rule: Field | None = None

    @property
    def wanted(self) -> str:
        """See `Field`."""
        return "a record"

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        if not isinstance(value, dict):
            raise _refuse(value, place, self.wanted)
        if self.rule is not None:
            for name, item in value.items():
                self.rule.check(item, f"{place}.{name}" if place else name)


@dataclass(frozen=True, slots=True)
class Record:
    """A record of known names; others may be in it, and are not looked at.

    Attributes
    ----------
    required : mapping of str to Field
        By name.
    optional : mapping of str to Field
        Those that may be missing.
    """

    required: Mapping[str, Field] = field(default_factory=dict)
    optional: Mapping[str, Field] = field(default_factory=dict)

    @property
    def wanted(self) -> str:
        """See `Field`."""
        return "a record"

    def check(self, value: Any, place: str) -> None:
        """See `Field`."""
        if not isinstance(value, dict):
            raise _refuse(value, place or "the document", self.wanted)
        for name, rule, needed in self._rules():
            inner = f"{place}.{name}" if place else name
            if name in value:
                rule.check(value[name], inner)
            elif needed:
                raise FieldError(inner, "is missing")

    def _rules(self) -> Iterator[tuple[str, Field, bool]]:
        yield from ((name, rule, True) for name, rule in self.required.items())
        yield from ((name, rule, False) for name, rule in self.optional.items())


def expect_distinct(records: Sequence[Mapping[str, Any]], name: str, place: str) -> None:
    """Refuse records of which two have the same value under a name.

    Parameters
    ----------
    records : sequence of mapping
    name : str
        All of them have it.
    place : str
        Where the list of them stands.

    Raises
    ------
    FieldError
        If so.
    """
    found: dict[Any, int] = {}
    for i, record in enumerate(records):
        first = found.setdefault(record[name], i)
        if first != i:
            raise FieldError(
                f"{place}[{i}].{name}", f"is {shown(record[name])}, and so is that of {place}[{first}]"
            )
