"""Rotations of whole runs: what comes out, what is kept, and what is done once only."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from naive import rotation as naive
from support.resampled import first_concepts, walk_all
from support.rotations import ALPHAS, SEEDS, Phases, rotate_and_die, rotated, small_world
from support.small_runs import contents

import onnxdissect
from onnxdissect.errors import LayerNotFoundError, ParameterError, RunMismatchError
from onnxdissect.experiments.rotation import RotationResult
from onnxdissect.experiments.rotation.entries import find_entries
from onnxdissect.experiments.rotation.measure import measure_rotations
from onnxdissect.experiments.rotation.permutation import permutation_differences
from onnxdissect.results.label_units import primary_categories
from onnxdissect.results.records import LayerCounts
from onnxdissect.statistics.resamples import Resamples

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_world(tmp_path_factory.mktemp("world"))
    rotated(folder, layers=["relu0", "relu1"])
    return folder


@pytest.fixture(scope="module")
def found(world: Path) -> RotationResult:
    return onnxdissect.load_rotation(world / "run")


def test_every_layer_has_every_point_of_the_runs_own_tables(found: RotationResult) -> None:
    run = onnxdissect.load(found.path)
    assert (found.alphas, found.seeds, found.quantiles) == (ALPHAS, (0, 1), (0.1, 0.02))
    assert [(layer.name, layer.units) for layer in found.layers] == [("relu0", 6), ("relu1", 4)]
    assert found.resamples == 40
    told = {(summary.layer, summary.quantile): summary for summary in run.summary()}
    for layer in ("relu0", "relu1"):
        for quantile in found.quantiles:
            points = found.points_of(layer, quantile)
            assert [(p.kind, p.alpha, p.seed, p.entry) for p in points] == [
                ("own", 0.0, None, layer),
                ("rotation", 0.4, 0, f"{layer}/basis/rotation:seed=0,alpha=0.4"),
                ("rotation", 1.0, 0, f"{layer}/basis/rotation:seed=0,alpha=1"),
                ("rotation", 0.4, 1, f"{layer}/basis/rotation:seed=1,alpha=0.4"),
                ("rotation", 1.0, 1, f"{layer}/basis/rotation:seed=1,alpha=1"),
                ("permutation", None, 0, f"{layer}/basis/permutation:seed=0"),
                ("directions", None, 0, f"{layer}/basis/directions:seed=0"),
                ("directions", None, 1, f"{layer}/basis/directions:seed=1"),
            ]
            for point in points:
                summary = told[point.entry, quantile]
                # as many random directions as the layer has units, though layers differ
                assert point.units == run.layer(layer).units == summary.units
                assert point.detectors == summary.detectors
                assert point.unique_detectors == summary.unique_detectors == sum(point.unique.values())
                assert (point.unique_low, point.unique_high) == (summary.unique_low, summary.unique_high)
            assert found.curve(layer, quantile).own == points[0].unique_detectors
    assert any(point.unique_detectors > 1 for point in found.points)


def test_intervals_are_those_of_the_same_resamples_counted_by_hand(found: RotationResult) -> None:
    run = onnxdissect.load(found.path)
    truth = run.truth_counts()
    assert truth is not None
    category_of = primary_categories(run.concepts, run.categories)
    resamples = Resamples(truth, category_of, 40, 0)
    for layer, units in (("relu0", 6), ("relu1", 4)):
        counted: dict[str, list[list[list[int]]]] = {}
        for entry in {point.entry for point in found.points if point.layer == layer}:
            per_image = run.per_image(entry)
            assert per_image is not None
            drawn = walk_all(resamples, per_image, first_concepts(per_image))
            counted[entry] = [
                [
                    naive.unique(
                        list(zip(won.tolist(), best.tolist(), strict=True)),
                        run.iou_threshold,
                        category_of.tolist(),
                        len(run.categories),
                    )
                    for won, best in zip(winner.T, scores.T, strict=True)
                ]
                for winner, scores in zip(drawn.winner, drawn.best, strict=True)
            ]
        for q, quantile in enumerate(found.quantiles):
            curve = found.curve(layer, quantile)
            points = found.points_of(layer, quantile)
            for value in (*curve.values, curve.directions):
                kinds = ("own", "rotation") if value.alpha is not None else ("directions",)
                at = [p for p in points if p.kind in kinds and p.alpha == value.alpha]
                assert len(at) == (1 if value.alpha == 0 else SEEDS)
                for c, spread in enumerate((value.unique, *value.by_category.values())):
                    own = [[p.unique_detectors, *p.unique.values()][c] for p in at]
                    of_resamples = [[counted[p.entry][q][b][c] for p in at] for b in range(40)]
                    mean = Fraction(sum(own), len(own))
                    means = [Fraction(sum(counts), len(counts)) for counts in of_resamples]
                    low, high = naive.interval(mean, means, units)
                    assert (spread.low, spread.high) == (float(low), float(high))
            # of the layer itself it is the interval that the run has stored
            assert curve.values[0].unique.low == points[0].unique_low
            assert curve.values[0].unique.high == points[0].unique_high


def test_a_concept_is_followed_from_unit_to_unit(found: RotationResult) -> None:
    run = onnxdissect.load(found.path)
    followed = 0
    for curve in found.curves:
        q = found.quantiles.index(curve.quantile)
        concepts = {concept.name: c for c, concept in enumerate(run.concepts)}
        detected: set[str] = set()
        for concept in curve.concepts:
            followed += 1
            for s, seed in enumerate(found.seeds):
                for a, alpha in enumerate(found.alphas):
                    entry = curve.layer + (f"/basis/rotation:seed={seed},alpha={alpha:g}" if alpha else "")
                    scores = run.iou(entry)[q, :, concepts[concept.concept]]
                    unit, iou = concept.unit[s][a], concept.iou[s][a]
                    assert iou == scores.max()
                    assert unit == (np.flatnonzero(scores == iou)[0] if iou else -1)
                    labels = {u.label for u in run.units(entry, curve.quantile) if u.detector}
                    assert concept.detected[s][a] == (concept.concept in labels)
                    detected |= labels
        assert detected <= {concept.concept for concept in curve.concepts}
        assert all(any(map(any, concept.detected)) for concept in curve.concepts)
    assert followed > 4


def test_a_permutation_changes_nothing_and_what_it_changes_is_found(
    found: RotationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(curve.permutation_differences == () for curve in found.curves)
    run = onnxdissect.load(found.path)
    entries = find_entries(run)[0]
    order = onnxdissect.Basis.permutation(6, 0).nearest_units()[0]
    true_counts = type(run).counts
    concept = int(run.scores("relu0").concept[1, order[4]])
    assert concept >= 0

    def off_by_one(self: onnxdissect.Dissection, layer: str) -> LayerCounts:
        counts = true_counts(self, layer)
        if layer != "relu0/basis/permutation:seed=0":
            return counts
        changed = counts.intersection.copy()
        changed[1, 4, concept] -= 1
        return replace(counts, intersection=changed)

    monkeypatch.setattr(type(run), "counts", off_by_one)
    one, other = permutation_differences(run, entries)
    assert one == []
    assert (
        f"mask pixels that hold a concept of 1 of 6 units, of them first unit 4, the layer's unit {order[4]}"
        in other
    )
    assert any(said.startswith("IoUs of labels of 1 of 6 units") for said in other)
    told = measure_rotations(run)
    assert told.curve("relu0", 0.02).permutation_differences == tuple(other)


def test_the_same_call_again_runs_nothing_and_gives_the_same(world: Path, found: RotationResult) -> None:
    before = contents(world / "run")
    phases = Phases()
    said: list[str] = []
    again = rotated(world, layers=["relu0", "relu1"], progress=phases, notify=said.append)
    assert again == found
    assert not phases.begun
    assert contents(world / "run") == before
    with pytest.raises(RunMismatchError, match=r"parameters\.bases"):
        rotated(world, layers=["relu0", "relu1"], seeds=1)


def test_of_a_finished_run_only_what_is_missing_is_made(tmp_path: Path) -> None:
    small_world(tmp_path)
    first = rotated(tmp_path)
    document = tmp_path / "run" / "rotation" / "rotation.json"
    whole = document.read_bytes()
    for damage in (b"", whole[:-40], whole.replace(b'"mean": ', b'"mean": 1')):
        document.write_bytes(damage)
        phases, said = Phases(), list[str]()
        assert rotated(tmp_path, progress=phases, notify=said.append) == first
        assert phases.begun == ["rotations"]
        assert any("made again from the run" in line for line in said)
        assert document.read_bytes() == whole
    verified = rotated(tmp_path, verify=True)
    assert replace(verified, verification=()) == first
    assert [each.layer for each in verified.verification] == ["relu0"]
    # what was verified stays so
    assert rotated(tmp_path) == verified == onnxdissect.load_rotation(tmp_path / "run")
    # and is not there any more where a run has started over
    assert rotated(tmp_path, fresh=True) == first


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
@pytest.mark.parametrize("phase", ["pass", "rotations"])
def test_a_killed_call_goes_on_and_ends_with_the_same_bytes(phase: str, tmp_path: Path) -> None:
    small_world(tmp_path)
    whole = rotated(tmp_path, "whole")
    child = multiprocessing.get_context("spawn").Process(target=rotate_and_die, args=(tmp_path, phase))
    child.start()
    child.join(timeout=300)
    assert child.exitcode == -signal.SIGKILL
    assert not (tmp_path / "run" / "rotation").exists()
    phases, said = Phases(), list[str]()
    found = rotated(tmp_path, progress=phases, notify=said.append)
    assert ("pass" in phases.begun) == (phase == "pass")
    wanted = "going on with the interrupted run" if phase == "pass" else "already holds this run, complete"
    assert any(wanted in line for line in said)
    assert replace(found, path=whole.path) == whole
    assert contents(found.path) == contents(whole.path)


def test_a_run_without_a_bootstrap_has_curves_without_intervals(tmp_path: Path) -> None:
    small_world(tmp_path)
    said: list[str] = []
    found = rotated(tmp_path, bootstrap=0, seeds=4, alphas=[0.5], notify=said.append)
    assert found.alphas == (0.0, 0.5, 1.0)
    # so many bases are counted and not named
    assert any(line.startswith("layer relu0 under 13 bases: 78 units of ") for line in said)
    assert not any("rotation:seed" in line for line in said)
    assert found.resamples == 0
    assert {v.unique.low for curve in found.curves for v in curve.values} == {None}
    assert all(curve.fall is None or curve.fall.low is None for curve in found.curves)
    assert onnxdissect.load_rotation(found.path) == found


def test_of_nothing_nothing_is_lost(tmp_path: Path) -> None:
    small_world(tmp_path)
    found = rotated(tmp_path, iou_threshold=0.99)
    for curve in found.curves:
        assert curve.own == 0
        assert (curve.fall, curve.half_life, curve.concepts) == (None, None, ())
        assert curve.values[0].unique.high == 0
    assert onnxdissect.load_rotation(found.path) == found


def test_layers_and_quantiles_that_were_not_rotated_are_named(found: RotationResult) -> None:
    assert found.curve() == found.curve("relu1", 0.1)
    with pytest.raises(LayerNotFoundError, match="no rotations of a layer 'rely0'") as caught:
        found.curve("rely0")
    assert caught.value.candidates[0] == "relu0"
    with pytest.raises(ParameterError, match="was not made at quantile"):
        found.points_of("relu0", 0.5)


def test_a_table_has_a_row_for_every_count(found: RotationResult) -> None:
    table = found.to_pandas()
    categories = 1 + len(found.categories)
    points = table[table.record == "point"]
    assert len(points) == categories * len(found.points)
    curves = table[table.record == "curve"]
    assert len(curves) == categories * len(found.curves) * (len(ALPHAS) + 1)
    whole = curves[(curves.category == "") & (curves.layer == "relu1") & (curves["quantile"] == 0.02)]
    expected = found.curve("relu1", 0.02)
    assert whole.unique_detectors.tolist() == [
        value.unique.mean for value in (*expected.values, expected.directions)
    ]


def test_trained_units_lose_detectors_by_the_tens_and_untrained_ones_do_not(tmp_path: Path) -> None:
    """Of the shipped network, on few images; what chance detects there is in both networks."""
    curves = {}
    for name in ("tiny_scenes", "tiny_scenes_untrained"):
        found = onnxdissect.rotate(
            MODELS / f"{name}.onnx", alphas=[1], seeds=2, limit=200, bootstrap=200, out=tmp_path / name
        )
        assert all(curve.permutation_differences == () for curve in found.curves)
        (curves[name],) = found.curves
    trained, untrained = curves["tiny_scenes"], curves["tiny_scenes_untrained"]
    assert trained.fall is not None and trained.fall.low is not None
    assert trained.fall.share > 0.4 and trained.fall.low > 0.25
    lost = trained.own - trained.values[-1].unique.mean
    assert lost > 15 and lost > 10 * trained.values[-1].unique.sd
    assert untrained.own - untrained.values[-1].unique.mean < lost / 2
    # a rotation is worth what random directions are
    assert abs(trained.directions.unique.mean - trained.values[-1].unique.mean) < lost / 4
