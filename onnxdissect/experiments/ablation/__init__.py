"""What a network can no longer tell when units are removed (PNAS 2020), by the tail of a split network.

``ablate`` is the call, ``records`` what it gives. ``cases`` chooses images, ``variants`` and ``groups`` say
which units are removed, ``predicting`` predicts without them; ``accuracy``, ``importance`` and ``summary``
say what follows, and ``result`` brings all together.
"""

from __future__ import annotations

from onnxdissect.experiments.ablation.formats.stored import (
    ablation_files,
    ablation_json,
    load_ablation,
    write_ablation,
)
from onnxdissect.experiments.ablation.records import (
    KINDS,
    AblatedClass,
    AblationArrays,
    AblationResult,
    Accuracy,
    ClassDrop,
    Difference,
    GroupRemoval,
    Removal,
    UnitNeed,
)

__all__ = [
    "KINDS",
    "AblatedClass",
    "AblationArrays",
    "AblationResult",
    "Accuracy",
    "ClassDrop",
    "Difference",
    "GroupRemoval",
    "Removal",
    "UnitNeed",
    "ablation_files",
    "ablation_json",
    "load_ablation",
    "write_ablation",
]
