"""Joining data sets into one, whose vocabulary is made as Broden's was (paper section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

from onnxdissect.data.broden.about import About, Part, one_line, write_about
from onnxdissect.data.broden.reader import BrodenDataset, open_dataset
from onnxdissect.data.broden.writer import check_category
from onnxdissect.data.joining.counting import CountedImages, count_images
from onnxdissect.data.joining.image_names import joined_names
from onnxdissect.data.joining.options import JoinOptions
from onnxdissect.data.joining.report import JoinReport, report_join
from onnxdissect.data.joining.sources import JoinSource, open_sources, refuse_place
from onnxdissect.data.joining.splitting import draw_splits
from onnxdissect.data.joining.vocabulary.numbering import number_concepts
from onnxdissect.data.joining.vocabulary.synonyms import SynonymTable, read_synonyms
from onnxdissect.data.joining.vocabulary.uniting import UnitedVocabulary, unite
from onnxdissect.data.joining.writing import JoinedImage, write_images, write_vocabulary
from onnxdissect.data.limits import MOST_PARTS
from onnxdissect.errors import shown_path
from onnxdissect.libraries import import_cv2
from onnxdissect.storage.files import write_bytes
from onnxdissect.storage.json_file import json_bytes
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.new_folder import new_folder, refuse_filled

__all__ = ["JOINED_FILE", "JoinProgress", "join_datasets"]

JOINED_FILE = "joined.json"
"""What a joined data set keeps of how it was made."""
_KEPT = "the joined data set"
_OF_EACH = "that of each data set it was made of"


class JoinProgress(Protocol):
    """Told how far a join is."""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """So many of so many images are done of a phase: ``data``, ``counting`` or ``joining``.

        The first is that of a data set that has to be made before it can be joined, such as ``tiny``.
        """


@explained_memory()
def join_datasets(
    data: Sequence[str | Path | BrodenDataset],
    folder: str | Path,
    options: JoinOptions | None = None,
    *,
    progress: JoinProgress | None = None,
) -> JoinReport:
    """Join data sets into one in the Broden layout.

    Concepts of one name, whatever its spelling, and synonyms become one, with one number. Images and label
    maps are read twice: to count in how many images each concept is, and to write them. The folder appears
    under its name when it is complete; if joining is interrupted or fails, nothing is left.

    Parameters
    ----------
    data : sequence of (str, Path or BrodenDataset)
        Folders in the Broden layout, or sources whose data lie in one, such as ``tiny``. One alone is made
        anew: with one spelling, without rare concepts.
    folder : str or Path
        Where to; it may not exist yet, or be empty.
    options : JoinOptions, optional
    progress : callable, optional
        Called in this thread with the phase, the images done and the images in all.

    Returns
    -------
    JoinReport

    Raises
    ------
    ParameterError
        If a data set is given twice, or an option is out of its range.
    DataError
        If a data set cannot be read, or the layout cannot hold all of them together.
    OutputError
        If the folder holds anything, lies in a data set, or cannot be written.
    """
    folder, options = Path(folder), options or JoinOptions()
    import_cv2()  # said here once rather than by every worker
    refuse_filled(folder, _KEPT)
    table = SynonymTable() if options.synonyms is None else read_synonyms(options.synonyms)
    try:
        sources = open_sources(data, None if progress is None else partial(progress, "data"))
        refuse_place(folder, sources)
        united = unite(sources, table)
        for category in united.categories:
            check_category(category)
        return _join(sources, united, folder, options, progress)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"nothing was written to {shown_path(folder)}") from error


def _join(
    sources: Sequence[JoinSource],
    united: UnitedVocabulary,
    folder: Path,
    options: JoinOptions,
    progress: JoinProgress | None,
) -> JoinReport:
    images = sum(len(source.dataset) for source in sources)
    counted = count_images(
        sources,
        united.lookups,
        len(united.concepts),
        workers=options.workers,
        done=_counter("counting", images, progress),
    )
    numbers = number_concepts(united, counted.held, options.min_images)
    planned = _plan(sources, counted, united.categories, options)
    parts = [source.parts() for source in sources]
    name = options.name or folder.absolute().name
    with new_folder(folder, _KEPT) as begun:
        records = write_images(
            begun,
            sources,
            united,
            numbers,
            planned,
            link=options.link,
            workers=options.workers,
            done=_counter("joining", images, progress),
        )
        write_vocabulary(begun, united, numbers, records)
        write_about(begun, _about(name, parts, options))
        # what is written is opened before it appears: nothing that cannot be read does
        joined = open_dataset(begun, follow_links=options.link)
        report = report_join(
            name,
            sources,
            [own for own, *_ in parts],
            united,
            numbers,
            counted,
            planned,
            joined,
            options.min_images,
        )
        write_bytes(begun / JOINED_FILE, json_bytes(report.to_json(), indent=1))
    return report


def _counter(phase: str, total: int, progress: JoinProgress | None) -> Callable[[], None]:
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(phase, done, total)

    if progress is not None:
        progress(phase, 0, total)
    return one_more


def _plan(
    sources: Sequence[JoinSource], counted: CountedImages, categories: Sequence[str], options: JoinOptions
) -> list[JoinedImage]:
    names = joined_names(sources, categories)
    planned = []
    for s, source in enumerate(sources):
        for i, entry in enumerate(source.dataset.entries):
            # films of two data sets may have one name
            group = f"{source.name}/{entry.group}" if entry.group else ""
            planned.append(JoinedImage(s, i, names[s][i], entry.split, group, counted.files[s][i].size))
    if not options.splits:
        return planned
    digests = [counted.files[one.source][one.i].digest for one in planned]
    splits = draw_splits(digests, [one.group for one in planned], options.splits)
    return [
        JoinedImage(one.source, one.i, one.name, split, one.group, one.size)
        for one, split in zip(planned, splits, strict=True)
    ]


def _about(name: str, parts: Sequence[Sequence[Part]], options: JoinOptions) -> About:
    joined = [own for own, *_ in parts]
    told = list(chain.from_iterable(parts))
    licences = {part.licence for part in joined}
    licence = joined[0].licence if len(licences) == 1 else _OF_EACH
    return About(
        one_line(name),
        one_line(options.licence or licence),
        made=one_line(" ".join(["join", *(part.name for part in joined)])),
        from_=tuple(told if len(told) <= MOST_PARTS else joined),
    )
