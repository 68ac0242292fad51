"""The page of a comparison: layers and groups side by side, concepts, pairs, matched units with pictures.

``views`` says in words what was found, ``chart`` lays bars and lines out, ``pictures`` gathers top images,
``data_files`` is what the script reads, ``page`` writes it all; `show_comparison` also draws the figures.
"""

from __future__ import annotations

from onnxdissect.report.comparison.page import build_comparison, show_comparison

__all__ = ["build_comparison", "show_comparison"]
