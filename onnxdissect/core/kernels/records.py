"""Where the maps of some units are among those of an image, which are in the order of their units."""

from __future__ import annotations

from onnxdissect.compiling.kernel import part

__all__ = ["records_of"]


@part
def records_of(image_starts, units, image, first, last):
    """Find where the maps of an image's units ``first .. last - 1`` begin and end among all maps of a chunk.

    Parameters
    ----------
    image_starts, units : ndarray
        As in `onnxdissect.core.sparse_maps.SparseMaps`.
    image, first, last : int

    Returns
    -------
    begin, end : int
    """
    begin = image_starts[image]
    stop = image_starts[image + 1]
    end = stop
    while begin < end:
        middle = (begin + end) // 2
        if units[middle] < first:
            begin = middle + 1
        else:
            end = middle
    low = begin
    end = stop
    while low < end:
        middle = (low + end) // 2
        if units[middle] < last:
            low = middle + 1
        else:
            end = middle
    return begin, low
