"""Cells of a map above a bound, and their neighbours."""

from __future__ import annotations

import numpy as np

from onnxdissect.compiling.kernel import inlined, part

__all__ = ["keep_cells"]


# Cells of a row that are passed over together where none of them is marked.
_BLOCK = 16


@part
def keep_cells(activation, bound, cells, values, scratch):
    """Keep the cells of a map above a bound, and their eight neighbours.

    Parameters
    ----------
    activation : ndarray of float32, shape (h, w)
        The map.
    bound : float32
        The unit's bound.
    cells : ndarray of uint16 or uint32, shape (at least h * w + 1,)
        Written to: flat index ``row * w + column`` of each kept cell, ascending.
    values : ndarray of float32, shape (at least h * w + 1,)
        Written to: the activation of each kept cell.
    scratch : ndarray of uint8, shape (2h + 2, w)
        Room to work in. Its first and its row h + 1 are zero, and stay so.

    Returns
    -------
    int
        How many cells are kept.
    """
    h, w = activation.shape
    keep = scratch[h + 2 :]
    size = _mark(activation, bound, scratch[: h + 2], keep)
    if 4 * size < 3 * h * w:
        _take(activation, keep, cells, values)
        return size
    # Where nearly every cell is marked, copying the whole map is quicker, and so is `refilter` with it later.
    flat = activation.reshape(h * w)
    for cell in range(h * w):
        cells[cell] = cell
        values[cell] = flat[cell]
    return h * w


@inlined
def _mark(activation, bound, wide, keep):
    """Set ``keep`` to the cells above the bound and their neighbours; return how many there are.

    A cell is marked if one of the nine around it, itself included, is above the bound. ``wide``, shape
    (h + 2, w), is first given the marks within each row, then ``keep``, shape (h, w), is the union of three
    rows of ``wide``; its first and last row stay empty, so that the rows at the edge need no case of their
    own. The inner loops go over bytes and have no branch, so that they vectorise; sums are narrow for the
    same reason.
    """
    h, w = activation.shape
    for i in range(h):
        row = activation[i]
        beside = wide[i + 1]
        hot = np.uint8(0)
        for j in range(w):
            mark = np.uint8(row[j] > bound)
            beside[j] = mark
            hot |= mark
        if hot == 0 or w == 1:
            continue
        line = keep[i]
        line[0] = beside[0] | beside[1]
        for j in range(1, w - 1):
            line[j] = beside[j - 1] | beside[j] | beside[j + 1]
        line[w - 1] = beside[w - 2] | beside[w - 1]
        for j in range(w):
            beside[j] = line[j]
    count = np.int64(0)
    for i in range(h):
        line = keep[i]
        above = wide[i]
        here = wide[i + 1]
        below = wide[i + 2]
        marked = np.int32(0)
        for j in range(w):
            mark = above[j] | here[j] | below[j]
            line[j] = mark
            marked += np.int32(mark)
        count += np.int64(marked)
    return count


@inlined
def _take(activation, keep, cells, values):
    """Write the marked cells one behind the other; one place past the last of them is written to as well."""
    h, w = keep.shape
    # Without a sign: an index that could be negative has to be looked at each time.
    at = np.uintp(0)
    whole = w - w % _BLOCK
    for i in range(h):
        line = keep[i]
        marked = np.uint8(0)
        for j in range(w):
            marked |= line[j]
        if marked == 0:
            continue
        row = activation[i]
        for start in range(0, whole, _BLOCK):
            marked = np.uint8(0)
            for j in range(_BLOCK):
                marked |= line[start + j]
            if marked:
                # Every cell is written, and one that is not marked is overwritten by the next: quicker than a
                # branch, which the processor could not predict.
                for j in range(start, start + _BLOCK):
                    cells[at] = i * w + j
                    values[at] = row[j]
                    at += np.uintp(line[j])
        for j in range(whole, w):
            cells[at] = i * w + j
            values[at] = row[j]
            at += np.uintp(line[j])
