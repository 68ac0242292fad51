"""From masks to label maps by a list of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
        numbers = self._of_colors(pixels, called) if pixels.ndim == 3 else self._of_indices(pixels, called)
        found = {}
        for category, own in self._own.items():
            label_map = np.where(own[numbers], numbers, 0)
            if label_map.any():
                found[category] = [label_map]
        return found

    @cached_property
    def _own(self) -> Mapping[str, NDArray[np.bool_]]:
        """By category, which numbers of labels are of it."""
        of = np.array(["", *(one.category or self.listed.default for one in self.listed.classes)])
        return {category: of == category for category in self.listed.categories}

    @cached_property
    def _by_index(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        pairs = {one.index: number for number, one in enumerate(self.listed.classes, 1)}
        return _lookup(pairs | dict.fromkeys(self.unlabelled, 0))

    @cached_property
    def _by_small_index(self) -> NDArray[np.int32]:
        return _looked_up(np.arange(_FEW), self._by_index)

    @cached_property
    def _by_color(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        pairs = {
            _code(one.color): number
            for number, one in enumerate(self.listed.classes, 1)
            if one.color is not None
        }
        return _lookup(pairs | {_code(color): 0 for color in self.unlabelled_colors})

    def _of_indices(self, pixels: NDArray[np.integer], called: str) -> NDArray[np.int32]:
        small = pixels.max(initial=0) < _FEW
        numbers = self._by_small_index[pixels] if small else _looked_up(pixels, self._by_index)
        wrong = numbers < 0
        if wrong.any():
            held, counts = np.unique(pixels[wrong], return_counts=True)
            told = [
                f"{index} ({counted(n, 'pixel')})"
                for index, n in zip(held.tolist(), counts.tolist(), strict=True)
            ]
            ignored = ",".join(map(str, held[:_MOST_TOLD].tolist()))
            raise DataFormatError(
                f"{called} holds {_several(told, 'the number', 'numbers')}, "
                f"for which {self.listed.source} lists no class",
                hint=f"--ignore {ignored} leaves such pixels unlabelled; or add the class to the list",
            )
        return numbers

    def _of_colors(self, pixels: NDArray[np.integer], called: str) -> NDArray[np.int32]:
        known, _ = self._by_color
        if not known.size:
            grey = bool((pixels[:, :, :1] == pixels).all())
            raise DataFormatError(
                f"{called} is an RGB mask, and {self.listed.source} lists no colours"
                + ", though all its pixels are grey" * grey,
                hint="save masks with one channel, or as palette images; or list classes as INDEX,NAME,R,G,B",
            )
        red, green, blue = (pixels[:, :, i].astype(np.int64) for i in range(3))
        codes = red << 16 | green << 8 | blue
        numbers = _looked_up(codes, self._by_color)
        wrong = numbers < 0
        if wrong.any():
            held, counts = np.unique(codes[wrong], return_counts=True)
            order = np.argsort(-counts, kind="stable")
            told = [f"#{int(held[i]):06x} ({counted(int(counts[i]), 'pixel')})" for i in order]
            raise DataFormatError(
                f"{called} holds {_several(told, 'the colour', 'colours')}, "
                f"which {self.listed.source} does not list; {self._nearest(int(held[order[0]]))}",
                hint=f"--ignore #{int(held[order[0]]):06x} leaves such pixels unlabelled; or list the class",
            )
        return numbers

    def _nearest(self, code: int) -> str:
        listed = [one for one in self.listed.classes if one.color is not None]
        wanted = (code >> 16, code >> 8 & 255, code & 255)

        def distance(color: Rgb) -> int:
            return sum((a - b) ** 2 for a, b in zip(color, wanted, strict=True))

        best = min(listed, key=lambda one: distance(one.color or wanted))
        return f"nearest to the first is #{_code(best.color):06x}, {best.name}"


def _code(color: Rgb | None) -> int:
    red, green, blue = color or (0, 0, 0)
    return red << 16 | green << 8 | blue


def _lookup(pairs: Mapping[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    keys = sorted(pairs)
    return np.array(keys, np.int64), np.array([pairs[key] for key in keys], np.int32)


def _looked_up(
    values: NDArray[np.integer], table: tuple[NDArray[np.int64], NDArray[np.int32]]
) -> NDArray[np.int32]:
    """Numbers of labels; -1 where the table has none."""
    keys, numbers = table
    if not keys.size:
        return np.full(values.shape, -1, np.int32)
    at = np.minimum(np.searchsorted(keys, values), keys.size - 1)
    return np.where(keys[at] == values, numbers[at], -1).astype(np.int32)


def _several(told: Sequence[str], one: str, many: str) -> str:
    listed = ", ".join(told[:_MOST_TOLD]) + f" and {len(told) - _MOST_TOLD:,} more" * (len(told) > _MOST_TOLD)
    return f"{one if len(told) == 1 else f'the {many}'} {listed}"
