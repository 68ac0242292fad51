"""The data sets that are joined, opened, with what their tables say beyond what a run needs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from onnxdissect.data.broden.about import About, Part, about_of, one_line
from onnxdissect.data.broden.index import COLUMNS, cell_items
from onnxdissect.data.broden.reader import BrodenDataset
from onnxdissect.data.broden.tables import read_table, whole_cell
from onnxdissect.data.joining.vocabulary.names import name_key, shown_name
from onnxdissect.data.limits import MOST_PARTS
from onnxdissect.data.opening import open_data
from onnxdissect.data.sources import Advance
from onnxdissect.errors import DataFormatError, OutputError, ParameterError, shown_path

__all__ = ["JoinSource", "open_sources", "refuse_place"]

_LONGEST_NAME = 60
# What no file system of some kind takes in a name, or a table between paths.
_NOT_IN_NAMES = re.compile(r'[\\/;:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]')


@dataclass(frozen=True, slots=True, eq=False)
class JoinSource:
    """A data set that is joined with others.

    Attributes
    ----------
    spec : str
        As it was asked for.
    name : str
        The folder of its images in the joined data set, and what it is called in reports.
    dataset : BrodenDataset
    cells : sequence of mapping
        Of each image, by category: paths of label maps, and label numbers that hold for it as a whole.
    synonyms : mapping of int to tuple of str
        What label.csv says that a label is called as well, by number.
    nameless : tuple of int
        Numbers of labels without a name, which are no concepts.
    """

    spec: str
    name: str
    dataset: BrodenDataset
    cells: Sequence[Mapping[str, Sequence[str | int]]]
    synonyms: Mapping[int, tuple[str, ...]]
    nameless: tuple[int, ...]

    def parts(self) -> tuple[Part, ...]:
        """Tell of it as of a part of another data set, and of what it was made of itself.

        Returns
        -------
        tuple of Part
            The data set first.
        """
        about = about_of(self.dataset) or About(one_line(self.name))
        own = Part(about.name, about.licence, self.dataset.fingerprint, len(self.dataset), about.homepage)
        return own, *(replace(part, name=one_line(f"{about.name}: {part.name}")) for part in about.from_)


def open_sources(
    data: Sequence[str | Path | BrodenDataset], progress: Advance | None = None
) -> list[JoinSource]:
    """Open all data sets that are joined.

    Parameters
    ----------
    data : sequence of (str, Path or BrodenDataset)
        Folders in the Broden layout, or sources whose data lie in one.
    progress : callable, optional
        Called with (images done, images) while a data set is made that does not exist yet.

    Returns
    -------
    list of JoinSource

    Raises
    ------
    ParameterError
        If there is none, if one is there twice, or if one lies in no Broden folder.
    DataError
        If one cannot be opened.
    """
    if not data:
        raise ParameterError("no data set was given to join", hint="onnxdissect data join DIR DIR --out DIR")
    if len(data) > MOST_PARTS:
        raise ParameterError(f"{len(data):,} data sets were given to join; at most {MOST_PARTS:,} are")
    found: list[JoinSource] = []
    places: dict[str, str] = {}
    for one in data:
        spec = one.name if isinstance(one, BrodenDataset) else str(one)
        dataset = open_data(one, progress=progress)
        if not isinstance(dataset, BrodenDataset):
            raise ParameterError(
                f"{shown_path(spec)} gives {len(dataset)} images that lie in no Broden folder, and only such "
                f"are joined",
                hint="join the folder that they were made of, one with an index.csv; data import writes one, "
                "also of what a segmenter labels",
            )
        place = os.path.realpath(dataset.folder)
        if place in places:
            also = f", as {shown_path(places[place])}" if places[place] != spec else ""
            raise ParameterError(
                f"the data set {shown_path(spec)} was given twice{also}: its images would count twice",
                hint="give each data set once",
            )
        places[place] = spec
        found.append(_source(spec, dataset, {source.name.casefold() for source in found}))
    return found


def refuse_place(folder: Path, sources: Sequence[JoinSource]) -> None:
    """Refuse to write where data sets are read from.

    Parameters
    ----------
    folder : Path
        Where the joined data set is to be.
    sources : sequence of JoinSource

    Raises
    ------
    OutputError
        If it lies in one.
    """
    place = Path(os.path.realpath(folder))
    for source in sources:
        lies = Path(os.path.realpath(source.dataset.folder))
        if place == lies or lies in place.parents:
            raise OutputError(
                f"the joined data set cannot be written to {shown_path(folder)}: it lies inside the data set "
                f"{shown_path(lies)}, which is joined",
                hint="--out DIR with a new folder elsewhere",
            )


def _source(spec: str, dataset: BrodenDataset, taken: set[str]) -> JoinSource:
    index = read_table(dataset.folder / dataset.index, COLUMNS, inside=dataset.inside)
    labels = read_table(dataset.folder / "label.csv", ("number", "name"), inside=dataset.inside)
    rows = dict(index.rows)
    columns = [(category, index.columns[category]) for category in dataset.vocabulary.categories]
    cells: list[dict[str, tuple[str | int, ...]]] = []
    for entry in dataset.entries:
        row = rows.get(entry.line)
        if row is None:
            raise DataFormatError(f"{dataset.folder / dataset.index} has changed while it was read")
        items = {category: cell_items(row[position]) for category, position in columns}
        cells.append({category: found for category, found in items.items() if found})
    names, synonyms = labels.columns["name"], labels.columns.get("syns")
    listed: dict[int, tuple[str, ...]] = {}
    nameless = []
    for line, found in labels.rows:
        number = whole_cell(labels, (line, found), "number")
        if number and not found[names].strip():
            nameless.append(number)
        if synonyms is not None:
            texts = (shown_name(text) for text in found[synonyms].split(";"))
            listed[number] = tuple(text for text in texts if text)
    return JoinSource(spec, _folder_name(dataset.name, taken), dataset, cells, listed, tuple(nameless))


def _folder_name(name: str, taken: set[str]) -> str:
    plain = _NOT_IN_NAMES.sub("_", shown_name(name))[:_LONGEST_NAME].strip(" .") or "data"
    tries = chain((plain,), (f"{plain}-{n}" for n in count(2)))
    return next(one for one in tries if one.casefold() not in taken and name_key(one))
