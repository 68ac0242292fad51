"""What a basis finds equals its literal twin, and the identity finds nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from naive import findings as naive
from support.basis_runs import fake_basis_run, random_nearest, save_with_nearest
from support.small_runs import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect import Basis
from onnxdissect.errors import LayerNotFoundError, ParameterError
from onnxdissect.experiments.basis_findings import Side, basis_findings

UNITS = 6


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    network(folder / "net.onnx", [Convolution(UNITS, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(folder / "data", 40, seed=2)
    return folder


def under(world: Path, bases: Sequence[str | Basis]) -> onnxdissect.Dissection:
    shutil.rmtree(world / "run", ignore_errors=True)
    return dissect(world, layers=["relu0"], quantiles=[0.1, 0.02], bootstrap=50, null=0, bases=bases)


@pytest.mark.parametrize("seed", range(6))
def test_findings_are_those_of_the_twin(seed: int, tmp_path: Path) -> None:
    made = fake_basis_run(units=(9, 14), quantiles=(0.005, 0.02, 0.1), seed=seed)
    run = save_with_nearest(made, tmp_path / "run")
    own, layer = run.layers
    found = basis_findings(run, layer.alias)
    assert [one.quantile for one in found] == list(run.quantiles)
    kinds = set()
    for q, one in enumerate(found):
        sides = run.iou(layer.name)[q].tolist(), run.iou(own.name)[q].tolist()
        new, lost, both = naive.detected(*sides, run.iou_threshold)
        for told, expected in ((one.new, new), (one.lost, lost), (one.both, both)):
            assert {concept.position for concept in told} == expected
            assert len(told) == len(expected)
            kinds |= {concept.found for concept in told}
        summaries = {s.layer: s for s in run.summary() if s.quantile == one.quantile}
        assert len(new) + len(both) == summaries[layer.name].unique_detectors
        assert len(lost) + len(both) == summaries[own.name].unique_detectors
        for concept in one.concepts:
            assert concept.concept is run.concepts[concept.position]
            for best, iou in zip((concept.direction, concept.own), sides, strict=True):
                unit, value = naive.best_unit(iou, concept.position, run.iou_threshold)
                assert (best.unit, best.iou) == (unit, value)
                named = naive.labels(iou, run.iou_threshold)
                assert best.detectors == named.count(concept.position)
                assert (best.low, best.high, best.reliable) == (None, None, None)
            other = {"new": concept.own, "lost": concept.direction}.get(concept.found)
            assert concept.labelled_otherwise(run.iou_threshold) == (
                other is not None and other.iou > run.iou_threshold
            )
            assert concept.unsure in (None, False)
        nearest = random_nearest(layer)
        for k, direction in enumerate(one.directions):
            assert direction.unit == run.units(layer.name, one.quantile)[k]
            assert direction.nearest == run.units(own.name, one.quantile)[nearest.unit[k]]
            assert direction.cosine == nearest.cosine[k]
    assert kinds == {"new", "lost", "both"}, "this seed tests too little"


def test_the_identity_and_a_permutation_find_nothing(world: Path) -> None:
    order = Basis.permutation(UNITS, 3).nearest_units()[0].tolist()
    run = under(world, ["identity", "permutation:seed=3"])
    detected = 0
    for name, expected in (("identity", list(range(UNITS))), ("permutation:seed=3", order)):
        for one in basis_findings(run, f"relu0/basis/{name}"):
            assert one.new == one.lost == ()
            detected += len(one.both)
            for concept in one.both:
                assert concept.direction.iou == concept.own.iou
                assert concept.unsure is False
            assert [d.nearest and d.nearest.unit for d in one.directions] == expected
            assert {d.cosine for d in one.directions} == {1.0}
            for d in one.directions:
                assert d.nearest is not None
                assert (d.unit.label, d.unit.iou) == (d.nearest.label, d.nearest.iou)
                assert d.name == ""
    assert detected


def test_a_dictionary_with_bias_and_activation(world: Path) -> None:
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(11, UNITS))
    names = [f"feature {i}" for i in range(11)]
    basis = Basis.of("book", matrix, bias=rng.normal(size=11), activation="topk:4", row_names=names)
    run = under(world, [basis])
    stored = run.nearest_units("relu0/basis/book")
    assert stored is not None
    twin = naive.nearest(basis.matrix.astype(float).tolist())
    assert stored.unit.tolist() == [unit for unit, _ in twin]
    np.testing.assert_allclose(stored.cosine, [cosine for _, cosine in twin], rtol=1e-12)
    (first, _) = basis_findings(run, "relu0/basis/book")
    assert [one.name for one in first.directions] == names
    assert [one.cosine for one in first.directions] == stored.cosine.tolist()
    # loaded from the disk it is the same, and nothing of the network is needed
    again = basis_findings(onnxdissect.load(run.path), "relu0/basis/book")
    assert [one.concepts for one in again] == [
        one.concepts for one in basis_findings(run, "relu0/basis/book")
    ]


def test_intervals_and_reliability_are_those_that_are_stored(world: Path) -> None:
    run = under(world, ["rotation:seed=2"])
    name = "relu0/basis/rotation:seed=2,alpha=1"
    known = 0
    for q, one in enumerate(basis_findings(run, name)):
        for concept in one.concepts:
            for best, layer in ((concept.direction, name), (concept.own, "relu0")):
                stored = run.intervals(layer)
                assert stored is not None
                ranks = stored.concept[q, best.unit].tolist()
                if concept.position in ranks:
                    rank = ranks.index(concept.position)
                    ends = stored.low[q, best.unit, rank], stored.high[q, best.unit, rank]
                    assert (best.low, best.high) == ends
                    known += 1
                else:
                    assert (best.low, best.high) == (None, None)
                units = run.units(layer, run.quantiles[q])
                named = [u for u in units if u.detector and u.label == concept.concept.name]
                named = [u for u in named if u.category == concept.concept.category]
                assert best.detectors == len(named)
                assert best.reliable == sum(bool(u.reliable) for u in named)
            side = concept.own if concept.found == "lost" else concept.direction
            assert concept.unsure == (concept.found != "both" and side.reliable == 0)
    assert known


def test_sides_that_are_given_are_not_read_again(world: Path) -> None:
    run = under(world, ["rotation:seed=2", "directions:n=4"])
    sides = {info.name: Side.of(run, info.name) for info in run.layers}
    names = [info.name for info in run.layers if info.basis is not None]
    plain = [basis_findings(run, name) for name in names]
    shutil.rmtree(run.path / "layers" / "relu0")
    assert [basis_findings(run, name, sides) for name in names] == plain


def test_runs_of_earlier_versions_have_no_nearest_units(tmp_path: Path) -> None:
    run = fake_basis_run().save(tmp_path / "run")
    layer = run.layers[1]
    assert run.nearest_units(layer.name) is None
    (found,) = basis_findings(run, layer.name)
    assert {(one.nearest, one.cosine) for one in found.directions} == {(None, None)}
    assert found.concepts


def test_layers_under_no_basis_are_refused(tmp_path: Path) -> None:
    run = fake_basis_run().save(tmp_path / "run")
    own, layer = run.layers
    with pytest.raises(ParameterError, match="is under no basis") as caught:
        basis_findings(run, own.alias)
    assert caught.value.candidates == (layer.name,)
    with pytest.raises(ParameterError, match="is under no basis") as caught:
        run.nearest_units(own.name)
    assert caught.value.candidates == (layer.name,)
    with pytest.raises(LayerNotFoundError):
        basis_findings(run, "nothing")


def test_the_layer_itself_has_to_be_part_of_the_run(tmp_path: Path) -> None:
    made = fake_basis_run()
    alone = replace(made, layers=made.layers[1:], counts=made.counts[1:])
    run = alone.save(tmp_path / "run")
    with pytest.raises(LayerNotFoundError, match="stage1"):
        basis_findings(run, run.layers[0].name)
