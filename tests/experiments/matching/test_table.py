"""Matched units as rows, and in words."""

from __future__ import annotations

from dataclasses import replace

from onnxdissect.experiments.comparison.records import MatchedUnits, UnitMatching
from onnxdissect.experiments.matching import MATCHING_COLUMNS, matching_rows, matching_sentence

MATCHING = UnitMatching(
    first="a",
    second="b",
    by="masks",
    units=(
        MatchedUnits(0, 2, 0.75, "sky", "sky"),
        MatchedUnits(1, 0, 0.5, "sky", "sea, blue"),
        MatchedUnits(2, 1, -0.125, "", "tree"),
    ),
    score=0.375,
    random_mean=0.0125,
    random_low=-0.06,
    random_high=0.0725,
    chance_mean=0.15,
    chance_low=0.1,
    chance_high=0.2,
    same_number=0.0,
    same_label=0.5,
    same_label_random=0.25,
)


def test_rows_are_pairs_in_the_order_of_the_columns() -> None:
    rows = list(matching_rows([MATCHING, replace(MATCHING, second="c", by="profiles", units=())]))
    assert rows == [
        ["a", "b", "masks", 0, 2, 0.75, "sky", "sky"],
        ["a", "b", "masks", 1, 0, 0.5, "sky", "sea, blue"],
        ["a", "b", "masks", 2, 1, -0.125, "", "tree"],
    ]
    assert dict(zip(MATCHING_COLUMNS, rows[1], strict=True)) == {
        "first": "a",
        "second": "b",
        "by": "masks",
        "unit_first": 1,
        "unit_second": 0,
        "score": 0.5,
        "label_first": "sky",
        "label_second": "sea, blue",
    }


def test_a_sentence_has_the_score_and_what_chance_gives() -> None:
    assert matching_sentence(MATCHING) == (
        "3 pairs of units with a mean correlation of masks of 0.38; pairs at random have 0.01 (-0.06 to "
        "0.07), the best pairs after the images of one side were shuffled 0.15 (0.10 to 0.20); 0 % bear "
        "the same number; of 2 pairs of detectors 50 % have the same label, at random 25 %"
    )
    single = replace(
        MATCHING,
        by="profiles",
        units=MATCHING.units[2:],
        score=1.0,
        same_number=1.0,
        same_label=None,
        same_label_random=None,
    )
    assert matching_sentence(single) == (
        "1 pair of units with a mean cosine of IoUs of 1.00; pairs at random have 0.01 (-0.06 to "
        "0.07), the best pairs after the concepts of one side were shuffled 0.15 (0.10 to 0.20); 100 % bear "
        "the same number; in no pair both units are detectors"
    )
