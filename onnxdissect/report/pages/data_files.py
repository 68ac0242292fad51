"""The data files of a report: what the pages' script reads, and the same for other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxdissect.report.data.facts import section
from onnxdissect.report.data.photos import Photos
from onnxdissect.report.data.previous_report import FORMAT_VERSION
from onnxdissect.report.data.report_data import LayerReport, Report
from onnxdissect.report.pages.scripts import rounded
from onnxdissect.report.pages.threshold_files import sweep_json
from onnxdissect.results.formats.published import IMPORTED
from onnxdissect.statistics.reliability import STABLE
from onnxdissect.storage.json_file import json_bytes

if TYPE_CHECKING:
    from onnxdissect.results import Dissection

__all__ = ["concept_entries", "data_json", "most_common_aspect", "run_record", "write_json"]

ConceptEntry = dict[str, Any]


def run_record(report: Report) -> dict[str, Any]:
    """Give what the script of every page needs of the run.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
    """
    own = report.own_layers
    return {
        "title": report.title,
        "quantiles": list(report.quantiles),
        "iou_threshold": report.iou_threshold,
        "stable": STABLE,
        "pictures": report.photos.available,
        "aspect": most_common_aspect(report.photos),
        "categories": [{"name": name, "colour": colour} for name, colour in report.categories],
        "layers": [
            {
                "alias": layer.info.alias,
                "name": layer.info.name,
                "slug": layer.info.slug,
                "page": layer.page,
                "units": layer.info.units,
                **({"under": True} if layer not in own else {}),
            }
            for layer in report.layers
        ],
    }


def most_common_aspect(photos: Photos) -> float:
    """Find the shape of most photographs.

    Parameters
    ----------
    photos : Photos

    Returns
    -------
    float
        Width by height, to two digits, from 0.5 to 2; 1 without photographs.
    """
    shapes = Counter(round(width / height, 2) for width, height in photos.sizes.values())
    return min(max(shapes.most_common(1)[0][0], 0.5), 2.0) if shapes else 1.0


def concept_entries(dissection: Dissection) -> list[list[ConceptEntry]]:
    """List, for each concept, the units whose IoU with it exceeds the threshold.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    list of list of dict
        Per quantile, one entry for each concept with a unit whose IoU with it exceeds the threshold, in order
        of their numbers: ``number``, ``name``, ``category``, ``images``, ``detectors`` ([layer, unit, IoU]
        of the units labelled with it, by falling IoU), ``reliable`` (how many of them are; None where that is
        not known) and ``others`` (likewise those with another label).
    """
    entries: list[dict[int, ConceptEntry]] = [{} for _ in dissection.quantiles]
    for position, info in enumerate(dissection.layers):
        scores = dissection.iou(info.name)
        labels = dissection.scores(info.name).concept
        reliable = [[unit.reliable for unit in dissection.units(info.name, q)] for q in dissection.quantiles]
        for q, unit, concept in np.argwhere(scores > dissection.iou_threshold).tolist():
            known = dissection.concepts[concept]
            entry = entries[q].setdefault(
                concept,
                {
                    "number": known.number,
                    "name": known.name,
                    "category": known.category,
                    "images": None if dissection.imported else known.images,
                    "detectors": [],
                    "reliable": None,
                    "others": [],
                },
            )
            kind = "detectors" if labels[q, unit] == concept else "others"
            entry[kind].append([position, unit, rounded(float(scores[q, unit, concept]))])
            sure = reliable[q][unit]
            if kind == "detectors" and sure is not None:
                entry["reliable"] = (entry["reliable"] or 0) + sure
    for found in entries:
        for entry in found.values():
            for kind in ("detectors", "others"):
                entry[kind].sort(key=lambda item: (-item[2], item[0], item[1]))
    return [[found[concept] for concept in sorted(found)] for found in entries]


def data_json(
    report: Report,
    dissection: Dissection,
    units: Mapping[str, list[list[dict[str, Any]]]],
    bases: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """Give the content of ``data.json``.

    Parameters
    ----------
    report : Report
    dissection : Dissection
    units : mapping of str to list of list of dict
        Per layer, by its folder name, the units at each quantile.
    bases : mapping of str to dict
        Per layer under a basis, by its folder name, what the basis finds.

    Returns
    -------
    dict
        Documented in ``docs/report.md``.
    """
    return {
        "format_version": FORMAT_VERSION,
        "title": report.title,
        "data": report.data,
        "version": report.version,
        "fingerprint": section(dissection.manifest, "data").get("fingerprint"),
        "facts": [{"name": f.name, "value": f.value, "detail": f.detail} for f in report.facts],
        "warnings": list(report.warnings),
        "advice": list(report.advice),
        "note": report.photos.note,
        "iou_threshold": report.iou_threshold,
        "scoring": report.scoring,
        "min_images": dissection.min_images,
        "quantiles": list(report.quantiles),
        "categories": [name for name, _ in report.categories],
        "concepts": _concepts(dissection),
        "photos": [
            {"image": image, "name": dissection.images[image].name, "width": width, "height": height}
            for image, (width, height) in report.photos.sizes.items()
        ],
        "layers": [
            {
                **_layer(layer, units[layer.info.slug]),
                **({"basis": bases[layer.info.slug]} if layer.info.slug in bases else {}),
            }
            for layer in report.layers
        ],
        **({"thresholds": sweep_json(report, report.sweep)} if report.sweep else {}),
        **({"imported": dissection.manifest[IMPORTED]} if dissection.imported else {}),
    }


def _concepts(dissection: Dissection) -> list[dict[str, Any]]:
    known = dissection.manifest[IMPORTED]["known"] if dissection.imported else ("truth", "images")
    return [
        {
            "number": one.number,
            "name": one.name,
            "category": one.category,
            "truth": one.truth if "truth" in known else None,
            "images": one.images if "images" in known else None,
        }
        for one in dissection.concepts
    ]


def _layer(layer: LayerReport, units: list[list[dict[str, Any]]]) -> dict[str, Any]:
    info = layer.info
    return {
        "name": info.name,
        "alias": info.alias,
        "slug": info.slug,
        "op": info.op,
        "shape": list(info.shape) if info.shape[0] else None,
        "facts": list(layer.facts),
        "views": [
            {
                "quantile": view.quantile,
                "units": view.summary.units,
                "detectors": view.summary.detectors,
                "detectors_fdr": view.summary.detectors_fdr,
                "unique_detectors": view.summary.unique_detectors,
                "unique_low": view.summary.unique_low,
                "unique_high": view.summary.unique_high,
                "reliable_detectors": view.summary.reliable_detectors,
                "unique_reliable": view.summary.unique_reliable,
                "rare_labels": view.summary.rare_labels,
                "unique": dict(view.summary.unique),
                "bars": [
                    {"concept": bar.concept, "category": group.category, "units": list(bar.units)}
                    for group in view.category_bars
                    for bar in group.bars
                ],
                "unit_records": rows,
            }
            for view, rows in zip(layer.views, units, strict=True)
        ],
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file.

    Parameters
    ----------
    path : Path
    content : mapping
    """
    path.write_bytes(json_bytes(content, separators=(",", ":")))
