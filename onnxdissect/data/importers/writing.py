"""From what a format makes of a data set to a folder in the Broden layout."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.table_writer import LabelEntry, write_tables
from onnxdissect.data.broden.writer import ImageRecord, check_category, write_image
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.data.importers.grids.colors import name_colors
from onnxdissect.data.importers.grids.resampling import majority, nearest_pixels
from onnxdissect.data.importers.grids.squares import Square, cell_centres, cover, same_aspect, square_pixels
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData
from onnxdissect.data.importers.options import ImportOptions
from onnxdissect.data.importers.plan import COLOR, Plan, PlannedImage, plan
from onnxdissect.data.importers.report import ImportReport, count_categories
from onnxdissect.data.links import LINKED
from onnxdissect.data.sources import Advance
from onnxdissect.errors import DataFormatError, EmptyDataError, shown_path
from onnxdissect.libraries import import_cv2
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.new_folder import new_folder, refuse_filled

__all__ = ["write_imported"]

_KEPT = "the data set"
# The share of Broden's own.
_TRAIN = 0.7


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
    refuse_filled(folder, _KEPT)
    planned = plan(data, options)
    for category in planned.categories:
        check_category(category)
    with new_folder(folder, _KEPT) as partial:
        try:
            records = _write_images(planned, partial, options, progress)
            labels, categories = _held(planned.labels, planned.categories, records)
            write_tables(partial, categories, labels, records)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"nothing was written to {shown_path(folder)}") from error
    return ImportReport(
        folder=str(folder),
        spec=f"{LINKED}:{folder}" if options.link else str(folder),
        name=options.name or folder.absolute().name,
        licence=options.licence,
        images=len(records),
        concepts=len(labels),
        splits=dict(sorted(Counter(record.split for record in records).items())),
        categories=count_categories(categories, labels, records),
        notes=(*planned.notes, *_left_out(planned.labels, labels)),
    )


def _write_images(
    planned: Plan, folder: Path, options: ImportOptions, progress: Advance | None
) -> list[ImageRecord]:
    if progress is not None:
        progress(0, len(planned.images))
    records = []
    written = ahead(
        lambda image: _write(image, planned.first_color, folder, options),
        planned.images,
        workers=options.workers,
        depth=2 * options.workers,
    )
    with contextlib.closing(written):
        for record in written:
            records.append(record)
            if progress is not None:
                progress(len(records), len(planned.images))
    return records


def _write(image: PlannedImage, first_color: int, folder: Path, options: ImportOptions) -> ImageRecord:
    """Write an image; called in a worker's thread."""
    file = image.source.file
    called = shown_path(file)
    pixels = read_image(file, called)
    size = (pixels.shape[0], pixels.shape[1])
    annotations = image.source.annotations(size)
    _check_maps(called, size, annotations)
    found = {category: list(items) for category, items in annotations.items()}
    square = cover(size, options.aspect or "stretch")
    grid = None if options.size is None else (options.size // 2, options.size // 2)
    if grid is not None:
        found = _resized(found, square, grid, options.resample)
    maps = _maps(found)
    resized = options.size is not None and not options.link
    if options.size is not None and resized:
        pixels = square_pixels(pixels, square, options.size)
    if first_color:
        shape = grid or next((one.shape for items in maps.values() for one in items), size)
        found[COLOR] = [_colors(pixels, square, shape, first_color, cut=resized)]
    for category, number in image.image_labels.items():
        found.setdefault(category, []).append(number)
    return write_image(
        folder,
        image.name,
        pixels if resized else file,
        found,
        split=_split_of_content(file) if options.split_from == "hash" else image.split,
        group=image.group,
        grid=None if _maps(found) else grid,
        link=options.link,
        decoded=size,
    )


def _colors(
    pixels: NDArray[np.uint8], square: Square, grid: tuple[int, ...], first: int, *, cut: bool
) -> NDArray[np.integer]:
    """Colours of an image's pixels on the label grid; margins have none."""
    lies = cover((pixels.shape[0], pixels.shape[1]), "stretch") if cut else square
    shape = (grid[0], grid[1])
    # on the grid, since what is not taken need not be named
    rows, columns = (cell_centres(lies, axis, pixels.shape[axis], shape[axis]) for axis in (0, 1))
    numbers = name_colors(pixels[rows[:, None], columns]).astype(np.int64) + first
    inside = [cell_centres(square, axis, square.size[axis], shape[axis]) >= 0 for axis in (0, 1)]
    return np.where(inside[0][:, None] & inside[1], numbers, 0)


def _split_of_content(file: Path) -> str:
    """By what a file holds, so that it is of one split whatever it is called and whatever lies beside it."""
    share = int.from_bytes(hashlib.sha256(file.read_bytes()).digest()[:8], "big") / 2**64
    return "train" if share < _TRAIN else "val"


def _check_maps(called: str, size: tuple[int, int], annotations: ImageAnnotations) -> None:
    for category, found in _maps(annotations).items():
        for one in found:
            if one.ndim != 2 or not one.size:
                raise DataFormatError(
                    f"{called}: a label map of {category} is an array (height, width), not {one.shape}"
                )
            shape = (one.shape[0], one.shape[1])
            if not same_aspect(shape, size):
                raise DataFormatError(
                    f"{called} is {size[0]}x{size[1]} (height x width), and its label map of {category} is "
                    f"{shape[0]}x{shape[1]}, of another aspect: it cannot lie over the image",
                    hint=_turned(shape, size),
                )


def _turned(shape: tuple[int, int], size: tuple[int, int]) -> str:
    if same_aspect(shape, size[::-1]):
        return (
            "label maps lie over the pixels as they are stored: if EXIF data turn the image, turn it for "
            "good, or turn the label map back"
        )
    return "is it the label map of another image, or cut out of one?"


def _maps(
    annotations: Mapping[str, Sequence[NDArray[np.integer] | int]],
) -> dict[str, list[NDArray[np.integer]]]:
    """Label maps by category, of those that have any."""
    arrays = {
        category: [one for one in items if isinstance(one, np.ndarray) and one.ndim]
        for category, items in annotations.items()
    }
    return {category: found for category, found in arrays.items() if found}


def _resized(
    annotations: ImageAnnotations, square: Square, grid: tuple[int, int], resample: str | None
) -> dict[str, list[NDArray[np.integer] | int]]:
    found: dict[str, list[NDArray[np.integer] | int]] = {}
    for category, items in annotations.items():
        rule = resample or ("majority" if category == "part" else "nearest")
        bring = majority if rule == "majority" else nearest_pixels
        found[category] = [
            bring(one, square, grid) if isinstance(one, np.ndarray) and one.ndim else one for one in items
        ]
    return found


def _held(
    labels: Sequence[LabelEntry], categories: Sequence[str], records: Sequence[ImageRecord]
) -> tuple[list[LabelEntry], list[str]]:
    """Labels that images hold, with the categories in which they do, and the categories of these."""
    held = {(category, number) for r in records for category, found in r.pixels.items() for number in found}
    kept = []
    for label in labels:
        within = tuple(category for category in label.categories if (category, label.number) in held)
        if within:
            kept.append(replace(label, categories=within))
    if not kept and not held:
        raise EmptyDataError(
            f"none of {len(records):,} images holds any label",
            hint="are these the annotations of these images?",
        )
    used = {category for category, _ in held}
    return kept, [category for category in categories if category in used]


def _left_out(known: Sequence[LabelEntry], kept: Sequence[LabelEntry]) -> list[str]:
    numbers = {label.number for label in kept}
    names = [label.name for label in known if label.number not in numbers]
    if not names:
        return []
    told = ", ".join(names[:10]) + ", ..." * (len(names) > 10)
    return [f"{len(names)} of {len(known)} labels are held by no image and left out: {told}"]
