"""Which labelled units made a prediction, and where they fired (question 4 of the paper), without gradients.

``explain`` is the call, ``request`` what is asked for, ``records`` what it gives. ``linear``, ``ablation``
and ``shapley`` say what a unit contributed to a score of the network, through its tail alone, ``scored``
brings them together; ``fitted`` explains a classifier of its own. ``reference`` holds what units are like on
other images, ``entries`` makes of contributions what is told of an image,
``segments`` paints it by the concepts of its units.
"""

from __future__ import annotations

from onnxdissect.experiments.explanation.formats.loading import load_explanations
from onnxdissect.experiments.explanation.formats.stored import (
    expect_explanation_folder,
    explanation_json,
    explanation_record,
    explanations_json,
    write_explanations,
    write_records,
)
from onnxdissect.experiments.explanation.records import (
    ConceptShare,
    Explanation,
    Fit,
    ShapleyOrders,
    UnitContribution,
)
from onnxdissect.experiments.explanation.segments import Segmentation, SegmentedConcept, segment_by_units

__all__ = [
    "ConceptShare",
    "Explanation",
    "Fit",
    "Segmentation",
    "SegmentedConcept",
    "ShapleyOrders",
    "UnitContribution",
    "expect_explanation_folder",
    "explanation_json",
    "explanation_record",
    "explanations_json",
    "load_explanations",
    "segment_by_units",
    "write_explanations",
    "write_records",
]
