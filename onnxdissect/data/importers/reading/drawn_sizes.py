"""Whether annotations are those of an image, by the size that they tell."""

from __future__ import annotations

from pathlib import Path

from onnxdissect.data.decoding.pixels import read_file, read_image
from onnxdissect.data.importers.grids.turning import TRY_UPRIGHT, UPRIGHT, orientation
from onnxdissect.errors import DataFormatError, shown_path

__all__ = ["require_size"]


def require_size(drawn: tuple[int, int] | None, image: Path, shape: tuple[int, int], called: str) -> None:
    """Refuse annotations that were drawn on an image of another size.

    Parameters
    ----------
    drawn : (int, int) or None
        Height and width that the annotations tell; None where they tell none.
    image : Path
    shape : (int, int)
        Height and width of the image.
    called : str
        What to call the annotations in messages.

    Raises
    ------
    DataFormatError
        If these differ.
    """
    if drawn in (None, shape):
        return
    hint = "annotations fit the images that they were drawn on: give these"
    if drawn == shape[::-1]:
        hint = TRY_UPRIGHT if _would_turn(image, shape) else f"{hint}; EXIF data may have turned them"
    raise DataFormatError(
        f"{called} was drawn on an image of {drawn[0]} x {drawn[1]} pixels (height x width), and "
        f"{shown_path(image)} is {shape[0]} x {shape[1]}",
        hint=hint,
    )


def _would_turn(image: Path, shape: tuple[int, int]) -> bool:
    """Whether the image has the shape that it is stored in, and EXIF data turn it."""
    called = shown_path(image)
    return orientation(read_file(image, called)) != UPRIGHT and read_image(image, called).shape[:2] == shape
