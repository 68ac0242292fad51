"""Counts of single masks that spill to disk, and what happens when the disk does not keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxdissect.core.per_image_counts import MaskCounts
from onnxdissect.errors import RunFormatError
from onnxdissect.statistics.spill_buffer import SpillBuffer


def counts(image: int) -> MaskCounts:
    """One mask of unit 0 that meets one concept."""
    return MaskCounts(
        np.array([[0, image, 10 + image, 1]], np.int32),
        np.array([[128]], np.uint8),
        np.array([[0, 5 + image]], np.int32),
    )


def spilt(path: Path) -> SpillBuffer:
    buffer = SpillBuffer(path, budget=0, quantiles=1, units=1)
    for image in (1, 0):
        buffer.add(image, counts(image))
    return buffer


def test_what_spilt_comes_back_in_the_order_of_the_images(tmp_path: Path) -> None:
    (part,) = spilt(tmp_path / "masks.bin").gather(np.ones((1, 1, 1)), categories=1, masks=10)
    assert part.per_image.image.tolist() == [0, 1]
    assert part.per_image.activation.tolist() == [10, 11]
    assert part.per_image.intersection.tolist() == [[5], [6]]


@pytest.mark.parametrize("left", [0, 20, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, left: int) -> None:
    path = tmp_path / "masks.bin"
    buffer = spilt(path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(RunFormatError, match=r"masks\.bin is (damaged|cut short)") as caught:
        list(buffer.gather(np.ones((1, 1, 1)), categories=1, masks=10))
    assert caught.value.hint is not None
