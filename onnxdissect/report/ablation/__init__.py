"""The page of an ablation: what classes lose when units are removed, and which units they need.

``page`` writes it; ``views`` gives its words, ``chart`` its drawings, ``data_files`` what its script reads.
"""

from __future__ import annotations

from onnxdissect.report.ablation.page import build_ablation

__all__ = ["build_ablation"]
