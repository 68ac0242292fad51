"""Uncertainty in whole runs: what is written, read back, rescored and refused."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from support.former_runs import without_statistics
from support.resampled import walk_all
from support.small_runs import Convolution, broden, contents, dissect, network

import onnxdissect
from onnxdissect.errors import ParameterError, RunFormatError, RunMismatchError
from onnxdissect.results import rescore
from onnxdissect.results.label_units import primary_categories
from onnxdissect.statistics.resamples import Resamples

# What versions added to the tables, the latest last.
ADDED = (
    ("p_value", "q_value", "detectors_fdr", "unique_low", "unique_high"),
    ("reliable", "reliable_detectors", "unique_reliable", "rare_labels"),
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 30, seed=2)
    return tmp_path


def test_evidence_adds_up_to_the_counts_of_the_run(world: Path) -> None:
    run = dissect(world, quantiles=[0.1, 0.02])
    per_image, truth, counts = run.per_image("relu0"), run.truth_counts(), run.counts("relu0")
    assert per_image is not None and truth is not None
    np.testing.assert_array_equal(
        np.bincount(truth.concept, truth.pixels, minlength=len(run.concepts)), counts.truth
    )
    for q in range(2):
        for k in range(5):
            span = slice(*per_image.starts[[q * 5 + k, q * 5 + k + 1]])
            assert per_image.activation[span].sum() == counts.activation_total[q, k]
            known = per_image.top_concepts[q, k][per_image.top_concepts[q, k] >= 0]
            np.testing.assert_array_equal(
                per_image.intersection[span].sum(axis=0)[: known.size], counts.intersection[q, k, known]
            )
            inside = truth.categories[per_image.image[span]]
            np.testing.assert_array_equal(per_image.activation[span] @ inside, counts.activation[q, k])


@pytest.mark.parametrize("scoring", ["paper", "lite", "pnas"])
def test_columns_are_those_of_the_resamples(world: Path, scoring: str) -> None:
    dissect(world, bootstrap=200, seed=3)
    run = rescore(world / "run", scoring=scoring, iou_threshold=0.06)
    per_image, truth = run.per_image("relu0"), run.truth_counts()
    assert per_image is not None and truth is not None
    labels = run.scores("relu0").concept
    category_of = primary_categories(run.concepts, run.categories)
    drawn = walk_all(Resamples(truth, category_of, 200, 3), per_image, labels, scoring)
    for unit in run.units():
        iou, winner = drawn.iou[0, unit.unit], drawn.winner[0, unit.unit]
        if math.isnan(iou[0]):
            assert unit.iou_low is unit.iou_high is unit.stability is None
            continue
        assert unit.iou_low is not None and unit.iou_high is not None
        assert unit.iou_low == pytest.approx(np.quantile(iou, 0.025), rel=1e-12)
        assert unit.iou_high == pytest.approx(np.quantile(iou, 0.975), rel=1e-12)
        assert unit.stability == (winner == labels[0, unit.unit]).mean()
        assert unit.iou_low <= unit.iou_high
    (summary,) = run.summary()
    counts = np.sort(
        [
            len({w for w, best in zip(winners, scores, strict=True) if best > 0.06})
            for winners, scores in zip(drawn.winner[0].T, drawn.best[0].T, strict=True)
        ]
    )
    # Of 200: the 5th and the 195th from either side, next to 0.025 * 199, and the 100th.
    assert summary.unique_low is not None and summary.unique_high is not None
    below, above = counts[99] - counts[4], counts[195] - counts[99]
    assert summary.unique_low == max(0, summary.unique_detectors - below)
    assert summary.unique_high == min(summary.units, summary.unique_detectors + above)
    assert summary.unique_low <= summary.unique_detectors <= summary.unique_high


def test_a_rescored_run_can_be_scored_back(world: Path) -> None:
    run = dissect(world, iou_threshold=0.02)
    before = contents(run.path)
    p_values = [unit.p_value for unit in run.units()]
    assert None not in p_values
    other = rescore(run.path, scoring="pnas", iou_threshold=0.5)
    assert [unit.p_value for unit in other.units()] == p_values
    assert other.summary()[0].detectors_fdr == 0
    rescore(run.path, scoring="paper", iou_threshold=0.02)
    assert contents(run.path) == before


def test_detectors_that_survive_are_counted(world: Path) -> None:
    run = dissect(world, iou_threshold=0.0, null=20)
    (summary,) = run.summary()
    q_values = [unit.q_value for unit in run.units()]
    survive = [
        unit for unit in run.units() if unit.detector and unit.q_value is not None and unit.q_value <= 0.05
    ]
    assert summary.detectors_fdr == len(survive) <= summary.detectors
    for unit, q in zip(run.units(), q_values, strict=True):
        assert unit.p_value is not None and q is not None and 0 < unit.p_value <= q <= 1


def test_without_uncertainty_nothing_is_kept(world: Path) -> None:
    run = dissect(world, bootstrap=0, null=0)
    assert run.per_image("relu0") is None and run.truth_counts() is None
    assert not [
        name for name in contents(run.path) if name.endswith(("evidence.npz", "truth.npz", "null.npz"))
    ]
    for unit in run.units():
        assert {unit.iou_low, unit.iou_high, unit.stability, unit.p_value, unit.q_value} == {None}
    (summary,) = run.summary()
    assert {summary.detectors_fdr, summary.unique_low, summary.unique_high} == {None}
    alone = dissect(world, bootstrap=0, out=world / "null")
    assert alone.per_image("relu0") is None
    assert alone.units()[0].p_value is not None and alone.units()[0].iou_low is None
    whole = dissect(world, out=world / "whole")
    np.testing.assert_array_equal(run.iou("relu0"), whole.iou("relu0"))


# the first version had no bootstrap
@pytest.mark.parametrize(("version", "bootstrap"), [(0, 0), (1, 0), (1, 100)])
def test_runs_of_before_are_read(world: Path, version: int, bootstrap: int) -> None:
    later = [name for names in ADDED[version:] for name in names]
    run = dissect(world, bootstrap=bootstrap, null=0)
    for name in ("units.csv", "layers.csv"):
        with (run.path / name).open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file))
        kept = [i for i, column in enumerate(header) if column not in later]
        assert len(kept) < len(header)
        with (run.path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([row[i] for i in kept] for row in (header, *rows))
    old = onnxdissect.load(without_statistics(run.path))
    # What is not in the tables follows from what is.
    assert old.units() == run.units() and old.summary() == run.summary()
    assert (old.summary()[0].reliable_detectors is None) == (bootstrap == 0)


def test_seed_and_counts_are_part_of_the_run(world: Path) -> None:
    first = dissect(world)
    for changed in ({"seed": 1}, {"bootstrap": 100}, {"null": 5}):
        with pytest.raises(RunMismatchError, match=rf"parameters\.{next(iter(changed))}"):
            dissect(world, **changed)
    other = dissect(world, seed=1, out=world / "other")
    assert [unit.iou for unit in other.units()] == [unit.iou for unit in first.units()]
    assert [unit.iou_low for unit in other.units()] != [unit.iou_low for unit in first.units()]


@pytest.mark.parametrize(
    "wrong", [{"bootstrap": -1}, {"null": 1}, {"null": -2}, {"seed": -1}, {"seed": 2**63}]
)
def test_impossible_requests_are_refused(world: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError) as caught:
        dissect(world, **wrong)
    assert caught.value.hint
    assert not (world / "run").exists()


@pytest.mark.parametrize("name", ["truth.npz", "layers/relu0/evidence.npz", "layers/relu0/null.npz"])
def test_damaged_evidence_is_named(world: Path, name: str) -> None:
    run = dissect(world)
    (run.path / name).write_bytes((run.path / name).read_bytes()[:-40])
    with pytest.raises(RunFormatError, match=Path(name).name):
        rescore(run.path, iou_threshold=0.1)


@pytest.mark.parametrize("name", ["truth.npz", "layers/relu0/evidence.npz", "layers/relu0/null.npz"])
def test_missing_evidence_is_named(world: Path, name: str) -> None:
    """A run whose manifest says that it was made is not read as one that was made without."""
    run = dissect(world)
    path = run.path / name
    parameter = "null" if path.name == "null.npz" else "bootstrap"
    for what, found in (("nothing", "is missing"), ("link", "is a link"), ("folder", "is no file")):
        path.unlink(missing_ok=True)
        if what == "link":
            path.symlink_to("nowhere.npz")
        elif what == "folder":
            path.mkdir()
        with pytest.raises(RunFormatError, match=rf"{path.name} {found}.*parameters\.{parameter}") as caught:
            onnxdissect.load(run.path)
        assert caught.value.hint == "dissect again with --fresh"
