"""Rotations of a layer's space: how many unique detectors are left along them (CVPR 2017, section 4.2).

``records`` and ``result`` are what is found, ``formats`` keeps it in the run directory; ``measure``
makes it of a finished run, ``renew`` again once that was rescored, ``verify`` turns a layer and back.
"""

from __future__ import annotations

from onnxdissect.experiments.rotation.formats.stored import (
    load_rotation,
    read_rotation,
    rotation_files,
    write_rotation,
)
from onnxdissect.experiments.rotation.records import (
    CurveValue,
    Fall,
    FollowedConcept,
    OutputDeviation,
    RotatedLayer,
    RotationCurve,
    RotationPoint,
    Spread,
    Verification,
)
from onnxdissect.experiments.rotation.renew import renew_rotation
from onnxdissect.experiments.rotation.result import RotationResult

__all__ = [
    "CurveValue",
    "Fall",
    "FollowedConcept",
    "OutputDeviation",
    "RotatedLayer",
    "RotationCurve",
    "RotationPoint",
    "RotationResult",
    "Spread",
    "Verification",
    "load_rotation",
    "read_rotation",
    "renew_rotation",
    "rotation_files",
    "write_rotation",
]
