"""Figures of an explanation: ``panels`` draws its units, ``segments`` the image painted by their concepts.

``marks`` holds the colours and numbers that tell concepts apart, which the page of explanations shows too.
"""

from __future__ import annotations

from onnxdissect.report.figures.explanation.panels import (
    FORMATS,
    draw_explanation,
    draw_explanations,
    explanation_figure,
    figure_name,
    figure_names,
)

__all__ = [
    "FORMATS",
    "draw_explanation",
    "draw_explanations",
    "explanation_figure",
    "figure_name",
    "figure_names",
]
