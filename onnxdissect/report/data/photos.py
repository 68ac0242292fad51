"""The photographs of a report: every image that is a top image of some unit, once, as a small WebP file."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import DataError
from onnxdissect.libraries import import_cv2
from onnxdissect.machine import cores
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.report.data.images import RunImages
    from onnxdissect.report.data.previous_report import PreviousReport
    from onnxdissect.results import Dissection

__all__ = [
    "PHOTOS",
    "Photos",
    "Readable",
    "encode_photo",
    "gather_known_photos",
    "gather_photos",
    "imported_note",
    "needed_images",
    "photo_path",
    "shrink",
]

PHOTOS = "photos"  # their folder, beside the pages

_SIDES = (256, 224, 192, 160, 128, 112, 96, 80, 64)
_BUDGET = 28 << 20  # bytes that all photographs of a report may take
_TRIED = 32  # images that are encoded to choose the size
_QUALITY = 76
# What libwebp may do for smaller files, from 0 to 6; OpenCV always has it do 4. Pictures look the same with
# less, to a hundredth of a decibel, are a fifth larger, and take half the time.
_QUICK = 1


class Readable(Protocol):
    """Reads images by their numbers; many threads may at once."""

    def read(self, image: int, /) -> NDArray[np.uint8]:
        """Read an image, RGB (height, width, 3), or raise `DataError`."""


@dataclass(frozen=True, slots=True)
class Photos:
    """Which photographs lie beside the pages.

    Attributes
    ----------
    sizes : mapping of int to (int, int)
        Per image of the run, (width, height) of its photograph in pixels.
    note : str
        What is missing and why, for the reader; empty if all is there.
    """

    sizes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    note: str = ""

    @property
    def available(self) -> bool:
        """Whether there are photographs at all."""
        return bool(self.sizes)


def photo_path(image: int) -> str:
    """Where a photograph lies, relative to the report's folder.

    Parameters
    ----------
    image : int
        Number of the image in the run.

    Returns
    -------
    str
        With forward slashes.
    """
    return f"{PHOTOS}/{image}.webp"


def needed_images(dissection: Dissection) -> list[int]:
    """Find the images that are top images of some unit.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    list of int
        Ascending; none of imported results.
    """
    if dissection.imported:
        return []
    tops = [dissection.counts(info.name).top_images.ravel() for info in dissection.layers]
    return np.unique(np.concatenate(tops)).tolist() if tops else []


def imported_note(dissection: Dissection) -> str:
    """Say what the pages of imported results show, and what they cannot.

    Parameters
    ----------
    dissection : Dissection
        Imported.

    Returns
    -------
    str
        Sentences.
    """
    files = [str(one["file"]) for one in dissection.manifest["imported"]["files"]]
    named = files[0] if len(files) == 1 else f"{files[0]} and {counted(len(files) - 1, 'other file')}"
    return (
        f"These results were imported from {named}. They tell of each unit the best concept of every "
        "category, and nothing else: there are no pictures, masks, activations and intervals, and "
        "no other concepts."
    )


def gather_photos(
    images: Readable | None,
    note: str,
    needed: Sequence[int],
    folder: Path,
    previous: PreviousReport | None,
    advance: Callable[[int], None],
    *,
    imported: bool = False,
) -> Photos:
    """Put the photographs into the folder of a report.

    They are taken from an earlier report of the same images where that has all of them, otherwise from the
    data set. They are as large as a fixed budget of bytes allows.

    Parameters
    ----------
    images : Readable or None
        Of the run; None if they cannot be found.
    note : str
        Why they cannot be found.
    needed : sequence of int
        Numbers of the images.
    folder : Path
        Folder of the report.
    previous : PreviousReport or None
        The report that is about to be replaced.
    advance : callable
        Told how many more images are done.
    imported : bool
        Whether the results were imported.

    Returns
    -------
    Photos
    """
    if not needed:
        kept_none = "The run kept no top images, so there are no pictures."
        return Photos(note=note if imported else kept_none)
    if previous is not None and previous.holds(needed):
        (folder / PHOTOS).mkdir()
        for image in needed:
            shutil.copyfile(previous.folder / photo_path(image), folder / photo_path(image))
            advance(1)
        return Photos({image: previous.photos[image] for image in needed})
    if images is None:
        advance(len(needed))
        return Photos(note=note)
    return _shrink_all(images, needed, folder, advance)


def gather_known_photos(
    images: RunImages | None,
    note: str,
    needed: Sequence[int],
    folder: Path,
    sources: Sequence[PreviousReport],
) -> Photos:
    """Put photographs into a folder: each from the first report that has it, the others from the data set.

    Parameters
    ----------
    images : RunImages or None
        Of the run; None if they cannot be found.
    note : str
        Why they cannot be found.
    needed : sequence of int
        Numbers of the images.
    folder : Path
        Where they are put.
    sources : sequence of PreviousReport
        Over the same images.

    Returns
    -------
    Photos
        With a note where some of them are missing.
    """
    holder = {image: source for source in reversed(sources) for image in source.photos}
    known = [image for image in needed if image in holder]
    others = [image for image in needed if image not in holder]
    rest = Photos()
    if others or not needed:
        rest = gather_photos(images, note, others, folder, None, lambda _: None)
    if known:
        (folder / PHOTOS).mkdir(exist_ok=True)
    for image in known:
        shutil.copyfile(holder[image].folder / photo_path(image), folder / photo_path(image))
    sizes = {image: holder[image].photos[image] for image in known} | dict(rest.sizes)
    missing = len(needed) - len(sizes)
    note = rest.note
    if known and missing == len(others) and missing:
        reason = rest.note.removeprefix("There are no pictures: ")
        note = f"{missing:,} of {len(needed):,} pictures are missing: {reason}"
    return Photos({image: sizes[image] for image in sorted(sizes)}, note)


def _shrink_all(
    images: Readable, needed: Sequence[int], folder: Path, advance: Callable[[int], None]
) -> Photos:
    sizes: dict[int, tuple[int, int]] = {}
    failures: dict[int, str] = {}

    def read(image: int) -> NDArray[np.uint8] | None:
        try:
            return images.read(image)
        except DataError as error:
            failures[image] = error.message
            return None

    def write(image: int) -> None:
        pixels = read(image)
        if pixels is None:
            return
        small = shrink(pixels, side)
        (folder / photo_path(image)).write_bytes(encode(small))
        sizes[image] = (small.shape[1], small.shape[0])

    with ThreadPoolExecutor(min(cores(), 8)) as pool:
        tried = list(needed)[:: max(1, len(needed) // _TRIED)][:_TRIED]
        pixels = [pixels for pixels in pool.map(read, tried) if pixels is not None]
        side, encode = _fitting(pixels, len(needed), _quick_encoder() or encode_photo)
        (folder / PHOTOS).mkdir()
        for _ in pool.map(write, needed):
            advance(1)
    if not sizes:
        shutil.rmtree(folder / PHOTOS)
        first = failures[min(failures)]
        return Photos(note=f"There are no pictures: no image could be read. The first: {first}")
    note = ""
    if failures:
        note = (
            f"{len(failures):,} of {len(needed):,} images could not be read and are left grey. "
            f"The first: {failures[min(failures)]}"
        )
    return Photos({image: sizes[image] for image in sorted(sizes)}, note)


def _fitting(
    tried: Sequence[NDArray[np.uint8]], images: int, quick: Callable[[NDArray[np.uint8]], bytes]
) -> tuple[int, Callable[[NDArray[np.uint8]], bytes]]:
    """Choose a side and an encoder with which `images` files, on average as those tried, fit the budget.

    Where the budget is short, no picture becomes smaller for being written more quickly.
    """
    for side, encode in ((_SIDES[0], quick), *((side, encode_photo) for side in _SIDES[:-1])):
        mean = sum(len(encode(shrink(pixels, side))) for pixels in tried) / max(len(tried), 1)
        if mean * images <= _BUDGET:
            return side, encode
    return _SIDES[-1], encode_photo


def shrink(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Shrink an image to a longest side; smaller images stay as they are.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    side : int
        Pixels of the longer side at most.

    Returns
    -------
    ndarray of uint8, shape (smaller height, smaller width, 3)
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    cv2 = import_cv2()
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    resized: NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return resized


def encode_photo(image: NDArray[np.uint8]) -> bytes:
    """Write a photograph as WebP.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB.

    Returns
    -------
    bytes
    """
    cv2 = import_cv2()
    upright = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded: bytes = cv2.imencode(".webp", upright, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1].tobytes()
    return encoded


def _quick_encoder() -> Callable[[NDArray[np.uint8]], bytes] | None:
    """Give an encoder that takes half the time; None where Pillow was built without WebP."""
    from PIL import Image, features

    if not features.check("webp"):
        return None
    from PIL import WebPImagePlugin  # noqa: F401, before threads import it, and the plugins of all other formats

    def encode(image: NDArray[np.uint8]) -> bytes:
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "WEBP", quality=_QUALITY, method=_QUICK)
        return encoded.getvalue()

    return encode
