"""Tables as `models/findings/train.py` and `experiments.py` leave them, of networks that are none."""

from __future__ import annotations

import csv
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from experiments import EXPERIMENTS, Asked, asked_networks
from measurements.tables import SCHEMA
from numpy.typing import NDArray
from training.recipes import IMAGES as DRAWN
from training.recipes import Training, recipe_of, trainings

from onnxdissect.storage.archive_writer import write_archive

CATEGORIES = ("color", "object", "part", "material", "scene", "texture")
CONCEPTS = 6  # of each category; one more of each is in no image
IMAGES, RESAMPLES = 24, 40
ROWS = ("detectors", "unique", *CATEGORIES)

SIZES = {"half-width": 26_660, "double-width": 410_732}  # parameters
LOST, CHANGED, NEW = 4, 6, 3  # of the detectors of `base`, when it is taught objects

Counts = Sequence[int]
Label = tuple[str, str]
# Unique detectors of the last layer by category; a base network has one object more for each seed.
FINISHED: Mapping[str, Counts] = {
    "base": (1, 10, 4, 1, 2, 2),
    "dropout": (1, 7, 3, 1, 1, 1),
    "batch-norm": (1, 14, 5, 2, 2, 2),
    "no-decay": (1, 11, 4, 1, 2, 2),
    "strong-decay": (0, 5, 2, 0, 1, 1),
    "double-width": (2, 16, 6, 2, 3, 3),
    "half-width": (1, 5, 2, 1, 1, 1),
    "deeper": (1, 13, 5, 1, 3, 2),
    "shallower": (1, 7, 3, 1, 1, 2),
    "objects": (1, 8, 3, 1, 0, 2),
    "parts": (1, 6, 5, 1, 0, 1),
    "rotation": (1, 2, 1, 0, 0, 2),
    "jigsaw": (0, 0, 0, 0, 0, 2),
    "fine-tuned": (1, 9, 4, 1, 1, 2),
}
UNTRAINED, EARLY, LATER = (1, 0, 0, 0, 0, 0), (2, 1, 0, 1, 0, 2), (1, 6, 2, 1, 1, 2)
FIRST, INNER = (1, 1, 0, 0, 0, 2), (1, 5, 2, 1, 1, 2)


def counts_of(training: Training, iteration: int, layer: int) -> Counts:
    """Unique detectors of a layer by category; layers are numbered from 1."""
    variant, layers = training.recipe.variant, len(training.recipe.stages)
    if layer < layers:
        return FIRST if layer == 1 else INNER
    if iteration == training.recipe.iterations:
        color, objects, *others = FINISHED[variant]
        return (color, objects + training.seed * (variant == "base"), *others)
    if variant == "fine-tuned":
        return LATER
    return UNTRAINED if iteration < 189 else EARLY if iteration == 189 else LATER


def rows_of(counts: Counts) -> list[int]:
    """What is counted of a layer: there are two detectors of every label."""
    return [2 * sum(counts), sum(counts), *counts]


