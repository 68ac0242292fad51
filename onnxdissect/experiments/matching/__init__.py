"""Units of two runs, one to one: which unit of a network does what a unit of another does.

``match_units`` makes an `onnxdissect.experiments.comparison.records.UnitMatching` of two layers of finished
runs, by their masks or by their IoUs; ``matching_rows`` and ``matching_sentence`` tell it.
"""

from __future__ import annotations

from onnxdissect.experiments.matching.match import MATCHED_BY, match_units
from onnxdissect.experiments.matching.table import MATCHING_COLUMNS, matching_rows, matching_sentence

__all__ = ["MATCHED_BY", "MATCHING_COLUMNS", "match_units", "matching_rows", "matching_sentence"]
