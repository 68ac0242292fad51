"""The spool on disk: files that shrink as bounds rise, and outlive whoever may still need them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray
from support.drawn_counts import annotate

from onnxdissect.core.kernels.activations.encode import SparseEncoder
from onnxdissect.core.kernels.activations.refilter import refilter
from onnxdissect.core.kernels.labels.label_runs import pack
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.arena import Arena
from onnxdissect.core.spool.chunk import Chunk, joined
from onnxdissect.core.spool.spool import Spool, SpoolAppender
from onnxdissect.core.spool.spool_files import SpoolFiles
from onnxdissect.errors import RunFormatError

IMAGES, UNITS, SHAPE = 4, 3, (40, 44)


def chunk(number: int, bound: float = -np.inf, last: int | None = None) -> Chunk:
    """Four images with random activations, kept above a bound; or those of all chunks up to a last one."""
    numbers = range(number, number + 1 if last is None else last + 1)
    encoder = SparseEncoder(IMAGES * len(numbers), UNITS, SHAPE)
    annotations = []
    for n in numbers:
        values = np.random.default_rng(n).random((IMAGES, UNITS, *SHAPE), np.float32)
        encoder.add(values, np.full(UNITS, bound, np.float32))
        annotations += [annotate((2, 3), [np.array([[1, 1, 0], [2, 0, n % 2]])], [2] * (n % 3))] * IMAGES
    packed, _ = pack(annotations, np.array([[2, 3]]), np.array([0, 0, 0]), 1)
    return Chunk(number * IMAGES, packed, (encoder.drain(Arena()),))


def above(bound: float, kept: Chunk) -> Chunk:
    (sparse_maps,) = kept.layers
    return replace(kept, layers=(refilter(sparse_maps, np.full(UNITS, bound, np.float32)),))


def same(found: Chunk, expected: Chunk) -> None:
    assert found.start == expected.start
    for ours, theirs in zip(
        (found.annotations, *found.layers), (expected.annotations, *expected.layers), strict=True
    ):
        for field in fields(ours):  # type: ignore[arg-type]
            np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name))


def anything(kept: Chunk) -> bool:
    return True


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_files_give_back_what_was_written_in_arrays_that_kernels_like(tmp_path: Path) -> None:
    spool_files = SpoolFiles(tmp_path)
    spool_files.write([chunk(0), chunk(1, 0.9)])
    spool_files.write([chunk(2)])
    found = list(spool_files)
    for ours, theirs in zip(found, [chunk(0), chunk(1, 0.9), chunk(2)], strict=True):
        same(ours, theirs)
    for ours in found:
        for field in fields(SparseMaps):
            if field.name != "shape":
                array = getattr(ours.layers[0], field.name)
                assert array.flags.aligned
                assert array.flags.writeable


def test_every_file_is_thinned_in_its_turn(tmp_path: Path) -> None:
    spool_files = SpoolFiles(tmp_path)
    for i in range(3):
        spool_files.write([chunk(2 * i), chunk(2 * i + 1)])
    whole = size(tmp_path)
    for turn in range(3):
        spool_files.refilter(lambda kept: above(0.99, kept))
        assert len(list(tmp_path.iterdir())) == 3, "what is replaced goes"
        if turn < 2:
            assert size(tmp_path) > whole / 4
    assert size(tmp_path) < whole / 4
    for found in spool_files:
        same(found, above(0.99, chunk(found.start // IMAGES)))
    before = sorted(path.name for path in tmp_path.iterdir())
    spool_files.refilter(lambda kept: above(0.99, kept))
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "nothing to gain"


def test_files_that_a_saved_state_names_stay_until_the_next_is_saved(tmp_path: Path) -> None:
    spool_files = SpoolFiles(tmp_path)
    spool_files.write([chunk(0)])
    state = spool_files.names()
    spool_files.named()
    spool_files.refilter(lambda kept: above(0.99, kept))
    spool_files.write([chunk(1)])
    # A crash here: what was saved is taken up, what came after it is forgotten.
    crashed = SpoolFiles(tmp_path)
    assert crashed.restore(state, anything)
    (found,) = crashed
    same(found, chunk(0))
    assert len(list(tmp_path.iterdir())) == 1
    # No crash, but the next state: the old file goes, and new ones do not take its place.
    crashed.refilter(lambda kept: above(0.99, kept))
    later = crashed.names()
    crashed.named()
    assert later != state
    assert len(list(tmp_path.iterdir())) == 1
    (found,) = crashed
    same(found, above(0.99, chunk(0)))


def test_a_state_whose_files_are_damaged_is_not_taken_up(tmp_path: Path) -> None:
    spool_files = SpoolFiles(tmp_path)
    spool_files.write([chunk(0)])
    state = spool_files.names()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert not SpoolFiles(tmp_path).restore(state, anything)
    path.unlink()
    assert not SpoolFiles(tmp_path).restore(state, anything)


def test_a_state_with_any_byte_of_its_files_changed_is_not_taken_up(tmp_path: Path) -> None:
    spool_files = SpoolFiles(tmp_path)
    spool_files.write([chunk(0, 0.99), chunk(1, 0.99)])
    state = spool_files.names()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert not SpoolFiles(tmp_path).restore(state, anything), f"byte {at} of {len(whole)}"
    path.write_bytes(whole)
    assert SpoolFiles(tmp_path).restore(state, anything)


@pytest.mark.parametrize("budget", [1, 100_000, 1_000_000, 10**8])
def test_many_threads_append_and_everything_is_there(tmp_path: Path, budget: int) -> None:
    spool = Spool(tmp_path, budget)
    appender = SpoolAppender(spool)
    bounds = [np.full(UNITS, 0.5, np.float32)]

    def lane(numbers: Iterator[int]) -> None:
        for number in numbers:
            appender.append(chunk(number, 0.5), bounds)

    numbers = iter(range(60))
    lanes = [Thread(target=lane, args=(numbers,)) for _ in range(3)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join(timeout=60)
        assert not thread.is_alive()
    found = [(kept.start // IMAGES, len(kept) // IMAGES, kept) for kept in spool]
    assert sorted(n for first, count, _ in found for n in range(first, first + count)) == list(range(60))
    for first, count, kept in found:
        same(kept, chunk(first, 0.5, first + count - 1))
    assert (not list(tmp_path.iterdir())) == (budget == 10**8)


def test_chunks_that_follow_one_another_become_what_a_larger_chunk_would_be() -> None:
    found = list(joined([chunk(4, 0.8), chunk(1, 0.8), chunk(2, 0.8), chunk(3, 0.8), chunk(7)], Arena()))
    for kept, (first, last) in zip(found, [(1, 4), (7, 7)], strict=True):
        same(kept, chunk(first, 0.8 if first == 1 else -np.inf, last))


def test_joined_chunks_stay_small() -> None:
    few = list(joined((chunk(number, 0.999) for number in range(40)), Arena()))
    assert [len(kept) for kept in few] == [64, 64, 32]
    large = [chunk(number) for number in range(40)]
    together = list(joined(large, Arena()))
    assert sum(map(len, together)) == 160
    assert max(kept.nbytes for kept in together) <= 8 * 2**20
    assert len(together) <= 2 * sum(kept.nbytes for kept in large) / (8 * 2**20) + 3


def test_a_spool_that_is_forgotten_holds_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**9)
    spool.append(chunk(0), [np.full(UNITS, -np.inf, np.float32)])
    assert spool.nbytes > 0 and len(list(spool)) == 1
    spool.forget()
    assert spool.nbytes == 0 and not list(spool)


def test_what_is_on_disk_follows_the_bounds(tmp_path: Path) -> None:
    """As in a pass: what must be kept of each image becomes less and less."""
    spool = Spool(tmp_path, 200_000)
    bound: NDArray[np.float32] = np.zeros(UNITS, np.float32)
    for number in range(200):
        bound = np.full(UNITS, 1 - 1 / (1 + number), np.float32)
        spool.append(chunk(number, float(bound[0])), [bound])
    bounds = [1 - 1 / (1 + number) for number in range(200)]
    needed = sum(chunk(number, bounds[-1]).nbytes for number in range(200))
    kept = sum(chunk(number, bounds[number]).nbytes for number in range(200))
    assert size(tmp_path) < 2 * needed < kept


def test_a_file_that_was_cut_short_during_the_run_is_refused(tmp_path: Path) -> None:
    spool_files = SpoolFiles(tmp_path)
    spool_files.write([chunk(0)])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(RunFormatError, match="bytes are missing at its end"):
        list(spool_files)


def test_chunks_come_in_order_from_memory_and_disk_and_stay(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**9)
    for number in (4, 1):
        spool.append(chunk(number), [np.zeros(UNITS, np.float32)])
    spool.flush([np.full(UNITS, -np.inf, np.float32)])
    for number in (5, 0):
        spool.append(chunk(number), [np.zeros(UNITS, np.float32)])
    spool.flush([np.full(UNITS, -np.inf, np.float32)])
    for number in (3, 2):
        spool.append(chunk(number), [np.zeros(UNITS, np.float32)])
    for _ in range(2):
        found = list(spool.in_order())
        assert [kept.start for kept in found] == [number * IMAGES for number in range(6)]
        for kept, number in zip(found, range(6), strict=True):
            same(kept, chunk(number))
