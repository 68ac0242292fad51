"""Runs side by side: layers, networks, checkpoints, quantiles, bases (arXiv 1711.05611, sections 4.3 to 4.6).

``records`` and ``result`` are what is found, ``formats`` keeps it in a folder; ``compare`` is the call:
``selection`` opens runs, ``grouping`` and ``pairing`` say what is held against what, the others count.
"""

from __future__ import annotations

from onnxdissect.experiments.comparison.formats.folder import (
    comparison_files,
    expect_outside,
    expect_replaceable,
)
from onnxdissect.experiments.comparison.formats.stored import load_comparison, write_comparison
from onnxdissect.experiments.comparison.records import (
    BestUnit,
    ComparedConcept,
    ComparedGroup,
    ComparedLayer,
    ComparedPair,
    ConceptChange,
    Difference,
    Estimate,
    GroupSpread,
    LabelOverlap,
    MatchedUnits,
    UnitMatching,
)
from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = [
    "BestUnit",
    "ComparedConcept",
    "ComparedGroup",
    "ComparedLayer",
    "ComparedPair",
    "ComparisonResult",
    "ConceptChange",
    "Difference",
    "Estimate",
    "GroupSpread",
    "LabelOverlap",
    "MatchedUnits",
    "UnitMatching",
    "comparison_files",
    "expect_outside",
    "expect_replaceable",
    "load_comparison",
    "write_comparison",
]
