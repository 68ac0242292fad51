"""The threshold sweep from the tables of a run, row by row. Imports nothing from the package."""

from __future__ import annotations

from typing import Any

Row = dict[str, str]


def generic(concepts: list[Row], images: list[Row]) -> list[tuple[int, str, str, float, str]]:
    """Number, name, category, share of all pixels and reason of each concept that says little."""
    pixels = 0
    for image in images:
        pixels += int(image["sh"]) * int(image["sw"])
    found = []
    for concept in concepts:
        truth, held = int(concept["truth"]), int(concept["images"])
        if truth == 0:
            continue
        reason = ""
        if concept["category"] in ("texture", "material") and truth * len(images) * 4 > held * pixels:
            reason = "filling"
        if truth * 10 > pixels:
            reason = "wide"
        if concept["category"] in ("color", "colour"):
            reason = "color"
        if reason:
            share = truth / pixels
            found.append((int(concept["number"]), concept["name"], concept["category"], share, reason))
    return found


def layer(units: list[Row], name: str, said_little: dict[tuple[str, str], str]) -> dict[str, Any]:
    """What becomes of the labels of one layer; quantiles from the smallest to the largest."""
    rows = [row for row in units if row["layer"] == name]
    quantiles = sorted({float(row["quantile"]) for row in rows})
    at: dict[tuple[float, int], Row] = {(float(row["quantile"]), int(row["unit"])): row for row in rows}
    numbers = sorted({unit for _, unit in at})
    counts = []
    for place, quantile in enumerate(quantiles):
        labelled = detectors = changed = 0
        little = {"color": 0, "wide": 0, "filling": 0}
        little_labels = 0
        by: dict[str, int] = {}
        unique: dict[str, set[str]] = {}
        for unit in numbers:
            row = at[quantile, unit]
            label = row["label"], row["category"]
            if row["label"]:
                labelled += 1
            if label in said_little:
                little_labels += 1
            if row["detector"] == "true":
                detectors += 1
                by[row["category"]] = by.get(row["category"], 0) + 1
                unique.setdefault(row["category"], set()).add(row["label"])
                if label in said_little:
                    little[said_little[label]] += 1
            if place:
                before = at[quantiles[place - 1], unit]
                if (before["label"], before["category"]) != label:
                    changed += 1
        counts.append(
            {
                "quantile": quantile,
                "units": len(numbers),
                "labelled": labelled,
                "detectors": detectors,
                "unique_detectors": sum(map(len, unique.values())),
                "generic_labels": little_labels,
                "generic_detectors": sum(little.values()),
                **{f"generic_{reason}": count for reason, count in little.items()},
                "generic_share": sum(little.values()) / detectors if detectors else None,
                "generic_label_share": little_labels / labelled if labelled else None,
                "changed": changed if place else None,
                "detectors_by": by,
                "unique": {category: len(labels) for category, labels in unique.items()},
            }
        )
    return {"quantiles": quantiles, "counts": counts, "units": [_unit(at, quantiles, k) for k in numbers]}


def _unit(at: dict[tuple[float, int], Row], quantiles: list[float], unit: int) -> dict[str, Any]:
    seen = [at[quantile, unit] for quantile in quantiles]
    changes = 0
    for i in range(1, len(seen)):
        one, other = seen[i - 1], seen[i]
        if one["label"] != other["label"] or one["category"] != other["category"]:
            changes += 1
    on = [quantile for quantile, row in zip(quantiles, seen, strict=True) if row["detector"] == "true"]
    return {
        "unit": unit,
        "labels": [row["label"] for row in seen],
        "categories": [row["category"] for row in seen],
        "detector": [row["detector"] == "true" for row in seen],
        "same_label": changes == 0 and seen[0]["label"] != "",
        "changes": changes,
        "detections": len(on),
        "first_detector": min(on, default=None),
        "last_detector": max(on, default=None),
    }
