"""What the shipped network goes by is in the image, where its units say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import onnxdissect
from onnxdissect.data import Annotation, open_data
from onnxdissect.experiments.explanation import Explanation, UnitContribution
from onnxdissect.experiments.explanation.linear import ALLOWED_ERROR
from onnxdissect.tiny import make_tiny

MODEL = Path(__file__).parents[3] / "models" / "tiny_scenes.onnx"
LABELLED, IMAGES, TOLD = 96, 136, 6


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    make_tiny(folder / "data", images=IMAGES, seed=7, workers=1)
    options = {"layers": ["last"], "limit": LABELLED, "bootstrap": 0, "null": 0, "out": folder / "run"}
    onnxdissect.dissect(MODEL, folder / "data", **options)  # type: ignore[arg-type]
    return folder


def shows(explanation: Explanation, unit: UnitContribution, annotation: Annotation, concept: int) -> bool:
    """Whether the unit's mask, at the image's size, meets its label in the image."""
    mask = explanation.mask(unit.unit)
    if concept in annotation.image_labels:
        return bool(mask.any())
    labelled = (annotation.planes == concept + 1).any(axis=0).astype(np.uint8)
    height, width = mask.shape
    return bool((mask & (cv2.resize(labelled, (width, height), interpolation=cv2.INTER_NEAREST) > 0)).any())


def test_right_predictions_rest_on_what_the_image_shows(drawn: Path) -> None:
    """On images that the units were not labelled by: top units against random ones of the same layer."""
    dataset = open_data(drawn / "data")
    names = [concept.name for concept in dataset.vocabulary.concepts]
    scenes = [i for i in range(LABELLED, IMAGES) if dataset.image_name(i).startswith("scenes/")]
    found = onnxdissect.explain(MODEL, [dataset.read_image(i) for i in scenes], drawn / "run", top=128)
    rng = np.random.default_rng(0)
    top: list[bool] = []
    random: list[bool] = []
    for one, image in zip(found, scenes, strict=True):
        assert one.attribution == "linear" and one.error is not None and one.error < ALLOWED_ERROR
        annotation = dataset.read_annotation(image)
        if names.index(one.predicted_name) not in annotation.image_labels:
            continue
        detectors = [unit for unit in one.units if unit.detector]
        strongest = [unit for unit in detectors if unit.contribution > 0][:TOLD]
        drawn_units = [detectors[k] for k in rng.choice(len(detectors), TOLD, replace=False)]
        for units, shown in ((strongest, top), (drawn_units, random)):
            shown += [shows(one, unit, annotation, names.index(unit.label)) for unit in units]
    assert len(top) >= 100
    assert np.mean(top) > np.mean(random) + 0.15
