"""Comparisons of real runs of small networks: what is the same, what differs, and by how much."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from naive import comparison as naive
from naive import rotation as naive_rotation
from support.compared_runs import QUANTILES, RESAMPLES

import onnxdissect
from onnxdissect.experiments.comparison import ComparedPair, ComparisonResult, Difference
from onnxdissect.experiments.published.importing import import_netdissect
from onnxdissect.statistics.resamples import resample_weights


@pytest.fixture(scope="module")
def two(world: Path) -> ComparisonResult:
    return onnxdissect.compare([world / "one", world / "two"])


def expect_nothing(pair: ComparedPair) -> None:
    """Two sides that are the same."""
    assert pair.paired and not pair.reason
    for one in (pair.unique, pair.share, *pair.unique_by_category.values()):
        assert one == Difference(0.0, 0.0, 0.0, 1.0, 1.0)
    assert not pair.gained and not pair.lost and pair.kept
    assert all(one.first == one.second for one in pair.kept)
    assert pair.overlap.jaccard == 1.0 and pair.overlap.shared == len(pair.kept)
    assert 0 < pair.overlap.p_value <= 1 and 0 < pair.overlap.expected <= 1


def test_a_run_does_not_differ_from_itself(world: Path) -> None:
    run = str(world / "two")
    found = onnxdissect.compare([run, run])
    assert [layer.name for layer in found.layers] == [
        "two relu2",
        "two relu1",
        "two (2) relu2",
        "two (2) relu1",
    ]
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("two relu2", "two (2) relu2"),
        ("two relu1", "two (2) relu1"),
    ]
    for pair in found.pairs:
        expect_nothing(pair)
    # a copy elsewhere is of the same images as well
    first, again = found.layers[0], found.layers[2]
    assert (first.run, first.unique, first.share) == (again.run, again.unique, again.share)


def test_a_layer_does_not_differ_from_its_units_in_another_order(world: Path) -> None:
    found = onnxdissect.compare(world / "one", by="basis")
    assert [group.name for group in found.groups] == ["own units", "permutation:seed=1"]
    assert len(found.pairs) == 2
    for pair in found.pairs:
        expect_nothing(pair)
        assert pair.second == f"{pair.first}/permutation:seed=1"
    # the concepts are the same ones, and found by other units
    columns = {layer.name: i for i, layer in enumerate(found.layers)}
    for concept in found.concepts:
        for own in ("relu2", "relu1"):
            here, there = (concept.best[columns[name]] for name in (own, f"{own}/permutation:seed=1"))
            assert (here is None) == (there is None)
            if here is not None and there is not None:
                assert here.iou == there.iou and len(here.detectors) == len(there.detectors)


def test_published_results_stand_beside_ours(world: Path, tmp_path: Path) -> None:
    own = onnxdissect.load(world / "two")
    csv = own.path / "layers" / own.layer("relu0").slug / "netdissect.csv"
    published = import_netdissect(csv, tmp_path / "published", quantile=QUANTILES[0])
    layers = ["relu0", published.layers[0].name]
    with pytest.raises(onnxdissect.OnnxDissectError, match="the data differs"):
        onnxdissect.compare([own, published], layers=layers)
    found = onnxdissect.compare([own, published], layers=layers, anyway=True)
    assert len(found.marks) == 1 and "no images (published)" in found.marks[0]
    (pair,) = found.pairs
    assert not pair.paired and pair.reason == "published holds no images, only counts over all of them"
    assert pair.unique == Difference(0.0, None, None, None, None)
    assert pair.overlap.jaccard == 1.0 and not pair.gained and not pair.lost
    ours, theirs = found.layers
    assert (theirs.images, theirs.unique.low, theirs.share.low, theirs.reliable) == (0, None, None, None)
    assert ours.share.low is not None
    # of a concept that is not the best of its category the file says nothing
    assert all(0.04 < one.second <= one.first for one in pair.kept)


def test_exchanging_two_runs_changes_signs_alone(world: Path, two: ComparisonResult) -> None:
    back = onnxdissect.compare([world / "two", world / "one"])
    differing = False
    for there, here in zip(two.pairs, back.pairs, strict=True):
        assert (there.first, there.second) == (here.second, here.first)
        told = [(there.unique, here.unique), (there.share, here.share)]
        told += [(there.unique_by_category[name], here.unique_by_category[name]) for name in two.categories]
        for one, other in told:
            assert (one.value, one.low, one.high) == (-other.value, -other.high, -other.low)  # type: ignore[operator]
            assert (one.p_value, one.p_adjusted) == (other.p_value, other.p_adjusted)
            differing |= one.value != 0
        assert [(c.concept, c.first, c.second) for c in there.gained] == [
            (c.concept, c.second, c.first) for c in here.lost
        ]
        assert there.overlap == here.overlap
    assert differing, "the runs have to differ for this to be a test"


def test_numbers_of_two_runs_are_their_naive_twins(world: Path, two: ComparisonResult) -> None:
    runs = [onnxdissect.load(world / name) for name in ("one", "two")]
    categories = list(runs[0].categories)
    category_of = [categories.index(concept.category) for concept in runs[0].concepts]
    weights = [row.tolist() for block in resample_weights(len(runs[0].images), RESAMPLES, 0) for row in block]
    assert two.resamples == RESAMPLES == len(weights)
    with np.load(world / "one" / "truth.npz") as file:
        truth = dict(file)
    for name in ("relu0", "relu1"):
        sides = []
        for run in runs:
            with np.load(run.path / "layers" / run.layer(name).slug / "evidence.npz") as file:
                evidence = dict(file)
            drawn = naive.layer_counts(evidence, truth, [[1] * 30, *weights], 0, category_of)
            sides.append((run, drawn))
        pair = two.pair(f"two {runs[1].layer(name).alias}")
        compared: list[tuple[Difference, list[list[int]]]] = [
            (pair.unique, [[counts[1] for counts in drawn] for _, drawn in sides])
        ]
        compared += [
            (pair.unique_by_category[g], [[counts[2][i] for counts in drawn] for _, drawn in sides])
            for i, g in enumerate(categories)
        ]
        units = [run.layer(name).units for run, _ in sides]
        for found, ((own, *first), (other, *second)) in compared:
            value, low, high, p = naive.difference((own, other), first, second)
            assert found.value == value
            assert (found.low, found.high) == (max(float(low), -units[0]), min(float(high), units[1]))
            assert found.p_value == float(p)
        for (run, drawn), layer in zip(sides, (pair.first, pair.second), strict=True):
            told = two.layer(layer)
            estimates = [(told.unique, [counts[1] for counts in drawn])]
            estimates += [
                (told.unique_by_category[g], [c[2][i] for c in drawn]) for i, g in enumerate(categories)
            ]
            for estimate, (own, *resampled) in estimates:
                ends = naive_rotation.interval(
                    Fraction(own), list(map(Fraction, resampled)), run.layer(name).units
                )
                assert (estimate.value, Fraction(estimate.low or 0), Fraction(estimate.high or 0)) == (
                    own,
                    *ends,
                )
        detected = [[counts[0] for counts in drawn] for _, drawn in sides]
        assert pair.share.value == (detected[1][0] - detected[0][0]) / units[0]
        value, low, high, p = naive.difference(
            (detected[0][0], detected[1][0]), detected[0][1:], detected[1][1:]
        )
        # both sides have as many units
        assert pair.share.low == pytest.approx(max(float(low) / units[0], -1))
        assert pair.share.high == pytest.approx(min(float(high) / units[0], 1))
        assert pair.share.p_value == float(p)


def test_interval_and_p_value_agree_in_every_difference(two: ComparisonResult) -> None:
    for pair in two.pairs:
        for one in (pair.unique, pair.share, *pair.unique_by_category.values()):
            assert one.low is not None and one.high is not None and one.p_value is not None
            assert one.low <= one.value <= one.high
            assert (one.p_value > 0.05) == (one.low < 0 < one.high or one.low == 0 == one.high)
            assert one.p_adjusted is not None and one.p_value <= one.p_adjusted <= 1


def test_a_layer_is_told_as_its_run_tells_it(world: Path, two: ComparisonResult) -> None:
    for layer in two.layers:
        run = onnxdissect.load(layer.run)
        (line,) = [s for s in run.summary() if (s.layer, s.quantile) == (layer.layer, layer.quantile)]
        assert (layer.detectors, layer.unique.value) == (line.detectors, line.unique_detectors)
        assert (layer.unique.low, layer.unique.high) == (line.unique_low, line.unique_high)
        assert (layer.unique_any, layer.reliable) == (line.unique_any, line.reliable_detectors)
        assert layer.share.value == line.detectors / line.units
        assert layer.share.low is not None and layer.share.low <= layer.share.value <= layer.share.high  # type: ignore[operator]
        values = {name: one.value for name, one in layer.unique_by_category.items()}
        assert values == dict(line.unique)
    assert [layer.depth for layer in two.layers] == [0, 1, 0, 1]
    assert {layer.quantile for layer in two.layers} == {QUANTILES[0]}


def test_matrix_and_changes_are_those_of_the_units(two: ComparisonResult) -> None:
    runs = {layer.name: onnxdissect.load(layer.run) for layer in two.layers}
    detected: set[tuple[str, str]] = set()
    for i, layer in enumerate(two.layers):
        run = runs[layer.name]
        units = run.units(layer.layer, layer.quantile)
        labels: dict[tuple[str, str], tuple[int, ...]] = {}
        for unit in units:
            if unit.detector:
                key = (unit.label, unit.category)
                labels[key] = (*labels.get(key, ()), unit.unit)
        detected |= labels.keys()
        iou = run.iou(layer.layer)[0]
        for concept in two.concepts:
            key = (concept.concept, concept.category)
            place = [(c.name, c.category) for c in run.concepts].index(key)
            best = concept.best[i]
            if best is None:
                assert iou[:, place].max() == 0 and key not in labels
            else:
                assert best.iou == iou[:, place].max() and best.unit == int(iou[:, place].argmax())
                assert best.detectors == labels.get(key, ())
    assert [(c.concept, c.category) for c in two.concepts] == sorted(
        detected, key=lambda key: (two.categories.index(key[1]), key[0])
    )
    columns = {layer.name: i for i, layer in enumerate(two.layers)}
    for pair in two.pairs:
        for change, sides in (("gained", (False, True)), ("lost", (True, False)), ("kept", (True, True))):
            expected = []
            for concept in two.concepts:
                both = [concept.best[columns[name]] for name in (pair.first, pair.second)]
                if tuple(bool(one and one.detectors) for one in both) == sides:
                    ious = [0.0 if one is None else one.iou for one in both]
                    expected.append((concept.concept, concept.category, *ious))
            found = [(c.concept, c.category, c.first, c.second) for c in getattr(pair, change)]
            assert found == expected


def test_groups_are_brought_together(world: Path) -> None:
    names = ("one", "two", "three")
    found = onnxdissect.compare([world / name for name in names], by="layer")
    assert [(group.name, len(group.members)) for group in found.groups] == [("relu2", 3), ("relu1", 3)]
    for group in found.groups:
        members = [found.layer(name) for name in group.members]
        expected = naive.spread([one.unique.value for one in members])
        assert (group.unique.mean, group.unique.sd, group.unique.least, group.unique.most) == pytest.approx(
            expected
        )
    # each network's second layer against its first
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        (f"{name} relu2", f"{name} relu1") for name in names
    ]


def test_fewer_resamples_are_the_first_of_them(world: Path, two: ComparisonResult) -> None:
    fewer = onnxdissect.compare([world / "one", world / "two"], resamples=45)
    assert fewer.resamples == 45 and two.resamples == RESAMPLES
    assert fewer.pairs[0].unique.value == two.pairs[0].unique.value
    none = onnxdissect.compare([world / "one", world / "two"], resamples=0)
    assert none.resamples == 0
    assert all(not p.paired and p.reason == "no resamples were asked for" for p in none.pairs)
    assert all(layer.share.low is None and layer.unique.low is not None for layer in none.layers)


def test_a_result_is_the_same_of_runs_that_were_opened(world: Path, two: ComparisonResult) -> None:
    opened = [onnxdissect.load(world / name) for name in ("one", "two")]
    again = onnxdissect.compare(opened)
    assert again == two
    assert "<td>one relu2</td>" in again._repr_html_()
    frame = again.to_pandas("pairs")
    assert list(frame.columns[:2]) == ["first", "second"] and len(frame) == 2 * (2 + len(again.categories))
    with pytest.raises(onnxdissect.OnnxDissectError, match="no table 'pears'"):
        again.to_pandas("pears")
