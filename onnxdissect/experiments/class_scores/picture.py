"""The image of an explanation: a file, upright, and the same as the network takes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.errors import ImageFileError, ParameterError, shown_path
from onnxdissect.model import Network, Preparer, Preprocessing
from onnxdissect.wording import described

__all__ = ["Picture", "listed_pictures", "prepared", "read_picture"]

Picture = str | Path | NDArray[np.uint8]
"""A file, or pixels: RGB, (height, width, 3), uint8."""


def listed_pictures(images: object) -> list[Picture]:
    """Take one image or several for several.

    Parameters
    ----------
    images : str, Path, ndarray or iterable of them

    Returns
    -------
    list of (str, Path or ndarray)

    Raises
    ------
    ParameterError
        If something among them is no image.
    """
    several = [images] if isinstance(images, str | os.PathLike | np.ndarray) else images
    if not isinstance(several, Iterable) or isinstance(several, bytes | Mapping):
        raise ParameterError(
            f"images are paths, arrays of pixels, or several of them, not {described(images)}"
        )
    found = list(several)
    for one in found:
        if not isinstance(one, str | os.PathLike | np.ndarray):
            raise ParameterError(f"an image is a path or an array of pixels, not {described(one)}")
    return found


def read_picture(image: Picture) -> NDArray[np.uint8]:
    """Read an image.

    Parameters
    ----------
    image : str, Path or ndarray
        A file of any format that data sets may be of. It is turned as its EXIF data say; grey becomes three
        equal channels, CMYK becomes RGB, 16 bits become 8, transparency is dropped.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    ImageFileError
        If the file is missing, damaged, too large or no image.
    ParameterError
        If pixels are of another kind.
    """
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ParameterError(
                f"pixels are RGB, uint8 (height, width, 3), not {image.dtype}{list(image.shape)}"
            )
        return np.ascontiguousarray(image)
    if Path(image).is_dir():
        raise ImageFileError(
            f"{shown_path(image)} is a folder, and images are explained one by one",
            hint=f"onnxdissect explain MODEL {shown_path(image)}/*.jpg --run RUN",
        )
    return read_image(image, shown_path(image), upright=True)


def prepared(pixels: NDArray[np.uint8], network: Network, preprocessing: Preprocessing) -> NDArray[Any]:
    """Prepare an image as the run prepared its own.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Of any size.
    network : Network
        The network.
    preprocessing : Preprocessing
        Of the run.

    Returns
    -------
    ndarray
        A batch of one, in the layout and type of the image input.
    """
    preparer = Preparer(preprocessing, network.input, network.size)
    batch = np.empty((1, *preparer.shape), preparer.dtype)
    preparer(pixels, batch[0])
    return batch
