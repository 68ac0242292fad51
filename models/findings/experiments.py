"""What the base networks are asked beyond one dissection: other thresholds, other bases, single predictions.

`python models/findings/experiments.py` asks all of them that are there; `train.py` does so at its end. It
needs no torch. What was asked before, of the same file, is passed over.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from recipes import SEEDS, Training, recipe_of, shipped
from tables import CARD, RESAMPLES

import onnxdissect
from onnxdissect.data import Dataset, open_data
from onnxdissect.experiments.rotation.entries import find_entries
from onnxdissect.model.network import load_network
from onnxdissect.model.preprocessing.choice import choose_preprocessing
from onnxdissect.model.preprocessing.preparer import Preparer
from onnxdissect.results import Dissection
from onnxdissect.results.label_units import primary_categories
from onnxdissect.results.sweep.generic import generic_concepts
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.schema import ArraySpec, Schema
from onnxdissect.tiny import cache_folder

__all__ = ["EXPERIMENTS", "LAST", "Experiment", "asked_networks", "read_experiment", "run_experiments"]

HERE = Path(__file__).resolve().parent
LAST = "relu5"
"""The layer that is asked, the last of `base`."""

QUANTILES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
ROTATIONS = 3
STRONGEST = 6
"""Units that an explanation names, as in the paper's figure."""

# F one, T quantiles, E entries, B the data set itself and every resample of its images, N images
_NETWORK = ArraySpec("str", "F")
_THRESHOLDS = Schema(
    {
        "network": _NETWORK,
        "quantiles": ArraySpec("float64", "T"),
        "detectors": ArraySpec("int16", "TB"),
        "unique": ArraySpec("int16", "TB"),
        "generic": ArraySpec("int16", "TB"),
    },
    version=1,
)
_ROTATIONS = Schema(
    {
        "network": _NETWORK,
        "kinds": ArraySpec("str", "E"),
        "alphas": ArraySpec("float64", "E"),
        "unique": ArraySpec("int16", "EB"),
        "differences": ArraySpec("int64", "F"),
    },
    version=1,
)
_PREDICTIONS = Schema(
    {
        "network": _NETWORK,
        "right": ArraySpec("bool", "N"),
        "strongest": ArraySpec("uint8", "N"),
        "strongest_held": ArraySpec("uint8", "N"),
        "others": ArraySpec("uint8", "N"),
        "others_held": ArraySpec("uint8", "N"),
    },
    version=1,
)


def thresholds(network: Path, work: Path) -> Mapping[str, NDArray[Any]]:
    """Count detectors, unique ones and those with a generic label at several quantiles.

    Parameters
    ----------
    network : Path
        A finished network of `base`.
    work : Path
        Gets the run.

    Returns
    -------
    mapping of str to ndarray
        ``quantiles``; ``detectors``, ``unique`` and ``generic``, int16 of shape (quantiles, 1 + resamples).
    """
    run = onnxdissect.dissect(
        network,
        "tiny",
        (LAST,),
        quantiles=QUANTILES,
        provider="cpu",
        bootstrap=RESAMPLES,
        null=0,
        top=1,
        out=work / "runs" / f"{network.stem}-thresholds",
        fresh=True,
    )
    numbers = {concept.number for concept in generic_concepts(run.concepts, run.images)}
    generic = np.array([concept.number in numbers for concept in run.concepts])
    resamples = _resamples(run)
    unique = UniqueDetectors(len(run.quantiles), resamples, run.iou_threshold)
    detectors, are_generic = np.zeros((2, len(run.quantiles), resamples.size), np.int64)
    for units in resamples.walk(run.per_image_parts(LAST) or (), run.scoring):
        unique.add(units)
        found = units.best > run.iou_threshold
        detectors[units.quantile] += found.sum(axis=0)
        are_generic[units.quantile] += (found & generic[units.winner]).sum(axis=0)
    return {
        "quantiles": np.array(run.quantiles),
        "detectors": detectors.astype(np.int16),
        "unique": unique.counts().astype(np.int16),
        "generic": are_generic.astype(np.int16),
    }


