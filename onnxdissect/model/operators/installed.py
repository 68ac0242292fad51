"""Operators that users and installed packages add to the table.

A package adds operators by an entry point of the group ``onnxdissect.operators``, called as their domain::

    [project.entry-points."onnxdissect.operators"]
    "my.ops" = "my_package:OPERATORS"

where ``OPERATORS`` is an `Operator` of that domain or several in a tuple. Every command then knows them. They
are loaded when a graph holds an operator of that domain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from onnxdissect.errors import InstallationError
from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.table import BUILT_IN, OperatorTable
from onnxdissect.storage.memory import raise_memory_error

__all__ = ["GROUP", "installed_operators", "register_operator"]

GROUP = "onnxdissect.operators"
"""Group of the entry points that name operators."""


def register_operator(operator: Operator, operators: OperatorTable | None = None) -> OperatorTable:
    """Say what an operator means that the table does not know.

    Parameters
    ----------
    operator : Operator
        The operator; one that is already known by its name and domain is replaced.
    operators : OperatorTable, optional
        The table to add it to; by default what is built in and what installed packages register. What is
        wrong with a package is told when a network holds an operator of its domain.

    Returns
    -------
    OperatorTable
        With it, for `onnxdissect.dissect` and `onnxdissect.model.load_network` to be given as ``operators``;
        the other table stays as it is.

    Raises
    ------
    ParameterError
        If it is no `Operator`.
    """
    if operators is not None:
        return operators.register(operator)
    table, failures = BUILT_IN, {}
    for entry in entry_points(group=GROUP):
        try:
            table = _with(table, entry)
        except InstallationError as error:
            failures[_domain(entry)] = error
    return replace(table, failures=failures).register(operator)


def installed_operators(domains: Collection[str] | None = None) -> OperatorTable:
    """Find the operators that are built in, and those that installed packages register.

    Parameters
    ----------
    domains : collection of str, optional
        Only what is registered for these domains; by default for any.

    Returns
    -------
    OperatorTable

    Raises
    ------
    InstallationError
        If what a package registers does not load, or is no operator of the domain it is registered for.
    """
    table = BUILT_IN
    for entry in entry_points(group=GROUP):
        if domains is None or _domain(entry) in {"" if name == "ai.onnx" else name for name in domains}:
            table = _with(table, entry)
    return table


def _with(table: OperatorTable, entry: EntryPoint) -> OperatorTable:
    for operator in _load(entry):
        table = table.register(operator)
    return table


def _domain(entry: EntryPoint) -> str:
    return "" if entry.name == "ai.onnx" else entry.name


def _load(entry: EntryPoint) -> tuple[Operator, ...]:
    said = f"the operators of the domain {entry.name!r} ({entry.value})"
    hint = "mend or remove the package that registers them"
    try:
        loaded = entry.load()
    except Exception as error:  # whatever a foreign module does
        raise_memory_error(error)
        raise InstallationError(f"{said} do not load: {type(error).__name__}: {error}", hint=hint) from error
    found = (loaded,) if isinstance(loaded, Operator) or not isinstance(loaded, Iterable) else tuple(loaded)
    for operator in found:
        if not isinstance(operator, Operator):
            raise InstallationError(
                f"{said} are neither an Operator nor several: {type(operator).__name__}", hint=hint
            )
        if operator.domain != _domain(entry):
            raise InstallationError(f"{said} hold {operator.label}, which is of another domain", hint=hint)
    return found
