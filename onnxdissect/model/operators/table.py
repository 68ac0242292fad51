"""The table: entries found by name and domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from onnxdissect.errors import InstallationError, ParameterError
from onnxdissect.model.operators.entries import (
    elementwise,
    others,
    pointwise,
    products,
    rearranging,
    reductions,
    windows,
)
from onnxdissect.model.operators.operator import Operator

__all__ = ["BUILT_IN", "OperatorTable"]

_OWN_DOMAINS = ("", "com.microsoft")
"""ONNX's own operators, and those that onnxruntime adds: their names mean one thing."""

_UNKNOWN = Operator("?")


@dataclass(frozen=True, slots=True)
class OperatorTable:
    """Operators by name and domain.

    Attributes
    ----------
    entries : tuple of Operator
        One for each; of two for the same operator the later one counts.
    failures : mapping of str to InstallationError
        By domain, what is wrong with an installed package that registers its operators.
    """

    entries: tuple[Operator, ...]
    failures: Mapping[str, InstallationError] = field(default_factory=dict, repr=False, compare=False)
    _exact: dict[tuple[str, str], Operator] = field(init=False, repr=False, compare=False)
    _named: dict[str, Operator] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact: dict[tuple[str, str], Operator] = {}
        named: dict[str, Operator] = {}
        for entry in self.entries:
            exact[entry.name, entry.domain] = entry
            if entry.domain == "":
                exact[entry.name, "ai.onnx"] = entry
            if entry.domain == "" or (entry.domain in _OWN_DOMAINS and (entry.name, "") not in exact):
                named[entry.name] = entry
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_named", named)

    def find(self, name: str, domain: str = "") -> Operator:
        """Find an entry.

        Parameters
        ----------
        name : str
            Operator type.
        domain : str
            Its domain.

        Returns
        -------
        Operator
            That of the operator; or else that of ONNX's or onnxruntime's operator of that name, which others
            are called after: it counts for weights and compute, while axes are followed only where `follows`
            says so. One that knows nothing if there is none either.
        """
        found = self._exact.get((name, domain))
        return found if found is not None else self._named.get(name, _UNKNOWN)

    def follows(self, name: str, domain: str = "") -> bool:
        """Whether what is known of an operator counts for the axes of its results.

        Parameters
        ----------
        name : str
            Operator type.
        domain : str
            Its domain.

        Returns
        -------
        bool
            False for operators of other domains that have no entry of their own, whatever they are called.
        """
        return domain in _OWN_DOMAINS or domain == "ai.onnx" or (name, domain) in self._exact

    def expect_loaded(self, name: str, domain: str) -> None:
        """Refuse to read an operator whose package does not load, unless it was registered otherwise.

        Parameters
        ----------
        name : str
            Operator type.
        domain : str
            Its domain.

        Raises
        ------
        InstallationError
            If a package registers operators of this domain and does not load.
        """
        domain = "" if domain == "ai.onnx" else domain
        if domain in self.failures and (name, domain) not in self._exact:
            raise self.failures[domain]

    def register(self, operator: Operator) -> OperatorTable:
        """Add an operator.

        Parameters
        ----------
        operator : Operator
            One already known by its name and domain is replaced.

        Returns
        -------
        OperatorTable
            With it; this one stays as it is.

        Raises
        ------
        ParameterError
            If it is no `Operator`.
        """
        if not isinstance(operator, Operator):
            raise ParameterError(
                f"an operator is registered as an Operator, not as {type(operator).__name__}",
                hint='register_operator(Operator("Mix", "my.ops", axes="first"))',
            )
        key = operator.name, operator.domain
        kept = (entry for entry in self.entries if (entry.name, entry.domain) != key)
        return OperatorTable((*kept, operator), self.failures)

    def added(self) -> tuple[Operator, ...]:
        """Give the entries that are not built in.

        Returns
        -------
        tuple of Operator
        """
        own = set(BUILT_IN.entries)
        return tuple(entry for entry in self.entries if entry not in own)


BUILT_IN = OperatorTable(
    (
        *pointwise.OPERATORS,
        *elementwise.OPERATORS,
        *windows.OPERATORS,
        *reductions.OPERATORS,
        *products.OPERATORS,
        *rearranging.OPERATORS,
        *others.OPERATORS,
    )
)
"""What the package itself knows."""
