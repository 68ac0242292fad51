"""Which units made a prediction, and whether they fired where their labels are, image by image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

import onnxdissect
from onnxdissect.data import Dataset, open_data
from onnxdissect.model.network import load_network
from onnxdissect.model.preprocessing.choice import choose_preprocessing
from onnxdissect.model.preprocessing.preparer import Preparer
from onnxdissect.results import Dissection
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["FIRED", "HELD", "LAST", "NAMED", "PREDICTIONS", "STRONGEST", "predictions"]

LAST = "relu5"
"""The layer that is asked, the last of `base`."""

STRONGEST = 6
"""Units that an explanation names, as in the paper's figure."""

FIRED, HELD, NAMED = 1, 2, 4
"""What a unit does in an image, added up: it has a mask, the mask meets the unit's label, it explains."""

# N images, U detectors
PREDICTIONS = Schema(
    {
        "shown": ArraySpec("bool", "N"),
        "right": ArraySpec("bool", "N"),
        "units": ArraySpec("int16", "U"),
        "masks": ArraySpec("uint8", "NU"),
    },
)


def predictions(network: Path, work: Path, limit: int | None = None) -> Mapping[str, NDArray[Any]]:
    """Ask of every image whether the units that made its prediction fired where their labels are.

    The score of a class is a sum over the units of weight times strongest activation, up to the bias. Of the
    detectors that fired, those with the largest summands explain the predicted class, at most `STRONGEST`
    and only such as speak for it.

    Parameters
    ----------
    network : Path
        A finished network of `base`.
    work : Path
        Gets the run.
    limit : int, optional
        Only the first so many images.

    Returns
    -------
    mapping of str to ndarray
        Of every image, ``shown``, whether it shows a scene, and ``right``, whether the scene was told right;
        ``units``, the detectors; ``masks``, of shape (images, detectors), `FIRED`, `HELD` and `NAMED` added
        up.
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
        limit=limit,
        out=work / "runs" / f"{network.stem}-predictions",
        fresh=True,
    )
    images = len(run.images)
    summands, told, scenes = _told(network, data, images)
    units = np.flatnonzero([unit.detector for unit in run.units(LAST)])
    fired, held = (masks[:, units] for masks in _masks(run, images))
    return {
        "shown": scenes != "",
        "right": told == scenes,
        "units": units.astype(np.int16),
        "masks": (FIRED * fired + HELD * held + NAMED * _named(summands[:, units], fired)).astype(np.uint8),
    }


def _named(summands: NDArray[np.float32], fired: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which units explain, shape (images, units); the lower number on a tie."""
    speaking = np.where(fired & (summands > 0), summands, -np.inf)
    first = np.argsort(-speaking, axis=1, kind="stable")[:, :STRONGEST]
    named = np.zeros(fired.shape, np.bool_)
    np.put_along_axis(named, first, values=True, axis=1)
    return named & (speaking > 0)


def _told(
    path: Path, data: Dataset, images: int
) -> tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.str_]]:
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
    for image in range(images):
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
    """Tell which unit fired in which image, and which met its label there: shape (images, units)."""
    fired, held = np.zeros((2, images, len(run.units(LAST))), np.bool_)
    for part in run.per_image_parts(LAST) or ():
        counts = part.per_image
        for place, unit in enumerate(range(part.units.start, part.units.stop)):
            rows = slice(counts.starts[place], counts.starts[place + 1])
            fired[counts.image[rows], unit] = counts.activation[rows] > 0
            # the first of the top concepts is the label
            held[counts.image[rows], unit] = counts.intersection[rows, 0] > 0
    return fired, held
