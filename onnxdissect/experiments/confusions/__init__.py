"""Right and wrong predictions of labelled images, and the detectors that made the wrong ones.

``explain_labelled`` is the call, ``result`` what it gives, of ``records``; ``image_pass`` runs the images,
``confused_units`` and ``held_shares`` compare with base rates and units at random; ``formats`` keeps it.
"""

from __future__ import annotations

from onnxdissect.experiments.confusions.formats.stored import (
    expect_predictions_folder,
    predictions_json,
    write_predictions,
)
from onnxdissect.experiments.confusions.records import (
    ClassAccuracy,
    ConfusedUnit,
    Confusion,
    Estimate,
    HeldShare,
    HeldShares,
    ImageUnit,
    PredictedImage,
    PredictionArrays,
)
from onnxdissect.experiments.confusions.result import Example, LabelledExplanations

__all__ = [
    "ClassAccuracy",
    "ConfusedUnit",
    "Confusion",
    "Estimate",
    "Example",
    "HeldShare",
    "HeldShares",
    "ImageUnit",
    "LabelledExplanations",
    "PredictedImage",
    "PredictionArrays",
    "expect_predictions_folder",
    "predictions_json",
    "write_predictions",
]
