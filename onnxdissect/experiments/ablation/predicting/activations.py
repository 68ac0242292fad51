"""Activations of the images, computed once by the head and kept, in memory or in a file without a name."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.ablation.cases import Cases
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.storage.files import free_bytes
from onnxdissect.storage.scratch import ScratchFile

__all__ = ["KEPT_BYTES", "ActivationCache", "bytes_of_image", "chunk_size", "chunks_of"]

# So many that what Python adds to each batch is little beside a small tail.
_MOST_IMAGES = 128
# The first layers of a network take far more memory than those that are split at.
_HEAD_IMAGES = 16
_CHUNK_BYTES = 32 * 2**20
# A segmenter's maps are far larger than the layer that they are computed from.
_TAIL_BYTES = 128 * 2**20
KEPT_BYTES = 512 * 2**20
"""What the activations of all images may take in memory."""
# Left free for whatever else is written there.
_SPARE_BYTES = 256 * 2**20


def chunks_of(cases: Cases, parts: NetworkParts) -> list[slice]:
    """Cut images into chunks that the tail takes at once.

    Parameters
    ----------
    cases : Cases
        Images.
    parts : NetworkParts
        Their network, split at the layer.

    Returns
    -------
    list of slice
        None holds images that are measured on and images that are not.
    """
    size = chunk_size(parts)
    found = []
    for first, last in ((0, cases.measured), (cases.measured, len(cases.truth))):
        found += [slice(i, min(i + size, last)) for i in range(first, last, size)]
    return found


def chunk_size(parts: NetworkParts) -> int:
    """Choose how many images the tail takes at once.

    Parameters
    ----------
    parts : NetworkParts
        Split at the layer.

    Returns
    -------
    int
    """
    by_layer = _CHUNK_BYTES // max(bytes_of_image(parts), 1)
    return max(1, min(_MOST_IMAGES, by_layer, _TAIL_BYTES // max(parts.tail_bytes, 1)))


class ActivationCache:
    """Gives activations chunk by chunk; those that are asked for again are kept.

    Parameters
    ----------
    source : ScoredLayer
        The layer.
    parts : NetworkParts
        Its network, split there.
    cases : Cases
        The images.
    folder : Path
        For a file, where they take more than half a GiB together. Where the file system has no room for it,
        the head runs again.
    kept_bytes : int
        What they may take in memory.

    Attributes
    ----------
    heads : int
        How many images went through the head.
    """

    def __init__(
        self,
        source: ScoredLayer,
        parts: NetworkParts,
        cases: Cases,
        folder: Path,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._source, self._parts, self._cases = source, parts, cases
        self._kept: dict[int, NDArray[Any]] = {}
        self._checksums: dict[int, int] = {}
        self._scratch: ScratchFile | None = None
        self.heads = 0
        needed = cases.measured * bytes_of_image(parts)
        self._keeps = needed <= kept_bytes
        if not self._keeps and free_bytes(folder) > needed + _SPARE_BYTES:
            self._keeps, self._scratch = True, ScratchFile(folder)

    def activations(self, chunk: slice) -> NDArray[Any]:
        """Give the activations of a chunk.

        Parameters
        ----------
        chunk : slice
            One of `chunks_of`.

        Returns
        -------
        ndarray
            In the file's own layout. Whoever changes them puts back what was there.

        Raises
        ------
        DataError
            If an image cannot be read.
        ModelRuntimeError
            If onnxruntime fails.
        """
        found = self._kept.get(chunk.start)
        if found is not None:
            return found
        found = self._run_head(self._inputs(chunk))
        self.heads += chunk.stop - chunk.start
        if not self._keeps or chunk.start >= self._cases.measured:
            return found
        if self._scratch is not None:
            place = self._scratch.zeros(found.shape, found.dtype)
            place[:] = found
            found = place
            self._scratch.release()
        self._kept[chunk.start] = found
        return found

    def checksum(self, chunk: slice) -> int:
        """Tell the images of a chunk from others.

        Parameters
        ----------
        chunk : slice
            One of `chunks_of`.

        Returns
        -------
        int
            CRC-32 of what is fed to the network.

        Raises
        ------
        DataError
            If an image cannot be read.
        """
        if chunk.start not in self._checksums:
            self._inputs(chunk)
        return self._checksums[chunk.start]

    def _run_head(self, inputs: NDArray[Any]) -> NDArray[Any]:
        parts = self._parts
        batches = [
            parts.activations(inputs[i : i + _HEAD_IMAGES]) for i in range(0, len(inputs), _HEAD_IMAGES)
        ]
        return np.concatenate(batches, parts.image_axis)

    def _inputs(self, chunk: slice) -> NDArray[Any]:
        images = range(chunk.start, chunk.stop)
        batch = np.concatenate([self._source.prepared(self._cases.read(i)) for i in images])
        self._checksums[chunk.start] = zlib.crc32(np.ascontiguousarray(batch).data)
        return batch


def bytes_of_image(parts: NetworkParts) -> int:
    """Tell what the activations of one image take.

    Parameters
    ----------
    parts : NetworkParts
        Split at the layer.

    Returns
    -------
    int
    """
    return int(np.prod(parts.layer.shape)) * np.dtype(parts.dtype).itemsize
