"""Kernels of label maps: from the bytes of a file to concepts, and from an image's maps to one annotation.

They lie here and not with the kernels of the method, as what a label map holds is the business of the data.
"""

from __future__ import annotations

import numpy as np

from onnxdissect.compiling.kernel import inlined, kernel

__all__ = ["unfilter", "unite"]

# filters of a PNG row, of which 0 leaves it as it is
_SUB, _UP, _AVERAGE, _PAETH = 1, 2, 3, 4


@inlined
def _paeth(a, b, c):
    """Of a, b and c, each a byte, the nearest to a + b - c; the first of equally near ones."""
    a, b, c = np.int32(a & 255), np.int32(b & 255), np.int32(c & 255)
    to_a = abs(b - c)
    to_b = abs(a - c)
    to_c = abs(a + b - c - c)
    if to_a <= to_b and to_a <= to_c:
        return a
    return b if to_b <= to_c else c


@kernel
def unfilter(raw, channels, colours, codes, above, plane):
    """Undo the filters of a PNG's rows and look up what each pixel's number stands for.

    Rows are filtered byte by byte, each against the byte of the same channel in the pixel to its left, a, in
    the row above, b, and above to the left, c (PNG specification, section 9.2). So channels that say nothing
    of the number, which is R + 256 * G, are passed over.

    Parameters
    ----------
    raw : ndarray of uint8, shape (height * (1 + width * channels),)
        Rows, each behind the number of its filter. Cannot be written to.
    channels : int
        Bytes of a pixel.
    colours : bool
        Whether the number is made of the first two channels; otherwise the first one holds it.
    codes : ndarray of int32
        Concept index + 1 of each number, 0 for none and -1 for numbers that there are not. As long as the
        highest number + 1. Cannot be written to.
    above : ndarray of int32, shape (width,)
        Room to work in; zero before.
    plane : ndarray of uint16, shape (height, width)
        Written to: concept index + 1 of each pixel.

    Returns
    -------
    bool
        False if there is no such filter, or a pixel holds a number that there is not. What was written is
        of no use then.
    """
    height, width = plane.shape
    # Both channels of a pixel in one number, far enough apart that sums of the lower one do not reach the
    # upper one. A pixel of one channel has nothing there. Places are unsigned: numba then does not ask
    # whether they count from the end.
    second, upper = (np.uint64(1), np.int32(1 << 16)) if colours else (np.uint64(0), np.int32(0))
    both = np.int32(0xFF00FF)
    step = np.uint64(channels)
    i = np.uint64(0)
    for y in range(height):
        kind = raw[i]
        i += np.uint64(1)
        a = np.int32(0)
        c = np.int32(0)
        changed = np.int32(y == 0)
        if kind == 0 or kind == _UP:
            kept = both if kind == _UP else np.int32(0)
            for x in range(width):
                b = above[x]
                a = ((b & kept) + np.int32(raw[i]) + np.int32(raw[i + second]) * upper) & both
                i += step
                changed |= a ^ b
                above[x] = a
        elif kind == _SUB:
            for x in range(width):
                a = (a + np.int32(raw[i]) + np.int32(raw[i + second]) * upper) & both
                i += step
                changed |= a ^ above[x]
                above[x] = a
        elif kind == _AVERAGE:
            for x in range(width):
                b = above[x]
                a = (((a + b) >> 1 & both) + np.int32(raw[i]) + np.int32(raw[i + second]) * upper) & both
                i += step
                changed |= a ^ b
                above[x] = a
        elif kind == _PAETH:
            for x in range(width):
                b = above[x]
                if a != b and b != c:
                    # Where two of the three are equal the rule comes to this.
                    a = b if a == c else _paeth(a, b, c) + _paeth(a >> 16, b >> 16, c >> 16) * upper
                c = b
                a = (a + np.int32(raw[i]) + np.int32(raw[i + second]) * upper) & both
                i += step
                changed |= a ^ b
                above[x] = a
        else:
            return False
        # Most label maps hold many rows that are the row above once more.
        if changed == 0:
            for x in range(width):
                plane[y, x] = plane[y - 1, x]
            continue
        lowest = np.int32(0)
        for x in range(width):
            code = codes[(above[x] | above[x] >> 8) & 0xFFFF]
            lowest |= code
            plane[y, x] = code
        if lowest < 0:
            return False
    return True


@kernel
def unite(planes, image_labels):
    """Take out what the planes of an image say twice, in place; see `onnxdissect.data.annotation.annotate`.

    Parameters
    ----------
    planes : ndarray of uint16, shape (maps, height, width)
        Concept index + 1 per pixel. Written to: planes that hold something come first, in their order.
    image_labels : ndarray of int64
        Concepts that cover the whole image.

    Returns
    -------
    int
        How many planes hold something.
    """
    maps, height, width = planes.shape
    kept = 0
    for i in range(maps):
        held = np.uint16(0)
        for y in range(height):
            for x in range(width):
                planes[kept, y, x] = planes[i, y, x]
            for j in range(image_labels.shape[0]):
                covering = image_labels[j] + 1
                for x in range(width):
                    if planes[kept, y, x] == covering:
                        planes[kept, y, x] = 0
            for other in range(kept):
                for x in range(width):
                    if planes[kept, y, x] == planes[other, y, x]:
                        planes[kept, y, x] = 0
            for x in range(width):
                held |= planes[kept, y, x]
        if held:
            kept += 1
    return kept
