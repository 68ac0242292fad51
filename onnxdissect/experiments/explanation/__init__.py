"""Which labelled units made a prediction, and where they fired (question 4 of the paper), without gradients.

``explain`` is the call, ``records`` what it gives; ``linear`` and ``ablation`` say what a unit contributed,
through the tail of the network alone; ``target``, ``picture`` and ``run_layer`` say to what, of which, where.
"""

from __future__ import annotations

from onnxdissect.experiments.explanation.formats.stored import (
    expect_explanation_folder,
    explanation_json,
    write_explanations,
)
from onnxdissect.experiments.explanation.records import ConceptShare, Explanation, UnitContribution

__all__ = [
    "ConceptShare",
    "Explanation",
    "UnitContribution",
    "expect_explanation_folder",
    "explanation_json",
    "write_explanations",
]
