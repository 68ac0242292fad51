"""What becomes of labels from one quantile to the next: the threshold sweep of a run made at several.

`threshold_sweep` gives it, ``records`` says what it holds, ``generic`` which labels say little; ``tables``
are its files in a run directory.
"""

from __future__ import annotations

from onnxdissect.results.sweep.records import (
    GenericConcept,
    LayerSweep,
    QuantileCounts,
    ThresholdSweep,
    UnitLabels,
)
from onnxdissect.results.sweep.threshold_sweep import threshold_sweep

__all__ = [
    "GenericConcept",
    "LayerSweep",
    "QuantileCounts",
    "ThresholdSweep",
    "UnitLabels",
    "threshold_sweep",
]
