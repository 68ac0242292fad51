"""The tables of a Broden folder read by the formula of the layout: a row, a cell, an item at a time.

Imports nothing from the package.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass
class NaiveRow:
    """What a row of index.csv says."""

    image: str
    split: str
    size: tuple[int, int]
    grid: tuple[int, int]
    cells: dict[str, list[str | int]]  # by category, in category.csv order; empty ones are absent
    group: str = ""

    @property
    def maps(self) -> list[str]:
        """Label maps, once each."""
        return _once([item for cell in self.cells.values() for item in cell if isinstance(item, str)])

    @property
    def numbers(self) -> list[int]:
        """Labels of the image as a whole, once each."""
        return _once([item for cell in self.cells.values() for item in cell if isinstance(item, int)])


def read_index(folder: Path, categories: list[str]) -> list[NaiveRow]:
    """Read index.csv."""
    with (folder / "index.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    header = [name.strip() for name in rows[0]]
    found = []
    for row in rows[1:]:
        named = {name: cell.strip() for name, cell in zip(header, row, strict=True) if name}
        cells: dict[str, list[str | int]] = {}
        for category in categories:
            items = [item.strip() for item in named[category].split(";")]
            cell: list[str | int] = [int(item) if item.isdigit() else item for item in items if item]
            if cell:
                cells[category] = cell
        size, grid = (int(named["ih"]), int(named["iw"])), (int(named["sh"]), int(named["sw"]))
        found.append(NaiveRow(named["image"], named["split"], size, grid, cells, named.get("group", "")))
    return found


def _once(items: list) -> list:  # type: ignore[type-arg]
    return [item for i, item in enumerate(items) if item not in items[:i]]