def resampled(values: Sequence[int], key: str) -> NDArray[np.int16]:
    """Numbers of the resamples, which lie around the values; shape (values, resamples)."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    around = np.array(values)[:, None] + rng.integers(-1, 2, (len(values), RESAMPLES))
    return np.maximum(around, 0).astype(np.int16)


def labels_of(counts: Counts) -> list[Label]:
    """Label and category of the detectors."""
    return [
        (f"{category} {number % CONCEPTS}", category)
        for category, count in zip(CATEGORIES, counts, strict=True)
        for number in range(count)
        for _ in range(2)
    ]


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def followed_labels(training: Training, iteration: int) -> list[Label | None]:
    """Label the units of a fine-tuned network, begun with those of `base`: at first nothing has changed."""
    base = labels_of(counts_of(Training(recipe_of("base"), training.seed), recipe_of("base").iterations, 5))
    if iteration == training.recipe.checkpoints[0]:
        return list(base)
    lost: list[Label | None] = [None] * LOST
    return [*lost, *[("texture 5", "texture")] * CHANGED, *base[LOST + CHANGED :], *base[:NEW]]


def write_units(folder: Path, layer: str, units: int, labels: Sequence[Label | None]) -> None:
    """Write the units of one layer; those without a label, and all that follow, detect nothing."""
    told = [*labels, *[None] * (units - len(labels))]
    rows = [
        (layer, unit, *(label or ("object 0", "object")), "true" if label else "false")
        for unit, label in enumerate(told)
    ]
    write_rows(folder / "units.csv", ("layer", "unit", "label", "category", "detector"), rows)


def write_network(folder: Path, training: Training, name: str, iteration: int) -> None:
    folder.mkdir(parents=True)
    layers = [f"relu{number + 1}" for number in range(len(training.recipe.stages))]
    counts = [counts_of(training, iteration, number + 1) for number in range(len(layers))]
    sizes = [units for units, _, _ in training.recipe.stages]
    columns = ("layer", "units", "detectors", "unique_detectors", *(f"unique_{c}" for c in CATEGORIES))
    summaries = [(layer, size, *rows_of(c)) for layer, size, c in zip(layers, sizes, counts, strict=True)]
    write_rows(folder / "layers.csv", columns, summaries)
    tuned = training.recipe.variant == "fine-tuned"
    labels = followed_labels(training, iteration) if tuned else labels_of(counts[-1])
    write_units(folder, layers[-1], sizes[-1], labels)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    arrays = {
        "layers": np.array(layers),
        "rows": np.array(ROWS),
        "counts": np.stack([resampled(rows_of(c), f"{name} {n}") for n, c in enumerate(counts)]),
        "last_iou": rng.random((sizes[-1], 7 * len(CATEGORIES))).astype(np.float16),
    }
    write_archive(folder / "resampled.npz", SCHEMA, arrays)
    card = {
        "variant": training.recipe.variant,
        "seed": training.seed,
        "iteration": iteration,
        "samples": 16 * iteration,
        "score": 0.5 + 0.01 * training.seed,
        "parameters": SIZES.get(training.recipe.variant, 103_996),
        "recipe": training.recipe.digest(DRAWN, None),
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "data": "drawn",
        "images": IMAGES,
        "quantile": 0.005,
        "iou_threshold": 0.04,
        "resamples": RESAMPLES,
        "resample_seed": 0,
        "seconds_training": 36.0,
    }
    (folder / "network.json").write_text(json.dumps(card), encoding="utf-8")


def write_experiment(tables: Path, network: str, name: str, arrays: Mapping[str, Any]) -> None:
    """Write an answer as it is of the network whose card is there."""
    card = json.loads((tables / network / "network.json").read_text(encoding="utf-8"))
    experiment = EXPERIMENTS[name]
    hashes = {"network": np.array([card["sha256"]]), "recipe": np.array([experiment.recipe(None)])}
    stored = {**hashes, **{key: np.asarray(value) for key, value in arrays.items()}}
    write_archive(tables / network / f"{name}.npz", experiment.stored, stored)


def with_resamples(values: Sequence[int], key: str) -> NDArray[np.int16]:
    """Numbers of the images themselves, and of the resamples behind them."""
    return np.concatenate([np.array(values, np.int16)[:, None], resampled(values, key)], axis=1)


def thresholds_of(seed: int) -> dict[str, Any]:
    return {
        "quantiles": [0.005, 0.16],
        "detectors": with_resamples([40, 50], f"detectors {seed}"),
        "unique": with_resamples([20 + seed, 25], f"unique {seed}"),
        "generic": with_resamples([4, 30 + seed], f"generic {seed}"),
    }


def rotations_of(seed: int, trained: bool) -> dict[str, Any]:
    # the layer itself; two rotations, each by a half and a whole; a permutation; random directions
    unique = [20 + seed, 14, 5, 16, 7, 20 + seed, 4, 6] if trained else [1, 1, 2, 1, 3, 1, 2, 1]
    return {
        "kinds": ["own", *["rotation"] * 4, "permutation", *["directions"] * 2],
        "alphas": [0.0, 0.5, 1.0, 0.5, 1.0, np.nan, np.nan, np.nan],
        "unique": with_resamples(unique, f"rotations {seed} {trained}"),
        "differences": np.array([0]),
        "turned_back": [3e-7 * (1 + seed)],
        "rounding": [1e-3],
    }


def predictions_of(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    fired = rng.random((IMAGES, 5)) < 0.8
    named = fired & (rng.random((IMAGES, 5)) < 0.5)
    right = rng.random(IMAGES) < 0.6
    # what explains right predictions is held to its label more often
    held = fired & (rng.random((IMAGES, 5)) < 0.2 + 0.7 * (named & right[:, None]))
    return {
        "shown": np.arange(IMAGES) % 8 != 7,
        "right": right,
        "units": np.arange(5, dtype=np.int16),
        "masks": (fired + 2 * held + 4 * named).astype(np.uint8),
    }


def write_tables(tables: Path, seeds: Sequence[int] = (0, 1, 2)) -> Path:
    """Write everything that the findings are made of.

    Parameters
    ----------
    tables : Path
        The folder.
    seeds : sequence of int
        Only the networks of these.

    Returns
    -------
    Path
        The folder.
    """
    for training in trainings(seeds):
        for name, iteration in training.networks():
            write_network(tables / name, training, name, iteration)
    concepts = [
        (f"{category} {number}", category, 100, 10 * (number < CONCEPTS))
        for category in CATEGORIES
        for number in range(CONCEPTS + 1)
    ]
    rows = [(1 + number, *concept) for number, concept in enumerate(concepts)]
    write_rows(tables / "concepts.csv", ("number", "name", "category", "truth", "images"), rows)
    for asked in asked_networks():
        if asked.training.seed not in seeds:
            continue
        write_experiment(tables, asked.network, asked.experiment, _answer_of(asked))
    return tables


def _answer_of(asked: Asked) -> dict[str, Any]:
    seed = asked.training.seed
    if asked.experiment == "thresholds":
        return thresholds_of(seed)
    if asked.experiment == "predictions":
        return predictions_of(seed)
    return rotations_of(seed, trained=asked.network == asked.training.name())
