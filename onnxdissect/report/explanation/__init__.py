"""The page of explanations: what made each prediction, with pictures, certainty and sums by concept.

``views`` says in words what was found, ``pictures`` writes photographs, masks and heat maps, ``page`` puts it
together; ``links`` leads from the unit cards of a run's report to the predictions that a unit is told of in.
`ExplanationPage`, `build_explanations` and `explanation_links` are what callers need.
"""

from __future__ import annotations

from onnxdissect.report.explanation.links import UnitLinks, explanation_links
from onnxdissect.report.explanation.page import ExplanationPage, build_explanations

__all__ = ["ExplanationPage", "UnitLinks", "build_explanations", "explanation_links"]
