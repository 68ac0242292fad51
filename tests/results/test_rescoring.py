"""Scores of a run made anew: by their definition, and in NetDissect's own format."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import scoring as naive
from support.fake_counts import CATEGORIES, LAYER, FakeRun, contents, fake_run

from onnxdissect.errors import ParameterError
from onnxdissect.results import Dissection, load, rescore, write_rescored


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scoring=st.sampled_from(["paper", "lite", "pnas"]),
    threshold=st.sampled_from([0.0, 0.04, 0.1, 0.3, 0.9]),
)
def test_rescoring_is_the_definition(
    tmp_path_factory: pytest.TempPathFactory, seed: int, scoring: str, threshold: float
) -> None:
    run = fake_run(seed=seed, units=(6,), images=5, quantiles=(0.005, 0.02))
    folder = tmp_path_factory.mktemp("run")
    run.save(folder)
    before = {name: content for name, content in contents(folder).items() if name.endswith(".npz")}
    write_rescored(load(folder).rescore(scoring, threshold))
    assert before == {name: content for name, content in contents(folder).items() if name.endswith(".npz")}
    rescored = load(folder)
    assert (rescored.scoring, rescored.iou_threshold) == (scoring, threshold)
    expect(rescored, run, scoring, threshold)


def expect(found: Dissection, run: FakeRun, scoring: str, threshold: float) -> None:
    of = [CATEGORIES.index(concept.category) for concept in run.concepts]
    counts = run.counts[0]
    activation = {
        "paper": counts.activation,
        "lite": counts.activation_overlap,
        "pnas": counts.activation_total,
    }[scoring]
    for q, quantile in enumerate(run.quantiles):
        iou = naive.all_iou(
            counts.intersection[q], activation[q], counts.truth, None if scoring == "pnas" else of
        )
        np.testing.assert_array_equal(found.iou("relu1")[q], iou, strict=True)
        expected = naive.verdict(iou, of, len(CATEGORIES), threshold)
        units = found.units("relu1", quantile)
        names = [("", "") if c is None else concept_names(run, c) for c in expected["labels"]]
        assert [(unit.label, unit.category) for unit in units] == names
        assert [unit.iou for unit in units] == expected["best"]
        assert [unit.detector for unit in units] == expected["detectors"]
        assert [unit.threshold for unit in units] == counts.thresholds[q].tolist()
        for unit, winners in zip(units, expected["in_category"], strict=True):
            assert list(unit.best.values()) == [
                ("" if c is None else run.concepts[c].name, value) for c, value in winners
            ]
        summary = found.summary()[q]
        assert (summary.layer, summary.quantile, summary.units) == (run.layers[0].name, quantile, 6)
        assert summary.detectors == sum(expected["detectors"])
        assert summary.unique_detectors == expected["unique"] == sum(summary.unique.values())
        assert summary.unique_any == expected["unique_any"]
        assert list(summary.unique.values()) == expected["unique_by_category"]


def concept_names(run: FakeRun, index: int) -> tuple[str, str]:
    return run.concepts[index].name, run.concepts[index].category


def test_rescoring_writes_nothing_until_told(copy: Path) -> None:
    before = contents(copy)
    run = load(copy)
    other = run.rescore("lite", 0.1)
    assert (other.scoring, other.manifest["parameters"]["iou_threshold"]) == ("lite", 0.1)
    assert (run.scoring, run.manifest["parameters"]["iou_threshold"]) == ("paper", 0.04)
    assert contents(copy) == before
    rescore(copy, scoring="lite", iou_threshold=0.1)
    assert contents(copy) != before
    rescore(copy, scoring="paper", iou_threshold=0.04)
    assert contents(copy) == before


@pytest.mark.parametrize("request_", [{"scoring": "mean"}, {"iou_threshold": 1.5}], ids=str)
def test_rescoring_refuses(copy: Path, request_: dict[str, Any]) -> None:
    before = contents(copy)
    with pytest.raises(ParameterError):
        rescore(copy, **request_)
    assert contents(copy) == before


@pytest.mark.parametrize("scoring", ["paper", "lite", "pnas"])
def test_netdissect_format(copy: Path, scoring: str) -> None:
    run = rescore(copy, scoring=scoring)
    assert sorted(path.name for path in (copy / "layers" / LAYER).glob("*.csv")) == [
        "netdissect-0.01.csv",
        "netdissect.csv",
    ]
    for quantile, name in ((0.005, "netdissect.csv"), (0.01, "netdissect-0.01.csv")):
        with (copy / "layers" / LAYER / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        per_category = [
            f"{category}-{what}"
            for category in CATEGORIES
            for what in ("label", "truth", "activation", "intersect", "iou")
        ]
        assert list(rows[0]) == ["unit", "category", "label", "score", *per_category]
        units = run.units("relu1", quantile)
        assert sorted(int(row["unit"]) for row in rows) == list(range(1, 9))
        scores = [float(row["score"]) for row in rows]
        assert scores == sorted(scores, reverse=True)
        truth = {concept.name: concept.truth for concept in run.concepts}
        for row in rows:
            unit = units[int(row["unit"]) - 1]
            assert (row["label"], row["category"], float(row["score"])) == (
                unit.label,
                unit.category,
                unit.iou,
            )
            for category, (label, value) in unit.best.items():
                assert (row[f"{category}-label"], float(row[f"{category}-iou"])) == (label, value)
                counts = [int(row[f"{category}-{what}"]) for what in ("truth", "activation", "intersect")]
                assert counts[0] == (truth[label] if label else 0)
                assert naive.iou(counts[2], counts[1], counts[0]) == value
