"""Right and wrong predictions of labelled images, and the detectors that made the wrong ones.

``explain_labelled`` is the call, ``records`` what it gives; ``image_pass`` runs the images, ``confused_units``
and ``held_shares`` compare with base rates and with units at random; ``formats`` keeps it in a folder.
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
    Example,
    HeldShare,
    HeldShares,
    ImageUnit,
    LabelledExplanations,
    PredictedImage,
    PredictionArrays,
)

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
