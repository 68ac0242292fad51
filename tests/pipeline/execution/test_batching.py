"""How many images a worker takes at a time."""

from __future__ import annotations

import pytest

from onnxdissect.pipeline.execution.batching import block_size


@pytest.mark.parametrize(
    ("batch", "images", "workers", "block"),
    [
        (8, 10_000, 2, 16),  # a light network
        (3, 10_000, 2, 6),  # a heavier one: whole batches, no more than eight images
        (1, 10_000, 2, 8),  # a heavy one
        (64, 10_000, 2, 64),  # a GPU's batch is a block
        (8, 200, 2, 8),  # eight blocks for each worker
        (1, 40, 4, 1),
        (1, 5, 4, 1),
    ],
)
def test_a_block_is_whole_batches_few_of_a_heavy_network(
    batch: int, images: int, workers: int, block: int
) -> None:
    assert block_size(batch, images, workers) == block
