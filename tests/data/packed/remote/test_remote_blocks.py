"""Blocks of a file that is far away: what is fetched when, and that it is what was asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from onnxdissect.data.packed.remote import blocks as blocks_module
from onnxdissect.data.packed.remote.blocks import Blocks
from onnxdissect.errors import DataError

Range = tuple[int, int]


class Fetched:
    """A file in memory that remembers what was fetched of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[Range] = []
        self.failing = False
        self._lock = threading.Lock()

    def __call__(self, offset: int, count: int) -> bytes:
        with self._lock:
            self.ranges.append((offset, count))
        if self.failing:
            raise DataError("the line is down")
        assert 0 < count <= len(self.content) - offset
        return self.content[offset : offset + count]


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """1,000 bytes in blocks of 100."""
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 100)
    monkeypatch.setattr(blocks_module, "_PIECES", 10)
    return Fetched(np.random.default_rng(0).integers(0, 256, 1000, np.uint8).tobytes())


def test_what_is_read_in_order_comes_in_blocks_ahead(file: Fetched) -> None:
    blocks = Blocks(file, 1000)
    for offset in range(0, 996, 6):
        assert blocks.read(offset, 6) == file.content[offset : offset + 6]
    assert blocks.read(996, 4) == file.content[996:]
    # two pieces, then each block once
    assert sorted(file.ranges) == sorted([(0, 6), (6, 6), *((at, 100) for at in range(0, 1000, 100))])


def test_what_is_read_here_and_there_comes_alone(file: Fetched) -> None:
    blocks = Blocks(file, 1000)
    places = [(905, 5), (105, 5), (505, 5), (940, 5), (310, 150)]
    for offset, count in places:
        assert blocks.read(offset, count) == file.content[offset : offset + count]
    assert file.ranges == places


def test_any_ranges_from_many_threads(file: Fetched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "HELD_BLOCKS", 2)
    blocks = Blocks(file, 1000)
    random = np.random.default_rng(1)
    offsets = random.integers(0, 999, 2000).tolist()
    ranges = [(offset, int(random.integers(1, min(450, 1000 - offset) + 1))) for offset in offsets]
    with ThreadPoolExecutor(8) as pool:
        for (offset, count), found in zip(ranges, pool.map(lambda r: blocks.read(*r), ranges), strict=True):
            assert found == file.content[offset : offset + count]


def test_no_more_blocks_are_held_than_that(file: Fetched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "HELD_BLOCKS", 3)
    blocks = Blocks(file, 1000)
    for offset in range(0, 1000, 5):
        blocks.read(offset, 5)
        assert len(blocks._held) <= 3


def test_a_block_that_failed_is_fetched_again(file: Fetched) -> None:
    blocks = Blocks(file, 1000)
    blocks.read(0, 20)
    file.failing = True
    for _ in range(2):
        with pytest.raises(DataError, match="the line is down"):
            blocks.read(20, 20)
    file.failing = False
    assert blocks.read(20, 20) == file.content[20:40]
    # that was to be fetched ahead, and failed
    assert blocks.read(90, 30) == file.content[90:120]
