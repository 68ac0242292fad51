"""From what a format makes of a data set to a folder in the Broden layout."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from onnxdissect.data.broden.about import About, one_line, write_about
from onnxdissect.data.broden.table_writer import LabelEntry, check_categories, write_tables
from onnxdissect.data.broden.writer import ImageRecord
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.importers.grids.turning import UPRIGHT
from onnxdissect.data.importers.image_writing import WrittenImage, write_planned
from onnxdissect.data.importers.imported import ImportedData
from onnxdissect.data.importers.options import ImportOptions
from onnxdissect.data.importers.plan import Plan, plan
from onnxdissect.data.importers.report import ImportReport, count_categories
from onnxdissect.data.joining.splitting import draw_splits
from onnxdissect.data.sources import Advance, folder_spec
from onnxdissect.errors import DataFormatError, EmptyDataError, nearest, shown, shown_path
from onnxdissect.libraries import import_cv2
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.new_folder import new_folder, refuse_filled
from onnxdissect.wording import counted

__all__ = ["KEPT", "write_imported"]

KEPT = "the data set"
"""What is written, for messages."""
# Broden's own.
_SHARES = {"train": 0.7, "val": 0.3}


@explained_memory()
def write_imported(
    data: ImportedData, folder: Path, options: ImportOptions, progress: Advance | None = None
) -> ImportReport:
    """Write a data set in the Broden layout.

    The folder appears under its name when it is complete; if writing fails or is interrupted, nothing is
    left.

    Parameters
    ----------
    data : ImportedData
        What a format has made of it.
    folder : Path
        Where to; it may not exist yet, or be empty.
    options : ImportOptions
    progress : callable, optional
        Called in this thread with the images done and the images in all.

    Returns
    -------
    ImportReport

    Raises
    ------
    ParameterError
        If the data set cannot be written as the options ask.
    DataError
        If an image or its annotations cannot be read or do not fit each other, or no table can hold them.
    OutputError
        If the folder holds anything, or cannot be written.
    """
    import_cv2()  # said here once rather than by every worker
    refuse_filled(folder, KEPT)
    options = replace(options, upright=options.upright or data.upright)
    planned = plan(data, options)
    check_categories(planned.categories, grouped=any(image.group for image in planned.images))
    with new_folder(folder, KEPT) as partial:
        try:
            written = _write_images(planned, partial, options, progress)
            records = _records(written, options)
            labels, categories = _held(planned, records)
            name = one_line(options.name) or one_line(folder.absolute().name)
            licence, made = one_line(options.licence), one_line(options.made)
            about = About(name, licence=licence, made=made, from_=data.parts)
            write_about(partial, about)
            write_tables(partial, categories, labels, records)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"nothing was written to {shown_path(folder)}") from error
    return ImportReport(
        folder=str(folder),
        spec=folder_spec(folder, linked=options.link),
        name=about.name,
        licence=about.licence,
        images=len(records),
        concepts=len(labels),
        splits=dict(sorted(Counter(record.split for record in records).items())),
        categories=count_categories(categories, labels, records),
        notes=(*planned.notes, *_left_out(planned.labels, labels), *_told_turns(written, options)),
    )


def _write_images(
    planned: Plan, folder: Path, options: ImportOptions, progress: Advance | None
) -> list[WrittenImage]:
    if progress is not None:
        progress(0, len(planned.images))
    found = []
    written = ahead(
        lambda image: write_planned(image, planned.first_color, folder, options),
        planned.images,
        workers=options.workers,
        depth=2 * options.workers,
    )
    with contextlib.closing(written):
        for one in written:
            found.append(one)
            if progress is not None:
                progress(len(found), len(planned.images))
    return found


def _records(written: Sequence[WrittenImage], options: ImportOptions) -> list[ImageRecord]:
    records = [one.record for one in written]
    if options.split_from != "hash":
        return records
    splits = draw_splits([one.digest for one in written], [record.group for record in records], _SHARES)
    return [replace(record, split=split) for record, split in zip(records, splits, strict=True)]


def _held(planned: Plan, records: Sequence[ImageRecord]) -> tuple[list[LabelEntry], list[str]]:
    """Labels that images hold, with the categories in which they do, and the categories of these."""
    held = {(category, number) for r in records for category, found in r.pixels.items() for number in found}
    kept = []
    for label in planned.labels:
        within = tuple(category for category in label.categories if (category, label.number) in held)
        if within:
            kept.append(replace(label, categories=within))
    if not held:
        told = "".join(f"; {note}" for note in planned.notes)
        raise EmptyDataError(
            f"none of {len(records):,} images holds any label{told}",
            hint="are these the annotations of these images, and do they draw areas?",
        )
    used = {category for category, _ in held}
    if unknown := sorted(used - set(planned.categories)):
        raise DataFormatError(
            f"images are annotated in the category {shown(unknown[0])}, which the data set does not list",
            candidates=nearest(unknown[0], planned.categories) or list(planned.categories),
        )
    return kept, [category for category in planned.categories if category in used]


def _left_out(known: Sequence[LabelEntry], kept: Sequence[LabelEntry]) -> list[str]:
    numbers = {label.number for label in kept}
    names = [label.name for label in known if label.number not in numbers]
    if not names:
        return []
    told = ", ".join(names[:10]) + ", ..." * (len(names) > 10)
    return [f"{len(names)} of {len(known)} labels are held by no image and left out: {told}"]


def _told_turns(written: Sequence[WrittenImage], options: ImportOptions) -> list[str]:
    turns = sum(one.way != UPRIGHT for one in written)
    if not turns:
        return []
    many = f"{counted(turns, 'image')} {'is' if turns == 1 else 'are'} turned by EXIF data"
    if not options.upright:
        return [
            f"{many}: label maps were taken to lie over the pixels as stored; --upright takes them turned"
        ]
    if options.size is not None and not options.link:
        return [f"{many}, and written upright"]
    return [f"{many}: their label maps were turned back, to lie over the pixels as stored"]
