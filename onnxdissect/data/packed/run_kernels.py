"""Kernels of packed annotations: planes of codes to tokens, and back.

A token is a number in bytes of seven bits, lowest first, the eighth bit set in all but the last. Its upper
bits hold one less than how many pixels it stands for, row by row from left to right and plane after plane;
its lowest bit tells its kind. 0 repeats what lies a row above, which is 0 above the first row. 1 is followed
by the place of a code in the palette, which takes one byte, or two where the palette has more than 256 codes.
"""

from __future__ import annotations

import numpy as np

from onnxdissect.compiling.kernel import inlined, kernel

__all__ = ["decode", "encode"]

_FILL = 1
_ONE_BYTE = 256
_EIGHT = 8


@inlined
def _above(labels, place, width):
    return labels[place - width] if place >= width else np.uint16(0)


@kernel
def encode(labels, width, places, wide, tokens):
    """Write planes as tokens: of the row above and the pixel to the left, whichever goes on for longer.

    Parameters
    ----------
    labels : ndarray of uint16, shape (pixels,)
        The rows of all planes, one after another.
    width : int
        Pixels of a row.
    places : ndarray of int32, shape (65536,)
        Place of each code in the palette.
    wide : bool
        Whether a place takes two bytes.
    tokens : ndarray of uint8
        Written to; three bytes for each pixel are always enough.

    Returns
    -------
    int
        How many bytes were written.
    """
    pixels = labels.shape[0]
    written = 0
    place = 0
    while place < pixels:
        copied = 0
        while place + copied < pixels and labels[place + copied] == _above(labels, place + copied, width):
            copied += 1
        code = labels[place]
        filled = 1
        while place + filled < pixels and labels[place + filled] == code:
            filled += 1
        fill = filled > copied
        count = filled if fill else copied
        number = (count - 1) * 2 + (1 if fill else 0)
        while number >= 128:
            tokens[written] = number & 127 | 128
            number >>= 7
            written += 1
        tokens[written] = number
        written += 1
        if fill:
            tokens[written] = places[code] & 255
            written += 1
            if wide:
                tokens[written] = places[code] >> 8
                written += 1
        place += count
    return written


@kernel
def decode(block, start, colours, highest, width, labels):
    """Read tokens; nothing outside the arrays is read or written, whatever the block holds.

    Parameters
    ----------
    block : ndarray of uint8
        Tokens from `start` to its end, and just before them the palette: codes of two bytes, lowest first.
        Cannot be written to.
    start : int
        At least twice `colours`.
    colours : int
        Codes of the palette.
    highest : int
        The highest code that may be.
    width : int
        Pixels of a row.
    labels : ndarray of uint16, shape (pixels,)
        Written to: the rows of all planes, one after another.

    Returns
    -------
    bool
        False if the tokens end too early or too late, or name a code that there is not. What was written is
        of no use then.
    """
    pixels = labels.shape[0]
    size = block.shape[0]
    palette = start - 2 * colours
    wide = colours > _ONE_BYTE
    # Up to here pixels are written by eights: what is written too far, later tokens write over.
    free = pixels - _EIGHT
    i = start
    place = np.int64(0)
    while place < pixels:
        if i >= size:
            return False
        byte = np.int64(block[i])
        i += 1
        number = byte & 127
        shift = 7
        while byte >= 128:
            # No count of pixels takes more than five bytes.
            if i >= size or shift > 28:
                return False
            byte = np.int64(block[i])
            i += 1
            number |= (byte & 127) << shift
            shift += 7
        count = (number >> 1) + 1
        if count > pixels - place:
            return False
        end = place + count
        if number & _FILL:
            if i + wide >= size:
                return False
            colour = np.int64(block[i])
            i += 1
            if wide:
                colour |= np.int64(block[i]) << 8
                i += 1
            if colour >= colours:
                return False
            at = palette + 2 * colour
            code = np.int64(block[at]) | np.int64(block[at + 1]) << 8
            if code > highest:
                return False
            if end <= free:
                while place < end:
                    for k in range(_EIGHT):
                        labels[place + k] = code
                    place += _EIGHT
            else:
                for k in range(place, end):
                    labels[k] = code
        elif end <= free and place >= width and width >= _EIGHT:
            while place < end:
                for k in range(_EIGHT):
                    labels[place + k] = labels[place + k - width]
                place += _EIGHT
        else:
            while place < end and place < width:
                labels[place] = 0
                place += 1
            for k in range(place, end):
                labels[k] = labels[k - width]
        place = end
    return i == size