def rotations(network: Path, work: Path) -> Mapping[str, NDArray[Any]]:
    """Count unique detectors under rotations, a permutation and random directions (CVPR 2017, section 4.2).

    Parameters
    ----------
    network, work : Path
        As in `thresholds`.

    Returns
    -------
    mapping of str to ndarray
        ``kinds``; ``alphas``, NaN where there is none; ``unique``, int16 of shape (entries, 1 + resamples);
        ``differences``, how many things the permutation changed beside the numbers of units.
    """
    result = onnxdissect.rotate(
        network,
        "tiny",
        (LAST,),
        alphas=ALPHAS,
        seeds=ROTATIONS,
        provider="cpu",
        bootstrap=RESAMPLES,
        top=1,
        out=work / "runs" / f"{network.stem}-rotations",
        fresh=True,
    )
    run = onnxdissect.load(result.path)
    (entries,) = find_entries(run)
    resamples = _resamples(run)
    kinds, alphas, counts = [], [], []
    for (kind, alpha, _), info in entries.all:
        unique = UniqueDetectors(1, resamples, run.iou_threshold)
        for units in resamples.walk(run.per_image_parts(info.name) or (), run.scoring):
            unique.add(units)
        kinds.append(kind)
        alphas.append(np.nan if alpha is None else alpha)
        counts.append(unique.counts()[0])
    (curve,) = result.curves
    return {
        "kinds": np.array(kinds),
        "alphas": np.array(alphas),
        "unique": np.stack(counts).astype(np.int16),
        "differences": np.array([len(curve.permutation_differences)]),
    }


def predictions(network: Path, work: Path) -> Mapping[str, NDArray[Any]]:
    """Ask of every image whether the units that made its prediction fired where their labels are.

    The score of a class is a sum over the units of weight times strongest activation, up to the bias. Of the
    detectors that fired, those with the largest summands explain the predicted class. A unit is held to its
    label if its mask in this image meets it.

    Parameters
    ----------
    network, work : Path
        As in `thresholds`.

    Returns
    -------
    mapping of str to ndarray
        Of every image that shows a scene: ``right``, whether the scene was told right; ``strongest``, the
        units that explain it, at most `STRONGEST`; ``strongest_held``, those of them held to their label;
        ``others`` and ``others_held``, the same of all other detectors that fired.
    """
    data = open_data("tiny")
    run = onnxdissect.dissect(
        network,
        data,
        (LAST,),
        provider="cpu",
        bootstrap=1,
        null=0,
        top=1,
        out=work / "runs" / f"{network.stem}-predictions",
        fresh=True,
    )
    summands, told, scenes = _told(network, data)
    fired, held = _masks(run, len(data))
    asked = np.flatnonzero(scenes != "")
    counts = np.zeros((4, len(asked)), np.uint8)
    for place, image in enumerate(asked):
        there = np.flatnonzero(fired[image])
        order = there[np.argsort(-summands[image, there], kind="stable")]
        named = order[:STRONGEST][summands[image, order[:STRONGEST]] > 0]
        rest = np.setdiff1d(there, named)
        counts[:, place] = len(named), held[image, named].sum(), len(rest), held[image, rest].sum()
    return {
        "right": (told == scenes)[asked],
        **dict(zip(("strongest", "strongest_held", "others", "others_held"), counts, strict=True)),
    }


def _told(path: Path, data: Dataset) -> tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.str_]]:
    """Give the summands of the predicted class, shape (images, units), what was predicted, what it shows."""
    network = load_network(path)
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("features"))
    stored = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    weight = next(w for name, w in stored.items() if name.startswith("scores.weight")).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    classes = np.array(json.loads(session.get_modelmeta().custom_metadata_map["classes"]))
    prepare = Preparer(choose_preprocessing(network), network.input, data.image_size)
    x = np.empty((1, *prepare.shape), prepare.dtype)
    scene_names = {c.index: c.name for c in data.vocabulary.concepts if c.name in set(classes)}
    summands, told, scenes = [], [], []
    for image in range(len(data)):
        prepare(data.read_image(image), x[0])
        logits, features = session.run(["scores", "features"], {network.input.name: x})
        best = int(logits[0].argmax())
        summands.append(weight[best] * features[0])
        told.append(classes[best])
        shown = [scene_names[i] for i in data.read_annotation(image).image_labels if i in scene_names]
        # some images show a texture or material alone, and no scene
        scenes.append(shown[0] if shown else "")
    return np.stack(summands), np.array(told), np.array(scenes)


