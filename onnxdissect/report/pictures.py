"""Sheets of a unit's top images, with its masks drawn in."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.pixels import read_image
from onnxdissect.errors import DataError, import_cv2
from onnxdissect.report.data import PICTURES, Sheets, picture_path

if TYPE_CHECKING:
    from onnxdissect.results import Dissection, LayerInfo

__all__ = ["Contact", "draw_sheets", "fit_mask"]

_COLUMNS = 5
_SIDE = 112  # pixels of a thumbnail's longer side, half of what Broden's images have
_GAP = 3
_FRAME = 22  # grey level between the images
_ABSENT = 70  # grey level of an image that could not be read
_DIMMED = 0.42
_OUTLINE = (255, 214, 10)  # RGB
_QUALITY = 80
_CACHE_BYTES = 400 << 20


@dataclass(frozen=True, slots=True)
class Contact:
    """Geometry of a sheet: images in reading order, a frame between and around them.

    Attributes
    ----------
    images : int
        How many there are.
    cell : tuple of int
        (height, width) of each, in pixels.
    """

    images: int
    cell: tuple[int, int]

    @property
    def columns(self) -> int:
        """Images across."""
        return min(self.images, _COLUMNS)

    @property
    def rows(self) -> int:
        """Images down."""
        return -(-self.images // _COLUMNS)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the sheet, in pixels."""
        height, width = self.cell
        return self.rows * (height + _GAP) + _GAP, self.columns * (width + _GAP) + _GAP

    def places(self) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of each image, in order."""
        height, width = self.cell
        for i in range(self.images):
            row, column = divmod(i, _COLUMNS)
            top, left = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
            yield slice(top, top + height), slice(left, left + width)

    def compose(self, images: list[NDArray[np.uint8]], masks: list[NDArray[np.bool_]]) -> NDArray[np.uint8]:
        """Lay out images, bright where the mask is and dimmed elsewhere.

        The outline runs just outside the mask, so that what is bright is the mask and nothing else.

        Parameters
        ----------
        images : list of ndarray of uint8, shape (height, width, 3)
            Of the size of a cell.
        masks : list of ndarray of bool, shape (sh, sw)
            On their label grids.

        Returns
        -------
        ndarray of uint8, shape (sheet height, sheet width, 3)
        """
        cv2 = import_cv2()
        sheet = np.full((*self.size, 3), _FRAME, np.uint8)
        for image, mask, place in zip(images, masks, self.places(), strict=True):
            region = fit_mask(mask, self.cell).view(np.uint8)
            cell = (image * np.float32(_DIMMED)).astype(np.uint8)
            cv2.copyTo(image, region, cell)
            around = cv2.dilate(region, np.ones((3, 3), np.uint8)) - region
            cell[around.view(np.bool_)] = _OUTLINE
            sheet[place] = cell
        return sheet


def fit_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Resize a mask to the nearest cell, never smoothed.

    Parameters
    ----------
    mask : ndarray of bool, shape (sh, sw)
    size : tuple of int
        (height, width).

    Returns
    -------
    ndarray of bool, shape (height, width)
        Contiguous.
    """
    rows, columns = (
        (2 * np.arange(pixels) + 1) * labels // (2 * pixels)
        for pixels, labels in zip(size, mask.shape, strict=True)
    )
    fitted: NDArray[np.bool_] = mask[rows[:, None], columns]
    return fitted


def draw_sheets(dissection: Dissection, folder: Path, advance: Callable[[int], None]) -> Sheets:
    """Draw every unit's sheet at every quantile.

    Images that cannot be read are left grey; without any image, nothing is drawn.

    Parameters
    ----------
    dissection : Dissection
    folder : Path
        Folder of the page; each sheet lies there at its `picture_path`.
    advance : callable
        Told how many more units are done; not called if nothing is drawn.

    Returns
    -------
    Sheets
        What was drawn, and what is missing.
    """
    source, note = _image_folder(dissection)
    top = dissection.counts(dissection.layers[0].name).top_images.shape[1] if dissection.layers else 0
    if top == 0 and not note:
        note = "The run kept no top images, so there are no pictures."
    if source is None or top == 0:
        return Sheets(0, 0, 0, note)

    contact = Contact(top, _cell(dissection))
    grey = np.full((*contact.cell, 3), _ABSENT, np.uint8)
    needed: set[int] = set()
    failures: dict[int, str] = {}

    # lives as long as this call: the top images of many units are the same few
    @lru_cache(maxsize=max(_CACHE_BYTES // grey.nbytes, top))
    def thumbnail(index: int) -> NDArray[np.uint8]:
        try:
            name = dissection.images[index].name
            return _shrink(read_image(source / "images" / name, name), contact.cell)
        except DataError as error:
            failures[index] = error.message
            return grey

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for info in dissection.layers:
            # one layer after the other, as only one layer's counts are in memory at a time
            top_images = dissection.counts(info.name).top_images
            needed.update(top_images.ravel().tolist())
            (folder / picture_path(info.slug, 0, 0)).parent.mkdir(parents=True)
            draw = partial(_draw_unit, dissection, info, top_images, contact, thumbnail, folder)
            for _ in pool.map(draw, range(info.units)):
                advance(1)
    if failures and len(failures) == len(needed):
        shutil.rmtree(folder / PICTURES)
        first = failures[min(failures)]
        return Sheets(0, 0, 0, f"There are no pictures: no image could be read. The first: {first}")
    if failures:
        note = (
            f"{len(failures):,} of {len(needed):,} images could not be read and are left grey. "
            f"The first: {failures[min(failures)]}"
        )
    height, width = contact.size
    return Sheets(width, height, top, note)


def _draw_unit(
    dissection: Dissection,
    info: LayerInfo,
    top_images: NDArray[np.int64],
    contact: Contact,
    thumbnail: Callable[[int], NDArray[np.uint8]],
    folder: Path,
    unit: int,
) -> None:
    cv2 = import_cv2()
    images = [thumbnail(int(image)) for image in top_images[unit]]
    for q, quantile in enumerate(dissection.quantiles):
        masks = [dissection.mask(info.name, unit, rank, quantile) for rank in range(len(images))]
        sheet = contact.compose(images, masks)
        # without chroma subsampling the outline keeps its colour
        parameters = [
            cv2.IMWRITE_JPEG_QUALITY,
            _QUALITY,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
        encoded = cv2.imencode(".jpg", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), parameters)[1]
        (folder / picture_path(info.slug, unit, q)).write_bytes(encoded.tobytes())


def _image_folder(dissection: Dissection) -> tuple[Path | None, str]:
    """Where the images lie, or why there are none."""
    data = dissection.manifest.get("data")
    named = data.get("folder") if isinstance(data, dict) else None
    if not named:
        return None, "The run does not say where its images are, so there are no pictures."
    folder = Path(named)
    if not (folder / "images").is_dir():
        return None, f"There are no pictures: the images are no longer in {folder}."
    return folder, ""


def _cell(dissection: Dissection) -> tuple[int, int]:
    """Thumbnails have the shape of the commonest label grid, as label grids cover their images."""
    ((height, width), _), *_ = Counter(image.grid for image in dissection.images).most_common(1)
    scale = _SIDE / max(height, width)
    return max(round(height * scale), _SIDE // 4), max(round(width * scale), _SIDE // 4)


def _shrink(image: NDArray[np.uint8], cell: tuple[int, int]) -> NDArray[np.uint8]:
    cv2 = import_cv2()
    smaller = image.shape[0] > cell[0] or image.shape[1] > cell[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized: NDArray[np.uint8] = cv2.resize(image, (cell[1], cell[0]), interpolation=way)
    return resized
