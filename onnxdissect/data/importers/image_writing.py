"""From one image of another data set, and its annotations, to its files in the Broden layout."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.writer import ImageRecord, label_maps, write_image
from onnxdissect.data.decoding.pixels import decode_image, read_file
from onnxdissect.data.importers.grids.colors import name_colors
from onnxdissect.data.importers.grids.resampling import majority, nearest_pixels
from onnxdissect.data.importers.grids.squares import Square, cell_centres, cover, same_aspect, square_pixels
from onnxdissect.data.importers.grids.turning import TRY_UPRIGHT, UPRIGHT, orientation, turned, turned_back
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedImage
from onnxdissect.data.importers.options import ImportOptions
from onnxdissect.data.importers.plan import COLOR, PlannedImage
from onnxdissect.errors import DataFormatError, shown_path
from onnxdissect.wording import described

__all__ = ["WrittenImage", "write_planned"]


class WrittenImage(NamedTuple):
    """What is known of an image when it is written.

    Attributes
    ----------
    record : ImageRecord
    digest : bytes
        SHA-256 of the file that it was read from.
    way : int
        How EXIF data turn it.
    """

    record: ImageRecord
    digest: bytes
    way: int


def write_planned(
    image: PlannedImage, first_color: int, folder: Path, options: ImportOptions
) -> WrittenImage:
    """Write an image. Called from several threads at once.

    Parameters
    ----------
    image : PlannedImage
    first_color : int
        Number of the first of the colours' labels; 0 without them.
    folder : Path
        The data set.
    options : ImportOptions

    Returns
    -------
    WrittenImage

    Raises
    ------
    DataError
        If it cannot be read, its annotations neither, or if these do not fit it.
    OutputError
        If a file cannot be written.
    """
    file = image.source.file
    called = shown_path(file)
    content = read_file(file, called)
    way = orientation(content)
    applied = way if options.upright else UPRIGHT
    stored = decode_image(content, called)
    pixels = np.ascontiguousarray(turned(stored, applied))
    size = (pixels.shape[0], pixels.shape[1])
    found = _checked(called, image.source.annotations(size))
    if not image.source.spread:
        _check_maps(image.source, size, found, way)
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
    if not resized:
        found = _turned_back(found, applied)
    for category, number in image.image_labels.items():
        found.setdefault(category, []).append(number)
    record = write_image(
        folder,
        image.name,
        pixels if resized else file,
        found,
        split=image.split,
        group=image.group,
        grid=None if _maps(found) else grid,
        link=options.link,
        decoded=(stored.shape[0], stored.shape[1]),
    )
    return WrittenImage(record, hashlib.sha256(content).digest(), way)


def _turned_back(
    found: Mapping[str, Sequence[NDArray[np.integer] | int]], way: int
) -> dict[str, list[NDArray[np.integer] | int]]:
    """Label maps over the pixels as stored: files that are taken over as they are stay turned."""
    return {
        category: [
            turned_back(one, way) if isinstance(one, np.ndarray) and one.ndim else one for one in items
        ]
        for category, items in found.items()
    }


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


def _check_maps(image: ImportedImage, size: tuple[int, int], annotations: ImageAnnotations, way: int) -> None:
    called = shown_path(image.file)
    within = f" in {shown_path(image.annotated_in)}" if image.annotated_in else ""
    for category, found in _maps(annotations).items():
        for one in found:
            shape = (one.shape[0], one.shape[1])
            if not same_aspect(shape, size):
                raise DataFormatError(
                    f"{called} is {size[0]}x{size[1]} (height x width), and its label map of "
                    f"{category}{within} is {shape[0]}x{shape[1]}, of another aspect: it cannot lie over "
                    "the image",
                    hint=_other_aspect(shape, size, way),
                )


def _other_aspect(shape: tuple[int, int], size: tuple[int, int], way: int) -> str:
    if same_aspect(shape, size[::-1]) and way != UPRIGHT:
        return TRY_UPRIGHT
    return "is it the label map of another image, or cut out of one?"


def _checked(called: str, annotations: ImageAnnotations) -> dict[str, list[NDArray[np.integer] | int]]:
    """Annotations of whole numbers from 0, which resizing takes for granted."""
    if not isinstance(annotations, Mapping):
        raise DataFormatError(
            f"{called}: annotations are label maps and label numbers by category, not "
            f"{described(annotations)}"
        )
    return {
        category: [
            *label_maps(called, category, items),
            *(one for one in items if not (isinstance(one, np.ndarray) and one.ndim)),
        ]
        for category, items in annotations.items()
    }


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
