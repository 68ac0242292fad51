"""How many images are taken in at a time, and by how many workers."""

from __future__ import annotations

from collections.abc import Sequence

from onnxdissect.model import Layer, Network

__all__ = ["GPU_WORKERS", "batch_size_of", "block_size"]

# Most bytes that the dissected layers' activations of one batch take, and most images of a batch. On a CPU
# the activations should still be in its cache when the kernels read them; a GPU needs more to be kept busy.
_BATCH = {"cpu": (8 * 2**20, 8)}
_GPU_BATCH = (512 * 2**20, 64)
# On a CPU the largest activation of the whole network, for one batch, has to fit the cache too.
_WIDEST = 12 * 2**20
# While the GPU computes one batch, the kernels look at another.
GPU_WORKERS = 2
# Images that a worker takes at a time; what is kept of them is stored as one chunk. A block costs something
# however few images it has, so light networks, which are given eight at once, get larger blocks. Heavy ones,
# of which few images make a batch, get small ones: a run stops, saves and tells its progress between blocks.
_BLOCKS = (8, 16)
_BATCHES_PER_BLOCK = 2
# Fewer images where each worker would get fewer than eight blocks.
_BLOCKS_PER_WORKER = 8


def batch_size_of(asked: int | str, network: Network, layers: Sequence[Layer], provider: str) -> int:
    """Choose how many images the network is given at once.

    Parameters
    ----------
    asked : int or "auto"
        A number is taken as it is.
    network : Network
        The network.
    layers : sequence of Layer
        What is dissected.
    provider : str
        onnxruntime's execution provider.

    Returns
    -------
    int
    """
    if isinstance(asked, int):
        return asked
    size, largest = _BATCH.get(provider, _GPU_BATCH)
    fitting = size // sum(map(_map_bytes, layers))
    if provider == "cpu":
        fitting = min(fitting, _WIDEST // max(map(_map_bytes, network.layers)))
    return max(1, min(largest, fitting))


def _map_bytes(layer: Layer) -> int:
    return layer.units * layer.grid[0] * layer.grid[1] * 4


def block_size(batch_size: int, images: int, workers: int) -> int:
    """Choose how many images a worker takes at a time: whole batches, few enough to keep every worker busy.

    Parameters
    ----------
    batch_size : int
        Images that the network is given at once.
    images : int
        All images of the run.
    workers : int
        What runs side by side.

    Returns
    -------
    int
    """
    fewest, most = _BLOCKS
    wanted = max(fewest, min(most, _BATCHES_PER_BLOCK * batch_size))
    wanted = min(wanted, images // (workers * _BLOCKS_PER_WORKER))
    return batch_size * max(1, wanted // batch_size)
