"""Turn decoded images into a network's input: resize, look up, write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.libraries import import_cv2
from onnxdissect.model.layers.records import ImageInput

if TYPE_CHECKING:
    from onnxdissect.model.preprocessing.presets import Preprocessing

__all__ = ["Preparer"]

_CARRIERS = {"float16": "uint16", "int64": "float64"}
"""Types that OpenCV does not look up, and others of the same width that carry their bits."""


class Preparer:
    """Prepares single images; may be called from several threads at once.

    A pixel has 256 values, so every channel is a table of 256 numbers, computed in float64 and rounded once.

    Parameters
    ----------
    preprocessing : Preprocessing
        The numbers.
    image_input : ImageInput
        Layout and type to write.
    size : (int, int)
        (height, width) to resize to.
    """

    __slots__ = ("_bgr", "_cv2", "_grey", "_last", "_size", "_table", "dtype", "shape")

    def __init__(self, preprocessing: Preprocessing, image_input: ImageInput, size: tuple[int, int]) -> None:
        self._cv2: Any = import_cv2()
        self.dtype: np.dtype[Any] = np.dtype(image_input.dtype)
        self.shape: tuple[int, ...] = image_input.shape(1, size)[1:]
        self._size = size
        self._last = image_input.layout == "NHWC"
        self._grey = image_input.channels == 1
        self._bgr = preprocessing.channels == "bgr" and not self._grey
        self._table = _table(preprocessing, self.dtype)

    def __call__(self, image: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Prepare one image.

        Parameters
        ----------
        image : ndarray
            RGB, (h, w, 3), uint8.
        out : ndarray
            Where to write, C-contiguous, of `shape` and `dtype`.

        Raises
        ------
        ValueError
            If either array is of another kind.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an RGB image of uint8, got {image.dtype}{list(image.shape)}")
        if out.shape != self.shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(f"expected {self.dtype}{list(self.shape)} to write to, C-contiguous")
        cv2 = self._cv2
        height, width = self._size
        if image.shape[:2] != (height, width):
            shrinks = height <= image.shape[0] and width <= image.shape[1]
            method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            image = cv2.resize(image, (width, height), interpolation=method)
        if self._grey:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        elif self._bgr:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        target = out.view(self._table.dtype)
        if self._last:
            cv2.LUT(image, self._table, dst=target.reshape(image.shape))
            return
        planes = [image] if self._grey else cv2.split(image)
        for channel, plane in enumerate(planes):
            cv2.LUT(plane, self._table[:, :, channel].copy(), dst=target[channel])


def _table(preprocessing: Preprocessing, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers of every pixel value per channel, (1, 256, channels), under a type that OpenCV looks up."""
    pixel = np.arange(256, dtype=np.float64)[None, :, None]
    values = (pixel * preprocessing.scale - np.array(preprocessing.mean)) / np.array(preprocessing.std)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    table: NDArray[Any] = values.astype(dtype).view(_CARRIERS.get(dtype.name, dtype))
    return table
