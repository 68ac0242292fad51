"""Sources of data: what SPECs name, and what packages add.

A package adds a source by an entry point of the group ``onnxdissect.data``, called as its SPECs begin::

    [project.entry-points."onnxdissect.data"]
    shapes = "my_package:open_shapes"

Then ``shapes`` and ``shapes:ARGUMENT`` are data sets to every command: ``open_shapes(ARGUMENT, groups=...,
progress=...)`` gives a `Dataset`, ARGUMENT being empty for the bare name. In place of a function the entry
point may name a `Source`, which also knows the runs that were made on its data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from onnxdissect.data.links import CLEANED, LINKED
from onnxdissect.errors import InstallationError, ParameterError
from onnxdissect.storage.memory import raise_memory_error

if TYPE_CHECKING:
    from onnxdissect.data.dataset import Dataset

__all__ = [
    "DEFAULT_DATA",
    "GROUP",
    "SPEC",
    "Advance",
    "Opener",
    "Source",
    "Sources",
    "folder_spec",
    "installed_sources",
]

DEFAULT_DATA = "tiny"
"""What a run is made on unless something else is asked for."""
GROUP = "onnxdissect.data"
"""Group of the entry points that name sources."""

# The formats of this package, a line for each.
_OWN = (
    EntryPoint("tiny", "onnxdissect.tiny:SOURCE", GROUP),
    EntryPoint(LINKED, "onnxdissect.data.broden.linked:SOURCE", GROUP),
    EntryPoint(CLEANED, "onnxdissect.data.broden.checking.cleaned:SOURCE", GROUP),
    EntryPoint("segmenter", "onnxdissect.segmenter.source:SOURCE", GROUP),
)
SPEC = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_.+-]+)(?::(?P<argument>.*))?", re.DOTALL)
"""What asks a source. Two letters at least: one and a colon begin a path on Windows."""

Advance = Callable[[int, int], None]
"""Told how many images are done, and of how many, while a data set is made."""


class Opener(Protocol):
    """Opens a data set."""

    def __call__(self, argument: str, *, groups: str | None, progress: Advance | None) -> Dataset:
        """Open it.

        Parameters
        ----------
        argument : str
            What follows the colon in the SPEC; may be empty.
        groups : str or None
            What groups images that belong together, as asked for.
        progress : callable or None
            Told how far it is, if it has to be made first.

        Returns
        -------
        Dataset
        """


def _unknown(record: Mapping[str, Any]) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Source:
    """Where data sets of one kind come from.

    Attributes
    ----------
    open : Opener
    recognise : callable
        From the section ``data`` of a run's manifest to the SPEC that opens the same data set on this
        machine; None for runs on other data.
    """

    open: Opener
    recognise: Callable[[Mapping[str, Any]], str | None] = _unknown


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources that are known by name.

    Attributes
    ----------
    known : mapping of str to EntryPoint or Source
        By what a SPEC begins with. Entry points are loaded when they are asked for.
    """

    known: Mapping[str, EntryPoint | Source] = field(default_factory=dict)

    def register(self, name: str, opener: Opener | Source) -> Sources:
        """Add a source.

        Parameters
        ----------
        name : str
            What its SPECs begin with; one already known by it is replaced.
        opener : Opener or Source

        Returns
        -------
        Sources
            With it; this object stays as it is.

        Raises
        ------
        ParameterError
            If no SPEC can begin so.
        """
        match = SPEC.fullmatch(name)
        if match is None or match["argument"] is not None:
            raise ParameterError(
                f"a source cannot be called {name!r}: letters, digits and _.+- after a letter, two at least"
            )
        return Sources({**self.known, name: opener if isinstance(opener, Source) else Source(opener)})

    def find(self, spec: str) -> tuple[str, str] | None:
        """Tell which source a SPEC asks.

        Parameters
        ----------
        spec : str

        Returns
        -------
        (str, str) or None
            Name of the source and its argument; None for what is a path.
        """
        match = SPEC.fullmatch(spec)
        if match is None or match["name"] not in self.known:
            return None
        return match["name"], match["argument"] or ""

    def absolute(self, spec: str) -> str:
        """Give a SPEC that means the same from any folder.

        Parameters
        ----------
        spec : str

        Returns
        -------
        str
            With an absolute path where the argument is a path at which something lies.
        """
        name, argument = self.find(spec) or (spec, "")
        if not argument or not os.path.lexists(argument):
            return spec
        return f"{name}:{Path(argument).absolute()}"

    def load(self, name: str) -> Source:
        """Load a source.

        Parameters
        ----------
        name : str
            One of those known.

        Returns
        -------
        Source

        Raises
        ------
        InstallationError
            If the package that registers it does not load.
        """
        found = self.known[name]
        if isinstance(found, Source):
            return found
        try:
            loaded = found.load()
        except Exception as error:  # whatever a foreign module does
            raise_memory_error(error)
            raise InstallationError(
                f"the data source {name!r} ({found.value}) does not load: {type(error).__name__}: {error}",
                hint="mend or remove the package that registers it",
            ) from error
        if not isinstance(loaded, Source) and not callable(loaded):
            raise InstallationError(
                f"the data source {name!r} ({found.value}) is neither a function nor a Source",
                hint="mend or remove the package that registers it",
            )
        return loaded if isinstance(loaded, Source) else Source(loaded)


def installed_sources() -> Sources:
    """Find the sources that the installed packages register.

    Returns
    -------
    Sources
        A name that two of them register differently belongs to neither: to open it is refused.
    """
    values: dict[str, set[str]] = {}
    entries = (*_OWN, *entry_points(group=GROUP))
    for entry in entries:
        values.setdefault(entry.name, set()).add(entry.value)
    known: dict[str, EntryPoint | Source] = {entry.name: entry for entry in entries}
    known |= {name: Source(_ambiguous(name, found)) for name, found in values.items() if len(found) > 1}
    return Sources(known)


def folder_spec(folder: Path, *, linked: bool = False, sources: Sources | None = None) -> str:
    """Give the SPEC that opens a folder.

    Parameters
    ----------
    folder : Path
    linked : bool
        Whether its links may lead out of it.
    sources : Sources, optional
        In place of the installed ones.

    Returns
    -------
    str
        Its path, with ``./`` before one that is called like a source.
    """
    if linked:
        return f"{LINKED}:{folder}"
    known = installed_sources() if sources is None else sources
    return str(folder) if known.find(str(folder)) is None else f"./{folder}"


def _ambiguous(name: str, values: Iterable[str]) -> Opener:
    def refuse(argument: str, *, groups: str | None, progress: Advance | None) -> Dataset:
        raise InstallationError(
            f"several packages register the data source {name!r}: {', '.join(sorted(values))}",
            hint="remove all of them but one",
        )

    return refuse
