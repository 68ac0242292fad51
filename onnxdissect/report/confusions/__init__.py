"""The page of right and wrong predictions: classes, confusions, held concepts, and images side by side.

``views`` says in words what was found, ``data_files`` is what the script reads, ``page`` writes it all.
"""

from __future__ import annotations

from onnxdissect.report.confusions.page import build_confusions

__all__ = ["build_confusions"]
