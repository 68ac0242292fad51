"""Figures of a comparison as SVG, PDF and PNG files, as wide as a paper's column.

``draw`` writes those that say something of a result: ``bars`` of groups, ``series`` along what is ordered,
``depth`` through networks, ``heat`` of concepts and layers; ``marks`` is what they share.
"""

from __future__ import annotations

from onnxdissect.report.figures.comparison.draw import FIGURE_NAMES, comparison_figures, draw_comparison

__all__ = ["FIGURE_NAMES", "comparison_figures", "draw_comparison"]
