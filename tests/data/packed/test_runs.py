"""Planes as runs: what the format says, and nothing but that is read."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from naive import runs as naive
from numpy.typing import NDArray

from onnxdissect.data.packed.runs import decode_planes, encode_planes, most_bytes

HIGHEST = 65_535


@st.composite
def label_planes(draw: st.DrawFn) -> NDArray[np.uint16]:
    """Planes from one pixel on, of few codes or many, in blocks or in noise."""
    count, height, width = draw(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 40)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    codes = random.integers(0, HIGHEST + 1, draw(st.sampled_from([1, 2, 5, 255, 256, 257, 400])))
    block = draw(st.sampled_from([1, 1, 2, 5]))
    coarse = random.choice(codes, (count, -(-height // block), -(-width // block)))
    planes = coarse.repeat(block, axis=1).repeat(block, axis=2)[:, :height, :width]
    return np.ascontiguousarray(planes, np.uint16)


def read(block: bytes, planes: NDArray[np.uint16], *, concepts: int = HIGHEST) -> NDArray[np.uint16]:
    return decode_planes(block, (planes.shape[1], planes.shape[2]), len(planes), concepts)


@given(label_planes())
@settings(max_examples=60, deadline=None)
@example(np.zeros((1, 1, 1), np.uint16))
@example(np.full((2, 1, 1), HIGHEST, np.uint16))
@example(np.arange(900, dtype=np.uint16).reshape(1, 30, 30))
@example(np.zeros((1, 300, 300), np.uint16))
def test_what_is_written_is_by_the_format_and_read_as_it_was(planes: NDArray[np.uint16]) -> None:
    block = encode_planes(planes)
    assert block == naive.encoded(planes.tolist())
    assert naive.decoded(block, (planes.shape[1], planes.shape[2])) == planes.tolist()
    found = read(block, planes)
    assert found.dtype == np.uint16 and found.shape == planes.shape
    np.testing.assert_array_equal(found, planes)
    assert not found.flags.writeable
    assert len(block) <= most_bytes(len(planes), (planes.shape[1], planes.shape[2]))


def test_a_palette_of_all_codes_there_are() -> None:
    planes = np.random.default_rng(0).permutation(2**16).astype(np.uint16).reshape(1, 256, 256)
    np.testing.assert_array_equal(read(encode_planes(planes), planes), planes)


def test_an_image_without_labels_takes_nothing() -> None:
    assert encode_planes(np.zeros((0, 4, 5), np.uint16)) == b""
    assert decode_planes(b"", (4, 5), 0, 7).shape == (0, 4, 5)


@given(label_planes(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_block_is_an_error_or_other_labels(planes: NDArray[np.uint16], data: st.DataObject) -> None:
    """Never a crash, never a code that the vocabulary does not have."""
    block = bytearray(encode_planes(planes))
    concepts = int(planes.max())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(block) - 1))
        kind = data.draw(st.sampled_from(["change", "cut", "more"]))
        if kind == "change":
            block[place] = data.draw(st.integers(0, 255))
        elif kind == "cut" and place:
            del block[place:]
        else:
            block += bytes([data.draw(st.integers(0, 255))])
    try:
        found = read(bytes(block), planes, concepts=concepts)
    except ValueError as error:
        assert "no runs of labels" in str(error)
    else:
        assert found.shape[1:] == planes.shape[1:] and len(found) <= len(planes)
        assert found.max(initial=0) <= concepts


def head(planes: int, colours: int, *codes: int) -> bytes:
    return struct.pack(f"<II{len(codes)}H", planes, colours, *codes)


@pytest.mark.parametrize(
    ("block", "grid"),
    [
        (b"\x01\x00\x00", (1, 1)),
        (head(2, 1, 0) + b"\x02", (1, 1)),  # more planes than label maps
        (head(0, 1, 0), (1, 1)),
        (head(1, 0) + b"\x00", (1, 1)),
        (head(1, 2**16 + 1), (1, 1)),
        (head(2**32 - 1, 2**32 - 1), (1, 1)),
        (head(1, 3, 0), (1, 1)),  # a palette longer than the block
        (head(1, 1, 6) + b"\x01\x00", (1, 1)),  # a code above the vocabulary's
        (head(1, 1, 5) + b"\x01\x01", (1, 1)),  # a place behind the palette
        (head(1, 1, 5) + b"\x01", (1, 1)),  # breaks off before the place
        (head(1, 1, 5) + b"\x80", (1, 1)),  # breaks off in a number
        (head(1, 1, 5) + b"\x81\x80\x80\x80\x80\x00\x00", (1, 1)),  # a number of too many bytes
        (head(1, 1, 5) + b"\xff\xff\xff\xff\x7f\x00", (1, 1)),  # more pixels than there are
        (head(1, 1, 5) + b"\x01\x00", (1, 2)),  # fewer
        (head(1, 1, 5) + b"\x01\x00\x00", (1, 1)),  # goes on behind the last pixel
        (head(1, 257, *range(257)) + b"\x01\x01", (1, 1)),  # breaks off in a place of two bytes
    ],
)
def test_what_is_no_block_is_refused(block: bytes, grid: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"no runs of labels on a grid of {grid[0]} x {grid[1]}"):
        decode_planes(block, grid, 1, 5)


def test_the_codes_that_there_are_are_read_to_the_last() -> None:
    found = decode_planes(head(1, 1, 5) + b"\x01\x00", (1, 1), 1, 5)
    assert found.tolist() == [[[5]]]
