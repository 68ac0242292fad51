"""What a result file of NetDissect says, read off its rows one by one."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any


def read(path: Path, threshold: float = 0.04, separator: str = ",") -> dict[str, Any]:
    """Labels of units from 0, detectors, unique ones, and those counted in every category.

    A concept without a name is none.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=separator))
    categories = [name[: -len("-label")] for name in rows[0] if name.endswith("-label")]
    units: dict[int, tuple[str, str, float]] = {}
    everywhere = set()
    for row in rows:
        best = ("", "", 0.0)
        for category in categories:
            name, iou = row[f"{category}-label"], float(row[f"{category}-iou"])
            if name and iou > best[2]:
                best = (name, category, iou)
            if name and iou > threshold:
                everywhere.add((category, name))
        units[int(float(row["unit"])) - 1] = best
    detected = [unit for unit in units.values() if unit[2] > threshold]
    return {
        "units": [units[k] for k in sorted(units)],
        "detectors": len(detected),
        "unique": len({(name, category) for name, category, _ in detected}),
        "unique_any": len(everywhere),
    }