def _masks(run: Dissection, images: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which detectors fired in which image, and which met their label there: shape (images, units)."""
    detected = np.array([unit.detector for unit in run.units(LAST)])
    fired, held = np.zeros((2, images, len(detected)), np.bool_)
    for part in run.per_image_parts(LAST) or ():
        counts = part.per_image
        for place, unit in enumerate(range(part.units.start, part.units.stop)):
            rows = slice(counts.starts[place], counts.starts[place + 1])
            if detected[unit]:
                fired[counts.image[rows], unit] = counts.activation[rows] > 0
                # the first of the top concepts is the label
                held[counts.image[rows], unit] = counts.intersection[rows, 0] > 0
    return fired, held


def _resamples(run: Dissection) -> Resamples:
    truth, asked = run.truth_counts(), run.resampling()
    if truth is None:
        raise ValueError(f"{run.path} was made without a bootstrap")
    category_of = primary_categories(run.concepts, run.categories)
    return Resamples(truth, category_of, asked.resamples, asked.seed, whole=True)


Experiment = Callable[[Path, Path], Mapping[str, NDArray[Any]]]
EXPERIMENTS: Mapping[str, tuple[Experiment, Schema, bool]] = {
    "thresholds": (thresholds, _THRESHOLDS, False),
    "rotations": (rotations, _ROTATIONS, True),
    "predictions": (predictions, _PREDICTIONS, False),
}
"""By the name of their file: the function, what it gives, and whether untrained networks are asked too."""


def asked_networks() -> Iterator[tuple[str, Training, str]]:
    """Name every experiment and the networks that it asks, with the training they are of."""
    for seed in SEEDS:
        training = Training(recipe_of("base"), seed)
        for experiment, (_, _, untrained) in EXPERIMENTS.items():
            yield experiment, training, training.name()
            if untrained:
                yield experiment, training, training.name(0)


def read_experiment(tables: Path, network: str, experiment: str) -> dict[str, NDArray[Any]]:
    """Read what an experiment found.

    Parameters
    ----------
    tables : Path
        Holds a folder for each network.
    network, experiment : str

    Returns
    -------
    dict of str to ndarray
        As the experiment gives it, and ``network``, the hash of the file that was asked.
    """
    return dict(read_archive(tables / network / f"{experiment}.npz", EXPERIMENTS[experiment][1]))


def run_experiments(out: Path, work: Path) -> Iterator[str]:
    """Carry out what was not asked yet of the networks that are there.

    Parameters
    ----------
    out : Path
        Holds ``networks/`` and ``tables/``.
    work : Path
        Holds networks that are not shipped, and gets the runs.

    Yields
    ------
    str
        What was done, in a line.
    """
    for experiment, training, name in asked_networks():
        file = (out if shipped(training, name) else work) / "networks" / f"{name}.onnx"
        card = out / "tables" / name / CARD
        target = card.with_name(f"{experiment}.npz")
        if not card.exists():
            continue
        digest = json.loads(card.read_text(encoding="utf-8"))["sha256"]
        if target.exists() and read_experiment(out / "tables", name, experiment)["network"][0] == digest:
            continue
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            yield f"{experiment} of {name}: {file} is not there as it was dissected; train it again"
            continue
        ask, schema, _ = EXPERIMENTS[experiment]
        write_archive(target, schema, {"network": np.array([digest]), **ask(file, work)})
        yield f"{experiment} of {name}: asked"


def main() -> None:
    """Ask the networks that are there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=cache_folder() / "findings", help="of train.py")
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    missing = False
    for line in run_experiments(options.out.absolute(), options.work.absolute()):
        print(line, flush=True)
        missing = missing or line.endswith("train it again")
    sys.exit(missing)


if __name__ == "__main__":
    main()
