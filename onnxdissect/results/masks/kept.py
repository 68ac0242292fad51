"""The masks of all images of a layer, made of the maps that a run keeps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.quantiles import check_quantiles, tail_size
from onnxdissect.core.upsampling import Field, interpolation_table
from onnxdissect.errors import ParameterError, RunFormatError, nearest
from onnxdissect.results.masks.archive import MapChunk, read_chunks, read_layout
from onnxdissect.results.records import ImageInfo, LayerInfo

__all__ = ["KeptMasks", "image_number", "unit_number"]

_MEMORY = 64 * 2**20
# Chunks that are read while a file is open: opening one takes time in proportion to all its chunks.
_READ = 16
# Bytes that an activation takes while the largest are found: copies of it, and its unit.
_RANKED_BYTES = 16


class KeptMasks:
    """Masks of one layer, for any image and any quantile up to the largest of the run.

    M_k(x) = upsample(A_k(x)) > T_k on the label grid of x. At a quantile of the run, T_k is the threshold of
    the run, and the masks are those that were counted. At a smaller one, T_k is found among the activations
    above the threshold of the run's largest quantile, all of which are kept, so it is exact as well.

    Parameters
    ----------
    path : Path
        The layer's ``masks.npz``.
    layer : LayerInfo
    images : sequence of ImageInfo
        The run's.
    quantiles : sequence of float
        The run's levels tau.
    thresholds : ndarray of float32, shape (Q, K)
        T_k at each of them.
    memory : int
        Bytes of chunks that stay in memory, since whoever asks for one mask after another mostly asks for
        neighbours; and of activations that are ranked at a time.

    Raises
    ------
    RunFormatError
        If the file is missing, damaged, of another version or of another run.
    """

    def __init__(
        self,
        path: Path,
        layer: LayerInfo,
        images: Sequence[ImageInfo],
        quantiles: Sequence[float],
        thresholds: NDArray[np.float32],
        memory: int = _MEMORY,
    ) -> None:
        layout = read_layout(path)
        extent = (layout.images, layout.units, layout.shape)
        if extent != (len(images), layer.units, layer.shape) or not np.array_equal(
            layout.lowest, thresholds.min(axis=0)
        ):
            raise RunFormatError(
                f"{path} does not belong to this run", hint="dissect again with --keep-masks --fresh"
            )
        self._path = path
        self._memory = memory
        self._layout = layout
        self._images = images
        self._quantiles = tuple(quantiles)
        self._thresholds = thresholds
        grids = np.array(sorted({image.grid for image in images}), np.int64)
        known = {(int(sh), int(sw)): g for g, (sh, sw) in enumerate(grids)}
        self._grid_of = [known[image.grid] for image in images]
        self._sampling = interpolation_table(layout.shape, grids, layout.pixels, layout.field)
        self._held: OrderedDict[tuple[int, int], MapChunk] = OrderedDict()
        self._stricter: dict[tuple[float, int], NDArray[np.float32]] = {}

    @property
    def places(self) -> tuple[tuple[int, int], Field | None]:
        """(height, width) of the network's input, and where cells lie in it; None for `resize`."""
        return self._layout.pixels, self._layout.field

    def mask(self, unit: int, image: int | str, quantile: float | None = None) -> NDArray[np.bool_]:
        """Give the mask of a unit in an image.

        Parameters
        ----------
        unit : int
            From 0.
        image : int or str
            Its number in the run, from 0, or its name.
        quantile : float, optional
            The level tau, at most the run's largest; by default the run's first.

        Returns
        -------
        ndarray of bool, shape (sh, sw)
            On the label grid of the image.

        Raises
        ------
        ParameterError
            If there is no such unit or image, or the quantile is larger than the run's largest.
        RunFormatError
            If the file is damaged.
        """
        unit = unit_number(self._layout.units, unit)
        number = image_number(self._images, image)
        threshold = self.threshold(unit, quantile)
        chunk_images, chunk_units = self._layout.chunk
        (chunk,) = self._chunks([(number // chunk_images, unit // chunk_units)])
        return self._drawn(chunk, number, unit, threshold)

    def of_unit(self, unit: int, quantile: float | None = None) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Give all masks of a unit that are not empty.

        Parameters
        ----------
        unit : int
            From 0.
        quantile : float, optional
            As for `mask`.

        Returns
        -------
        iterator of (int, ndarray of bool of shape (sh, sw))
            Number of an image and the mask in it; ascending.

        Raises
        ------
        ParameterError, RunFormatError
            As for `mask`.
        """
        unit = unit_number(self._layout.units, unit)
        return self._in_images(unit, self.threshold(unit, quantile))

    def of_image(
        self, image: int | str, quantile: float | None = None
    ) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Give all masks in an image that are not empty.

        Parameters
        ----------
        image : int or str
            Its number in the run, from 0, or its name.
        quantile : float, optional
            As for `mask`.

        Returns
        -------
        iterator of (int, ndarray of bool of shape (sh, sw))
            Number of a unit and its mask; ascending.

        Raises
        ------
        ParameterError, RunFormatError
            As for `mask`.
        """
        return self._of_units(image_number(self._images, image), self._level(quantile))

    def threshold(self, unit: int, quantile: float | None = None) -> np.float32:
        """Give T_k, the (m+1)-th largest activation of a unit; m = floor(tau * n).

        Parameters
        ----------
        unit : int
            From 0.
        quantile : float, optional
            As for `mask`.

        Returns
        -------
        float32

        Raises
        ------
        ParameterError, RunFormatError
            As for `mask`.
        """
        unit = unit_number(self._layout.units, unit)
        quantile = self._level(quantile)
        if quantile in self._quantiles:
            return np.float32(self._thresholds[self._quantiles.index(quantile), unit])
        size = tail_size(quantile, self._layout.images * self._layout.shape[0] * self._layout.shape[1])
        together = max(1, self._memory // (_RANKED_BYTES * (size + 1)))
        first, last = self._layout.span(1, unit // self._layout.chunk[1])
        first += (unit - first) // together * together
        if (quantile, first) not in self._stricter:
            units = range(first, min(first + together, last))
            self._stricter[quantile, first] = self._ranked(units, size)
        return np.float32(self._stricter[quantile, first][unit - first])

    def _level(self, quantile: float | None) -> float:
        if quantile is None:
            return self._quantiles[0]
        (quantile,) = check_quantiles([quantile])
        largest = max(self._quantiles)
        if quantile > largest:
            raise ParameterError(
                f"masks at quantile {quantile:g} cannot be made: what the run keeps is what lies above the "
                f"thresholds at {largest:g}",
                candidates=[repr(known) for known in self._quantiles],
                hint=f"dissect again with --quantile {quantile:g} --keep-masks --fresh",
            )
        return quantile

    def _ranked(self, units: range, size: int) -> NDArray[np.float32]:
        """Find the (size + 1)-th largest activation of some units of one chunk.

        The lowest threshold of the run is the (m + 1)-th largest activation, with m >= size. If at most
        `size` activations exceed it, the activations at ranks size + 1 to m + 1 are all equal to it.
        """
        largest: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(units)
        block = units[0] // self._layout.chunk[1]
        lowest = self._layout.lowest
        for chunk in self._chunks((i, block) for i in range(self._layout.blocks[0])):
            owner = np.repeat(np.tile(np.arange(*chunk.units), chunk.sizes.shape[0]), chunk.sizes.ravel())
            hot = chunk.values > lowest[owner]
            owner, values = owner[hot], chunk.values[hot]
            for at, unit in enumerate(units):
                found = np.concatenate([largest[at], values[owner == unit]])
                if found.size > size + 1:
                    found = np.partition(found, found.size - size - 1)[-size - 1 :]
                largest[at] = found
        return np.array(
            [
                found.min() if found.size > size else lowest[unit]
                for unit, found in zip(units, largest, strict=True)
            ],
            np.float32,
        )

    def _in_images(self, unit: int, threshold: np.float32) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        block = unit // self._layout.chunk[1]
        for chunk in self._chunks((i, block) for i in range(self._layout.blocks[0])):
            for image in range(*chunk.images):
                mask = self._drawn(chunk, image, unit, threshold)
                if mask.any():
                    yield image, mask

    def _of_units(self, image: int, quantile: float) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        block = image // self._layout.chunk[0]
        for chunk in self._chunks((block, u) for u in range(self._layout.blocks[1])):
            for unit in range(*chunk.units):
                # A map without a cell above the lowest threshold makes no mask at any.
                if chunk.map(image, unit)[1].size:
                    mask = self._drawn(chunk, image, unit, self.threshold(unit, quantile))
                    if mask.any():
                        yield unit, mask

    def _drawn(self, chunk: MapChunk, image: int, unit: int, threshold: np.float32) -> NDArray[np.bool_]:
        cells, values = chunk.map(image, unit)
        # Imported here: numba takes a fifth of a second to load, and most readers of a run draw no mask.
        from onnxdissect.core.kernels.masks.draw_mask import draw_mask

        return draw_mask(cells, values, self._layout.shape, threshold, self._sampling, self._grid_of[image])

    def _chunks(self, which: Iterator[tuple[int, int]] | Sequence[tuple[int, int]]) -> Iterator[MapChunk]:
        """Read chunks, a few at a time, but for those that are held from before."""
        asked = list(which)
        for start in range(0, len(asked), _READ):
            group = asked[start : start + _READ]
            missing = [place for place in group if place not in self._held]
            read = dict(zip(missing, read_chunks(self._path, self._layout, missing), strict=True))
            chunks = [read[place] if place in read else self._held[place] for place in group]
            for place, chunk in zip(group, chunks, strict=True):
                self._held[place] = chunk
                self._held.move_to_end(place)
            while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > self._memory:
                self._held.popitem(last=False)
            yield from chunks


def _is_number(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def unit_number(units: int, unit: int) -> int:
    """Check the number of a unit.

    Parameters
    ----------
    units : int
        How many there are.
    unit : int

    Returns
    -------
    int

    Raises
    ------
    ParameterError
        If there is no such unit.
    """
    if not _is_number(unit) or not 0 <= unit < units:
        raise ParameterError(f"there is no unit {unit!r}: the layer has units 0 to {units - 1}")
    return int(unit)


def image_number(images: Sequence[ImageInfo], image: int | str) -> int:
    """Find an image of a run.

    Parameters
    ----------
    images : sequence of ImageInfo
        All of them.
    image : int or str
        Its number, from 0, or its name.

    Returns
    -------
    int

    Raises
    ------
    ParameterError
        If there is no such image, or several have that name.
    """
    if not isinstance(image, str):
        if not _is_number(image) or not 0 <= image < len(images):
            raise ParameterError(f"there is no image {image!r}: the run has images 0 to {len(images) - 1}")
        return int(image)
    found = [number for number, known in enumerate(images) if known.name == image]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(map(str, found))
        raise ParameterError(f"several images are called {image!r}", hint=f"give a number instead: {numbers}")
    names = [known.name for known in images]
    raise ParameterError(
        f"the run has no image {image!r}",
        candidates=nearest(image, names) or names[:5],
        hint="images.csv lists them",
    )
