"""Small result files as NetDissect and NetDissect-Lite write them, of counts drawn at random."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CATEGORIES = ("object", "part", "texture")
CONCEPTS = {
    "object": ("cat", "dog", "lamp, street", "grün"),
    "part": ("wheel", "leg"),
    "texture": ("dotted", "striped", "paisley"),
}
EVERYTHING = ("label", "truth", "activation", "intersect", "iou")


@dataclass
class Best:
    """The best concept of a category; without a name, truth and intersection it is none."""

    label: str
    truth: int
    activation: int
    intersect: int

    @property
    def iou(self) -> float:
        union = self.activation + self.truth - self.intersect
        return self.intersect / union if union else 0.0


Unit = dict[str, Best]


def draw_units(count: int, seed: int = 0, data: int = 0) -> list[Unit]:
    """Units of a layer; the last of them meets nothing. Pixels of concepts follow from `data` alone."""
    dice = random.Random(data)
    truth = {(g, name): dice.randint(40, 400) for g in CATEGORIES for name in CONCEPTS[g]}
    dice = random.Random(seed)
    units: list[Unit] = []
    for k in range(count):
        unit: Unit = {}
        for g in CATEGORIES:
            name = dice.choice(CONCEPTS[g])
            activation = dice.randint(50, 300)
            met = dice.randint(1, min(activation, truth[g, name]) // dice.choice((1, 4, 20)))
            unit[g] = Best(name, truth[g, name], activation, met)
            if k == count - 1 or dice.random() < 0.1:
                unit[g] = Best("", 0, activation if k < count - 1 else 0, 0)
        units.append(unit)
    return units


def table(
    units: Sequence[Unit],
    *,
    columns: Sequence[str] = EVERYTHING,
    lite: bool = False,
    layer: str | None = None,
) -> list[list[str]]:
    """Header and rows of a result file, rows by falling score."""
    header = [*(["layer"] if layer is not None else []), "unit", "category", "label", "score"]
    header += [f"{g}-{what}" for g in CATEGORIES for what in columns]
    rows = []
    for k in sorted(range(len(units)), key=lambda k: -max(best.iou for best in units[k].values())):
        g, best = max(units[k].items(), key=lambda item: item[1].iou)
        found = (g, best.label) if best.iou else ("", "")
        row = [*([layer] if layer is not None else []), str(k + 1), *found, repr(best.iou)]
        for one in units[k].values():
            told = {
                "label": one.label,
                "truth": f"{one.truth}.0" if lite else str(one.truth),
                "activation": f"{one.activation}.0",
                "intersect": f"{one.intersect}.0" if lite else str(one.intersect),
                "iou": repr(one.iou),
            }
            row += [told[what] for what in columns]
        rows.append(row)
    return [header, *rows]


def text_of(rows: Sequence[Sequence[str]], *, separator: str = ",", end: str = "\r\n") -> str:
    made = io.StringIO()
    csv.writer(made, delimiter=separator, lineterminator=end).writerows(rows)
    return made.getvalue()


def write(path: Path, rows: Sequence[Sequence[str]], **how: str) -> Path:
    path.write_text(text_of(rows, **how), encoding="utf-8", newline="")
    return path


def result_file(path: Path, count: int = 12, seed: int = 0) -> Path:
    return write(path, table(draw_units(count, seed)))
