"""Photographs of the common kinds of JPEG, decoded by libjpeg-turbo itself.

OpenCV decodes by the same library, to the same pixels, but by way of another order of channels and a row at
a time, which takes a quarter longer.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_jpeg"]

# Others, such as those made for print, OpenCV turns into RGB by rules of its own.
_SPACES = ("YCbCr", "Gray")


def _library() -> ModuleType | None:
    try:
        import simplejpeg
    except ImportError:  # there is no wheel for this machine
        return None
    module: ModuleType = simplejpeg
    return module


simplejpeg = _library()


def decode_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """Decode a photograph, if it is of a common kind and all is well with it.

    Parameters
    ----------
    data : bytes
        A JPEG file whose size was held to the limits.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3), or None
        RGB, the very values that OpenCV gives. None if it was not decoded: the library is not installed, does
        not know the kind of file, or finds it damaged.
    """
    if simplejpeg is None:
        return None
    try:
        _, _, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in _SPACES:
            return None
        # The accurate ways of both steps are those that OpenCV leaves switched on.
        rgb: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False)
    except MemoryError:
        raise
    except Exception:
        # Not only of files that are damaged: its table of samplings lacks 4:4:1, and says so with a KeyError.
        return None
    return rgb
