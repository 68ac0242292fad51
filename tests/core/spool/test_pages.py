"""Memory that chunks lie in: given out again once nothing looks at it, and never before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.spool.pages import PagePool

LARGE = 2 * 2**20


def address(array: NDArray[np.generic]) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_given_out_again_once_its_last_view_is_gone() -> None:
    pages = PagePool()
    piece = pages(1000)
    first = address(piece)
    view = piece[200:600].view(np.float32)[3:]
    del piece
    other = pages(1000)
    assert address(other) != first
    other[:] = 7
    view[:] = 1.5
    assert (other == 7).all()
    del view
    again = pages(500)
    assert address(again) == first
    assert again.size == 500


def test_a_small_piece_does_not_take_the_place_of_a_large_one() -> None:
    pages = PagePool()
    large = pages(5 * LARGE)
    first = address(large)
    del large
    small = pages(100)
    assert address(small) != first
    assert address(pages(4 * LARGE)) == first


def test_no_more_memory_lies_idle_than_was_said() -> None:
    pages = PagePool(idle=2 * LARGE)
    pieces = [pages(LARGE) for _ in range(5)]
    assert len({address(piece) for piece in pieces}) == 5
    pieces.clear()
    assert sum(map(len, pages._free)) == 2 * LARGE


def test_pieces_are_writable_aligned_and_of_the_size_asked_for() -> None:
    pages = PagePool()
    for size in (0, 1, 8, LARGE, LARGE + 1):
        piece = pages(size)
        piece[:] = 255
        assert piece.shape == (size,)
        assert size == 0 or address(piece) % 4096 == 0


def test_what_waits_beyond_a_lower_limit_goes_to_the_system() -> None:
    pages = PagePool(idle=8 * LARGE)
    pieces = [pages(LARGE) for _ in range(5)]
    pieces.clear()
    assert sum(map(len, pages._free)) == 5 * LARGE
    pages.keep(2 * LARGE)
    assert sum(map(len, pages._free)) == 2 * LARGE
    pieces = [pages(LARGE) for _ in range(5)]
    pieces.clear()
    assert sum(map(len, pages._free)) == 2 * LARGE
