"""From masks to label maps by a list of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.importers.imported import ImageAnnotations
from onnxdissect.data.importers.reading.class_list import ClassList, Rgb
from onnxdissect.data.importers.reading.mask_files import read_mask
from onnxdissect.errors import DataFormatError, shown_path
from onnxdissect.wording import counted

__all__ = ["MaskReader"]

_MOST_TOLD = 5
# Indices below it are looked up in an array of all of them.
_FEW = 1 << 16
_ROWS = 64


@dataclass(frozen=True)
class MaskReader:
    """Reads masks by a list of classes. Several threads may ask at once.

    Attributes
    ----------
    listed : ClassList
    unlabelled : frozenset of int
        Indices that stand for no class.
    unlabelled_colors : frozenset of (int, int, int)
        Colours that do.
    """

    listed: ClassList
    unlabelled: frozenset[int] = frozenset()
    unlabelled_colors: frozenset[Rgb] = frozenset()

    def annotations_of(self, path: Path) -> Callable[[tuple[int, int]], ImageAnnotations]:
        """Give what reads the mask of an image when it is asked.

        Parameters
        ----------
        path : Path

        Returns
        -------
        callable
            For `onnxdissect.data.importers.imported.ImportedImage`.
        """
        return partial(_read, self, path)

    def read(self, path: Path) -> ImageAnnotations:
        """Read the mask of an image.

        Parameters
        ----------
        path : Path

        Returns
        -------
        ImageAnnotations
            A label map for each category that some pixel has.

        Raises
        ------
        ImageFileError
            If it cannot be read.
        DataFormatError
            If it holds what no class stands for.
        """
        called = shown_path(path)
        pixels = read_mask(path, called)
        places = self._of_colors(pixels, called) if pixels.ndim == 3 else self._of_indices(pixels, called)
        found = {}
        for category, numbers in self._numbers.items():
            label_map = numbers[places]
            if label_map.any():
                found[category] = [label_map]
        return found

    @cached_property
    def _numbers(self) -> Mapping[str, NDArray[np.uint16]]:
        """By category, from the place of a class in the list, from 1, to the number of its label there."""
        of = np.array(["", *(one.category or self.listed.default for one in self.listed.classes)])
        numbers = np.array([0, *self.listed.numbers], np.uint16)
        return {category: np.where(of == category, numbers, 0) for category in self.listed.categories}

    @cached_property
    def _by_index(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        pairs = {one.index: place for place, one in enumerate(self.listed.classes, 1)}
        return _lookup(pairs | dict.fromkeys(self.unlabelled, 0))

    @cached_property
    def _by_small_index(self) -> NDArray[np.int32]:
        return _looked_up(np.arange(_FEW), self._by_index)

    @cached_property
    def _by_color(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        pairs = {
            _code(one.color): place
            for place, one in enumerate(self.listed.classes, 1)
            if one.color is not None
        }
        return _lookup(pairs | {_code(color): 0 for color in self.unlabelled_colors})

    def _of_indices(self, pixels: NDArray[np.integer], called: str) -> NDArray[np.int32]:
        small = pixels.max(initial=0) < _FEW
        places = self._by_small_index[pixels] if small else _looked_up(pixels, self._by_index)
        wrong = places < 0
        if wrong.any():
            held, counts = np.unique(pixels[wrong], return_counts=True)
            told = [f"{index} ({counted(n, 'pixel')})" for index, n in _first(held, counts)]
            ignored = ",".join(map(str, held[:_MOST_TOLD].tolist()))
            raise DataFormatError(
                f"{called} holds the number{'s' * (held.size > 1)} {', '.join(told)}{_more(held.size)}, "
                f"for which {self.listed.source} lists no class",
                hint=f"--ignore {ignored} leaves such pixels unlabelled; or add the class to the list",
            )
        return places

    def _of_colors(self, pixels: NDArray[np.integer], called: str) -> NDArray[np.int32]:
        if all(one.color is None for one in self.listed.classes):
            grey = bool((pixels[:, :, :1] == pixels).all())
            raise DataFormatError(
                f"{called} is an RGB mask, and {self.listed.source} lists no colours"
                + ", though all its pixels are grey" * grey,
                hint="save masks with one channel, or as palette images; or list classes as INDEX,NAME,R,G,B",
            )
        places = np.empty(pixels.shape[:2], np.int32)
        # some rows at a time: what is looked up takes ten times the memory of the mask
        for top in range(0, len(pixels), _ROWS):
            places[top : top + _ROWS] = _looked_up(_codes(pixels[top : top + _ROWS]), self._by_color)
        wrong = places < 0
        if wrong.any():
            held, counts = np.unique(_codes(pixels[wrong]), return_counts=True)
            order = np.argsort(-counts, kind="stable")
            pairs = _first(held[order], counts[order])
            told = [f"#{code:06x} ({counted(n, 'pixel')})" for code, n in pairs]
            raise DataFormatError(
                f"{called} holds the colour{'s' * (held.size > 1)} {', '.join(told)}{_more(held.size)}, "
                f"which {self.listed.source} does not list; {self._nearest(pairs[0][0])}",
                hint=f"--ignore '#{pairs[0][0]:06x}' leaves such pixels unlabelled; or list the class",
            )
        return places

    def _nearest(self, code: int) -> str:
        listed = [one for one in self.listed.classes if one.color is not None]
        wanted = (code >> 16, code >> 8 & 255, code & 255)

        def distance(color: Rgb) -> int:
            return sum((a - b) ** 2 for a, b in zip(color, wanted, strict=True))

        best = min(listed, key=lambda one: distance(one.color or wanted))
        return f"nearest to the first is #{_code(best.color):06x}, {best.name}"


def _read(reader: MaskReader, path: Path, size: tuple[int, int]) -> ImageAnnotations:
    return reader.read(path)


def _code(color: Rgb | None) -> int:
    red, green, blue = color or (0, 0, 0)
    return red << 16 | green << 8 | blue


def _codes(pixels: NDArray[np.integer]) -> NDArray[np.int64]:
    red, green, blue = (pixels[..., i].astype(np.int64) for i in range(3))
    return red << 16 | green << 8 | blue


def _lookup(pairs: Mapping[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    keys = sorted(pairs)
    return np.array(keys, np.int64), np.array([pairs[key] for key in keys], np.int32)


def _looked_up(
    values: NDArray[np.integer], table: tuple[NDArray[np.int64], NDArray[np.int32]]
) -> NDArray[np.int32]:
    """Places of classes, from 1; 0 where unlabelled, -1 where the table has none."""
    keys, numbers = table
    if not keys.size:
        return np.full(values.shape, -1, np.int32)
    at = np.minimum(np.searchsorted(keys, values), keys.size - 1)
    return np.where(keys[at] == values, numbers[at], -1).astype(np.int32)


def _first(held: NDArray[np.integer], counts: NDArray[np.integer]) -> list[tuple[int, int]]:
    return list(zip(held[:_MOST_TOLD].tolist(), counts[:_MOST_TOLD].tolist(), strict=True))


def _more(found: int) -> str:
    return f" and {found - _MOST_TOLD:,} more" * (found > _MOST_TOLD)
