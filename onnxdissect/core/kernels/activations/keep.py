"""Cells of a map above a bound, and their neighbours."""

from __future__ import annotations

from numba import njit

__all__ = ["keep_cells"]


# Cells that are looked at together before any of them is.
_BLOCK = 16


@njit(cache=True, nogil=True)
def keep_cells(activation, bound, cells, values, scratch):
    """Keep the cells above the bound and their neighbours; return how many."""
    h, w = activation.shape
    keep = scratch[h + 2 :]
    size = _mark(activation, bound, scratch[: h + 2], keep)
    if 4 * size < 3 * h * w:
        _take(activation, keep, cells, values)
        return size
    # Nearly everything: all of it is quicker, now and when it is thinned.
    flat = activation.reshape(h * w)
    for cell in range(h * w):
        cells[cell] = cell
        values[cell] = flat[cell]
    return h * w


@njit(cache=True, nogil=True)
def _mark(activation, bound, wide, keep):
    """Set ``keep`` to the cells above the bound and their neighbours; return how many there are.

    ``wide`` holds the cells above the bound and those beside them, with an empty row above and below. Every
    inner loop is over bytes without a branch, so that it vectorises.
    """
    h, w = activation.shape
    for i in range(h):
        row = activation[i]
        beside = wide[i + 1]
        hot = 0
        for j in range(w):
            beside[j] = row[j] > bound
            hot += row[j] > bound
        if hot == 0 or w == 1:
            continue
        line = keep[i]
        line[0] = beside[0] | beside[1]
        for j in range(1, w - 1):
            line[j] = beside[j - 1] | beside[j] | beside[j + 1]
        line[w - 1] = beside[w - 2] | beside[w - 1]
        for j in range(w):
            beside[j] = line[j]
    count = 0
    for i in range(h):
        line = keep[i]
        above = wide[i]
        here = wide[i + 1]
        below = wide[i + 2]
        for j in range(w):
            line[j] = above[j] | here[j] | below[j]
            count += above[j] | here[j] | below[j]
    return count


@njit(cache=True, nogil=True)
def _take(activation, keep, cells, values):
    """Gather the marked cells; one cell past the last of them is written to as well."""
    h, w = keep.shape
    at = 0
    for i in range(h):
        line = keep[i]
        marked = 0
        for j in range(w):
            marked |= line[j]
        if marked == 0:
            continue
        row = activation[i]
        whole = w - w % _BLOCK
        for start in range(0, whole, _BLOCK):
            marked = 0
            for j in range(_BLOCK):
                marked |= line[start + j]
            if marked:
                # Writing always and moving on sometimes is quicker than a branch nobody can predict.
                for j in range(start, start + _BLOCK):
                    cells[at] = i * w + j
                    values[at] = row[j]
                    at += line[j]
        for j in range(whole, w):
            cells[at] = i * w + j
            values[at] = row[j]
            at += line[j]
