"""From what is asked for as data to a `Dataset`: folders, and the sources that packages add.

A package adds a source by an entry point of the group ``onnxdissect.data``, called as its SPECs begin::

    [project.entry-points."onnxdissect.data"]
    shapes = "my_package:open_shapes"

Then ``shapes`` and ``shapes:ARGUMENT`` are data sets to every command: ``open_shapes(ARGUMENT, groups=...,
progress=...)`` gives a `Dataset`, ARGUMENT being empty for the bare name. In place of a function the entry
point may name a `Source`, which also knows the runs that were made on its data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from onnxdissect.data.groups import NO_GROUPS
from onnxdissect.errors import (
    DataError,
    DataNotFoundError,
    InstallationError,
    OnnxDissectError,
    ParameterError,
    nearest,
)

if TYPE_CHECKING:
    from onnxdissect.data.dataset import Dataset

__all__ = [
    "DEFAULT_DATA",
    "GROUP",
    "Advance",
    "Opener",
    "Source",
    "Sources",
    "installed_sources",
    "open_data",
    "recorded_spec",
]

DEFAULT_DATA = "tiny"
"""What a run is made on unless something else is asked for."""
GROUP = "onnxdissect.data"
"""Group of the entry points that name sources."""

# For a source tree that runs without having been installed; what is installed replaces it.
_OWN = (EntryPoint("tiny", "onnxdissect.tiny:SOURCE", GROUP),)
# Two letters at least: one and a colon begin a path on Windows.
_SPEC = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_.+-]+)(?::(?P<argument>.*))?", re.DOTALL)

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
        match = _SPEC.fullmatch(name)
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
        match = _SPEC.fullmatch(spec)
        if match is None or match["name"] not in self.known:
            return None
        return match["name"], match["argument"] or ""

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
    """
    return Sources({entry.name: entry for entry in (*_OWN, *entry_points(group=GROUP))})


def open_data(
    data: str | Path | Dataset,
    *,
    groups: str | None = None,
    progress: Advance | None = None,
    sources: Sources | None = None,
) -> Dataset:
    """Open a data set.

    Parameters
    ----------
    data : str, Path or Dataset
        A SPEC: a folder in the Broden layout, or the name of a source, perhaps with a colon and an argument.
        A folder that is called like a source is meant by ``./NAME``. A data set is given back as it is; one
        of a class of one's own is looked at first, and its images whenever they are read.
    groups : str, optional
        What groups images that belong together; see `open_dataset`. A data set that is open already has its
        own, and can only be asked for these.
    progress : callable, optional
        Called with (images done, images) while a data set is made that does not exist yet.
    sources : Sources, optional
        By default the installed ones.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If it is no data set, with what may have been meant.
    ParameterError
        If images cannot be grouped so.
    InstallationError
        If the source does not load, or gives something else.
    """
    from onnxdissect.data.broden.reader import open_dataset

    if not isinstance(data, str | Path):
        return _opened(data, groups)
    sources = installed_sources() if sources is None else sources
    spec = str(data)
    asked = sources.find(spec)
    if asked is None:
        try:
            return open_dataset(data, groups=groups)
        except DataNotFoundError as error:
            raise _not_found(error, spec, sources) from error
    name, argument = asked
    opened = _asked(sources, name, argument, groups, progress)
    lacking = _lacking(opened)
    if lacking:
        raise InstallationError(
            f"the data source {name!r} gives {type(opened).__name__}, which is no data set: "
            f"it lacks {lacking}",
            hint="mend or remove the package that registers it",
        )
    return _checked(opened)


def recorded_spec(record: Mapping[str, Any], sources: Sources | None = None) -> str | None:
    """Tell what opens the data of a stored run on this machine.

    Parameters
    ----------
    record : mapping
        The section ``data`` of its manifest.
    sources : Sources, optional
        By default the installed ones.

    Returns
    -------
    str or None
        A SPEC for `open_data`: that of the run; or its folder if that is still there; or that of a source
        which recognises the data; or else the folder as it was. None if the run had its data from memory.
    """
    spec, folder = record.get("spec"), record.get("folder")
    if spec:
        return str(spec)
    if folder and (Path(str(folder)) / "index.csv").is_file():
        return str(folder)
    sources = installed_sources() if sources is None else sources
    for name in sources.known:
        try:
            found = sources.load(name).recognise(record)
        except InstallationError:
            continue  # said when it is asked for; here it may have nothing to do with the run
        if found is not None:
            return found
    return str(folder) if folder else None


def _opened(dataset: Dataset, groups: str | None) -> Dataset:
    """Check a data set that was given as one."""
    lacking = _lacking(dataset)
    if lacking:
        raise ParameterError(
            f"{type(dataset).__name__} is no data set: it lacks {lacking}",
            hint="give a folder, the name of a source, or what open_data or ArrayDataset makes",
        )
    own = dataset.grouped_by or NO_GROUPS
    if groups not in (None, own):
        raise ParameterError(
            f"{dataset.name} is open already, with images grouped by {own}, not by {groups}",
            hint=f"open it with groups={groups!r}",
        )
    return _checked(dataset)


def _checked(dataset: Dataset) -> Dataset:
    """Hold a data set of a class that is not ours to the protocol."""
    from onnxdissect.data.arrays import ArrayDataset
    from onnxdissect.data.broden.reader import BrodenDataset
    from onnxdissect.data.checked_dataset import CheckedDataset

    if type(dataset) in (ArrayDataset, BrodenDataset, CheckedDataset):
        return dataset
    return CheckedDataset(dataset)


def _asked(
    sources: Sources, name: str, argument: str, groups: str | None, progress: Advance | None
) -> Dataset:
    """Ask a source for a data set, and name it where it fails."""
    source = sources.load(name)
    try:
        return source.open(argument, groups=groups, progress=progress)
    except (OnnxDissectError, MemoryError):
        raise
    except Exception as error:  # whatever a foreign function does
        found = sources.known[name]
        where = f" ({found.value})" if isinstance(found, EntryPoint) else ""
        raise DataError(
            f"the data source {name!r}{where} cannot open {argument!r}: {type(error).__name__}: {error}",
            hint="if what was asked for is right, mend or remove the package that registers it",
        ) from error


def _lacking(dataset: object) -> str:
    from onnxdissect.data.dataset import Dataset as Wanted

    # Not by isinstance: before Python 3.12 that computes every property, the fingerprint too.
    names = (name for name in vars(Wanted) if not name.startswith("_"))
    return ", ".join(sorted({*names, "__len__"} - {*dir(dataset)}))


def _not_found(error: DataNotFoundError, spec: str, sources: Sources) -> DataNotFoundError:
    """Add what sources there are, where one of them may have been meant."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return error
    name, argument = match["name"], match["argument"]
    rest = "" if argument is None else f":{argument}"
    near = [f"{known}{rest}" for known in nearest(name, sources.known)]
    message, hint = error.message, error.hint
    if argument is not None:
        message += f", and no data source {name!r}"
        hint = f"installed sources: {', '.join(sorted(sources.known))}; others come with packages"
    if near:
        hint = f"--data {near[0]}"
    return DataNotFoundError(message, candidates=(*near, *error.candidates), hint=hint)
