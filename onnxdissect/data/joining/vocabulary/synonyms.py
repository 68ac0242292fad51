"""Tables of synonyms: the shipped one, and files of users, which come first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from onnxdissect.data.broden.tables import read_table
from onnxdissect.data.joining.vocabulary.names import KINDS, Identity, name_key, renamed, shown_name
from onnxdissect.data.joining.vocabulary.own_synonyms import OWN_SYNONYMS
from onnxdissect.data.vocabulary import has_control
from onnxdissect.errors import DataFormatError, shown, shown_path
from onnxdissect.storage.regular_files import is_file

__all__ = ["SynonymTable", "read_synonyms"]

_COLUMNS = ("synonym", "name")
_HINT = "a table of synonyms has the columns synonym and name: a row couch,sofa makes each couch a sofa"
_OWN = MappingProxyType({name_key(synonym): name_key(name) for synonym, name in OWN_SYNONYMS})


@dataclass(frozen=True, slots=True)
class SynonymTable:
    """What is called otherwise in a joined data set.

    Attributes
    ----------
    asked : mapping of str to str
        From the key of a name to that of another, by the user. A name that stands for itself is kept as it
        is, whatever the shipped table says.
    spelling : mapping of str to str
        How the user spells the names that others are to have, by key.
    written : mapping of str to str
        How the user spells each synonym, by key.
    """

    asked: Mapping[str, str] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def asked_for(self, name: str, identity: Identity) -> tuple[str | None, Identity | None]:
        """Tell what the user calls a concept.

        Parameters
        ----------
        name : str
            Of the concept; the user may give the names of scenes and colours with their endings or without.
        identity : Identity

        Returns
        -------
        row : str or None
            Key of the row that says so.
        identity : Identity or None
            None if the table says nothing of it.
        """
        keys = (name_key(name), identity.key)
        row = next((key for key in keys if key in self.asked), None)
        if row is None:
            # what other names are to become stays what it is
            return None, identity if any(key in self.spelling for key in keys) else None
        target = self.asked[row]
        return row, identity if target == row else renamed(self.spelling[target], identity)

    def own(self, identity: Identity) -> Identity:
        """Tell what the shipped table calls a concept.

        Parameters
        ----------
        identity : Identity

        Returns
        -------
        Identity
            The same one where it says nothing.
        """
        return identity._replace(key=_OWN.get(identity.key, identity.key))

    def spellings(self) -> dict[Identity, str]:
        """Tell how the tables spell the names that they give.

        Returns
        -------
        dict of Identity to str
        """
        own = {Identity(kind, name_key(name)): name for kind in KINDS for _, name in OWN_SYNONYMS}
        asked = {renamed(text, Identity(kind, "")): text for kind in KINDS for text in self.spelling.values()}
        return own | asked


def read_synonyms(path: Path) -> SynonymTable:
    """Read a user's table.

    Parameters
    ----------
    path : Path
        CSV with the columns ``synonym`` and ``name``, a row for each synonym.

    Returns
    -------
    SynonymTable
        Beside the shipped one. Names that lead to further names are followed to the last.

    Raises
    ------
    DataFormatError
        If it is no such table, if a cell is empty, if a name is to become two others, or if names lead in a
        circle; with the line.
    """
    called = shown_path(path)
    if not is_file(path) and not os.path.lexists(path):
        raise DataFormatError(f"there is no file {called} to read synonyms from", hint=_HINT)
    try:
        table = read_table(path, _COLUMNS)
    except DataFormatError as error:
        raise DataFormatError(f"the table of synonyms: {error.message}", hint=error.hint or _HINT) from error
    columns = [table.columns[name] for name in _COLUMNS]
    targets: dict[str, str] = {}
    lines: dict[str, int] = {}
    written: dict[str, str] = {}
    spelling: dict[str, str] = {}
    for line, cells in table.rows:
        synonym, name = (shown_name(cells[position]) for position in columns)
        for text in (synonym, name):
            if not text or has_control(text):
                raise DataFormatError(f"{called}, line {line}: {shown(text)} cannot be a name", hint=_HINT)
        key, target = name_key(synonym), name_key(name)
        if key in targets:
            raise DataFormatError(
                f"{called}, line {line}: {shown(synonym)} is listed twice, in line {lines[key]} for "
                f"{shown(spelling[targets[key]])}",
                hint="a name has one row: remove one of them",
            )
        targets[key], lines[key], written[key] = target, line, synonym
        spelling.setdefault(target, name)
    followed = {key: _last(key, targets, called, lines) for key in targets}
    others = {target for key, target in followed.items() if key != target}
    return SynonymTable(followed, {key: spelling[key] for key in others}, written)


def _last(key: str, targets: Mapping[str, str], called: str, lines: Mapping[str, int]) -> str:
    passed = list(_followed(key, targets))
    last = passed[-1]
    if targets.get(last, last) != last:
        circle = passed[passed.index(targets[last]) :]
        told = " -> ".join([*circle, circle[0]] if len(circle) < 10 else [*circle[:10], "..."])
        raise DataFormatError(
            f"{called}, line {lines[last]}: the names lead in a circle: {told}",
            hint="remove one of these rows",
        )
    return last


def _followed(key: str, targets: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    while key not in seen:
        seen.add(key)
        yield key
        key = targets.get(key, key)
