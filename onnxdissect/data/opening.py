"""From what is asked for as data to a `Dataset`: a folder, a packed file, a source, or one that is open."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.data.groups import NO_GROUPS
from onnxdissect.data.sources import SPEC, Advance, Sources, installed_sources
from onnxdissect.errors import (
    DataError,
    DataNotFoundError,
    InstallationError,
    OnnxDissectError,
    ParameterError,
    nearest,
)
from onnxdissect.storage.memory import explained_memory, raise_memory_error
from onnxdissect.storage.regular_files import is_file

if TYPE_CHECKING:
    from onnxdissect.data.dataset import Dataset

__all__ = ["open_data", "recorded_spec"]


@explained_memory()
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
        A SPEC: a folder in the Broden layout, a packed file or its address, or the name of a source, perhaps
        with a colon and an argument.
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
    from onnxdissect.data.packed.opening import is_address, open_packed

    if not isinstance(data, str | Path):
        return _opened(data, groups)
    sources = installed_sources() if sources is None else sources
    spec = str(data)
    asked = sources.find(spec)
    if asked is None:
        if is_address(spec) or (is_file(spec) and Path(spec).name != "index.csv"):
            return open_packed(spec, groups=groups)
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
    own = opened.grouped_by or NO_GROUPS
    if groups not in (None, own):
        raise ParameterError(
            f"{spec} was asked for with images grouped by {groups}, and gives them grouped by {own}",
            candidates=(own,),
            hint=f"--groups {own}; a source tells in `grouped_by` what it was asked for",
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
        A SPEC for `open_data`. Of a run on a source: what that source recognises, or else the SPEC of the
        run. Of a run on a folder: the folder if it is still there; or the SPEC of a source which recognises
        the data; or else the folder as it was. None if the run had its data from memory.
    """
    spec, folder = record.get("spec"), record.get("folder")
    if folder and not spec and is_file(Path(str(folder)) / "index.csv"):
        return str(folder)
    sources = installed_sources() if sources is None else sources
    names = tuple(sources.known)
    if spec:
        asked = sources.find(str(spec))
        names = (asked[0],) if asked else ()
    for name in names:
        try:
            found = sources.load(name).recognise(record)
        except Exception as error:  # whatever a foreign package does
            raise_memory_error(error)
            continue  # said when it is asked for; here it may have nothing to do with the run
        if found is not None:
            return found
    lay = spec or folder
    return str(lay) if lay else None


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
    from onnxdissect.data.packed.dataset import PackedDataset

    if type(dataset) in (ArrayDataset, BrodenDataset, CheckedDataset, PackedDataset):
        return dataset
    return CheckedDataset(dataset)


def _asked(
    sources: Sources, name: str, argument: str, groups: str | None, progress: Advance | None
) -> Dataset:
    """Ask a source for a data set, and name it where it fails."""
    source = sources.load(name)
    try:
        return source.open(argument, groups=groups, progress=progress)
    except OnnxDissectError:
        raise
    except Exception as error:  # whatever a foreign function does
        raise_memory_error(error)
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
    """Add what packed files and sources there are, where one of them may have been meant."""
    packed = _packed_near(Path(spec))
    if packed:
        return DataNotFoundError(
            error.message, candidates=(*packed, *error.candidates), hint=f"--data {shlex.quote(packed[0])}"
        )
    match = SPEC.fullmatch(spec)
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
        hint = f"--data {shlex.quote(near[0])}"
    return DataNotFoundError(message, candidates=(*near, *error.candidates), hint=hint)


def _packed_near(path: Path) -> list[str]:
    """List packed files of like name beside a path where nothing lies."""
    from onnxdissect.data.packed.opening import is_packed

    if not path.name or os.path.lexists(path):
        return []
    try:
        names = [file.name for file in path.absolute().parent.iterdir() if file.is_file()]
    except (OSError, ValueError):  # a folder that cannot be read, or no name of one
        return []
    return [
        str(path.with_name(name)) for name in nearest(path.name, names) if is_packed(path.with_name(name))
    ]
