"""What is kept of a dissected network: its units, its layers, its counts in every resample of the images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import onnxdissect
from onnxdissect.results import Dissection
from onnxdissect.results.label_units import primary_categories
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.files import make_folder, write_bytes, write_csv, write_text
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = [
    "CARD",
    "LAYERS",
    "RESAMPLES",
    "SCHEMA",
    "card_there",
    "dissect_network",
    "keep_run",
    "write_card",
    "write_conditions",
]

LAYERS = ("relu*",)
RESAMPLES = 1000
CARD = "network.json"
"""Written last: what has it is complete."""

_UNITS = (
    "layer",
    "unit",
    "label",
    "category",
    "iou",
    "iou_low",
    "iou_high",
    "stability",
    "detector",
    "reliable",
)
_CONDITIONS = (
    "network", "variant", "seed", "iteration", "task", "measure", "score", "chance", "parameters", "shipped",
)  # fmt: skip
# L layers, R rows, B resamples; K units of the last layer, C concepts
SCHEMA = Schema(
    {
        "layers": ArraySpec("str", "L"),
        "rows": ArraySpec("str", "R"),
        "counts": ArraySpec("int16", "LRB"),
        "last_iou": ArraySpec("float16", "KC"),
    },
    version=1,
)


def dissect_network(network: Path, run: Path, limit: int | None = None) -> Dissection:
    """Dissect every ReLU of a network on the embedded data set.

    Parameters
    ----------
    network : Path
        An ONNX file.
    run : Path
        The run directory.
    limit : int, optional
        Only the first so many images.

    Returns
    -------
    Dissection
    """
    return onnxdissect.dissect(
        network,
        "tiny",
        LAYERS,
        provider="cpu",
        bootstrap=RESAMPLES,
        null=0,
        top=1,
        limit=limit,
        out=run,
        fresh=True,
    )


def keep_run(run: Dissection, folder: Path) -> None:
    """Write what the findings are made of, without images and without counts by image.

    Parameters
    ----------
    run : Dissection
    folder : Path
        Of the network. It gets ``units.csv``, ``layers.csv`` and ``resampled.npz``; ``concepts.csv`` goes
        beside it, since all networks have the same.
    """
    make_folder(folder)
    write_csv(folder / "units.csv", _UNITS, _unit_rows(run))
    write_bytes(folder / "layers.csv", (run.path / "layers.csv").read_bytes())
    write_bytes(folder.parent / "concepts.csv", (run.path / "concepts.csv").read_bytes())
    arrays = {
        "layers": np.array([info.name for info in run.layers]),
        "rows": np.array(["detectors", "unique", *run.categories]),
        "counts": resampled_counts(run),
        "last_iou": run.iou(run.layers[-1].name)[0].astype(np.float16),
    }
    write_archive(folder / "resampled.npz", SCHEMA, arrays)


def _unit_rows(run: Dissection) -> Iterable[Sequence[object]]:
    for unit in run.units():
        numbers = (unit.iou, unit.iou_low, unit.iou_high, unit.stability)
        # what is a detector was decided by the numbers in full
        short = [None if number is None else float(f"{number:.6g}") for number in numbers]
        yield unit.layer, unit.unit, unit.label, unit.category, *short, unit.detector, unit.reliable


def resampled_counts(run: Dissection) -> NDArray[np.int16]:
    """Count detectors and unique detectors in every resample of the images, the same ones for all networks.

    Parameters
    ----------
    run : Dissection
        At one quantile, made with a bootstrap.

    Returns
    -------
    ndarray of int16, shape (L, 2 + G, B)
        Detectors, unique detectors, and those of each category.
    """
    truth, asked = run.truth_counts(), run.resampling()
    if truth is None:
        raise ValueError(f"{run.path} was made without a bootstrap")
    category_of = primary_categories(run.concepts, run.categories)
    resamples = Resamples(truth, category_of, asked.resamples, asked.seed)
    counted = []
    for info in run.layers:
        unique = UniqueDetectors(1, resamples, run.iou_threshold)
        detectors = np.zeros(resamples.size, np.int64)
        for units in resamples.walk(run.per_image_parts(info.name) or (), run.scoring):
            unique.add(units)
            detectors += (units.best > run.iou_threshold).sum(axis=0)
        by_category = unique.counts_by_category(category_of, len(run.categories))[0]
        counted.append(np.concatenate([detectors[None], unique.counts(), by_category]))
    return np.stack(counted).astype(np.int16)


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write what is known of a network: how it was made, how well it does its task, what it was dissected on.

    Parameters
    ----------
    folder : Path
        The network's.
    card : dict
        Of JSON.
    """
    write_text(folder / CARD, json.dumps(card, indent=1) + "\n")


def card_there(path: Path) -> dict[str, Any]:
    """Read a card, if there is one that can be read.

    Parameters
    ----------
    path : Path
        Of `CARD`, in the folder of a network.

    Returns
    -------
    dict
        Empty where it is missing or damaged: what is not known to be there is made again.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def write_conditions(tables: Path, names: Iterable[str]) -> None:
    """Write ``conditions.csv``: a row for every network that is there.

    Parameters
    ----------
    tables : Path
        Holds a folder for each network.
    names : iterable of str
        Of the networks, in order; those that are not there yet are passed over.
    """
    rows = []
    for name in names:
        card = {"network": name, **card_there(tables / name / CARD)}
        if set(_CONDITIONS) <= set(card):
            rows.append([card[column] for column in _CONDITIONS])
    write_csv(tables / "conditions.csv", _CONDITIONS, rows)
