"""Arrays in files without names: they hold what was written, and give their memory back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from onnxdissect.storage.scratch import ScratchFile


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_arrays_are_zeros_and_keep_what_is_written(tmp_path: Path) -> None:
    scratch = ScratchFile(tmp_path)
    rng = np.random.default_rng(0)
    arrays = [scratch.zeros((3, 5, 7), np.uint8), scratch.zeros((4, 9), np.int64)]
    assert scratch.nbytes == 3 * 5 * 7 + 8 * 4 * 9
    for array in arrays:
        assert type(array) is np.ndarray and not array.any()
        written = rng.integers(0, 200, array.shape).astype(array.dtype)
        array[:] = written
        scratch.release()
        np.testing.assert_array_equal(array, written)
        array[-1] = 1
        scratch.release()
        assert (array[-1] == 1).all() and (array[:-1] == written[:-1]).all()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
def test_what_is_released_is_not_held(tmp_path: Path) -> None:
    scratch = ScratchFile(tmp_path)
    size = 64 * 2**20
    array = scratch.zeros((size,), np.uint8)
    before = resident()
    array[:] = 7
    assert resident() - before > size * 3 // 4
    scratch.release()
    assert resident() - before < size // 4
    assert (array == 7).all()


def test_where_there_is_no_room_arrays_are_held(tmp_path: Path) -> None:
    scratch = ScratchFile(tmp_path / "nowhere")
    array = scratch.zeros((2, 3), np.int32)
    array += 1
    scratch.release()
    assert array.tolist() == [[1, 1, 1]] * 2
    assert scratch.nbytes == 0
    assert ScratchFile(tmp_path).zeros((0, 3), np.int32).shape == (0, 3)
