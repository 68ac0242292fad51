"""Matched units of a comparison: a layer with itself, with its units in another order, with another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import onnxdissect
from onnxdissect.core.progress import Silent
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.comparison import write_comparison
from onnxdissect.experiments.matching import match_units


@pytest.mark.parametrize("by", ["masks", "profiles"])
def test_a_run_matched_with_itself_is_the_identity(world: Path, by: str) -> None:
    run = world / "two"
    found = onnxdissect.compare([run, run], match=by)
    assert [(m.first, m.second, m.by) for m in found.matchings] == [
        ("two relu2", "two (2) relu2", by),
        ("two relu1", "two (2) relu1", by),
    ]
    for matching in found.matchings:
        assert all(pair.first == pair.second for pair in matching.units)
        assert matching.same_number == 1.0


def test_units_in_another_order_are_found_again(world: Path) -> None:
    found = onnxdissect.compare(world / "one", by="basis", match="masks")
    for matching, units in zip(found.matchings, (6, 5), strict=True):
        order = onnxdissect.Basis.permutation(units, 1).nearest_units()[0].tolist()
        assert matching.second == f"{matching.first}/permutation:seed=1"
        alive = [pair for pair in matching.units if pair.score > 0]
        assert len(alive) >= 3
        assert all(order[pair.second] == pair.first for pair in alive)
        assert all(abs(pair.score - 1) < 1e-12 for pair in alive)


def test_every_pair_is_matched_as_one_is_by_itself(world: Path, tmp_path: Path) -> None:
    runs = [onnxdissect.load(world / name) for name in ("one", "two", "three")]
    found = onnxdissect.compare(runs, against="all", quantiles=[0.02], match="profiles")
    assert [(m.first, m.second) for m in found.matchings] == [(p.first, p.second) for p in found.pairs]
    for matching in found.matchings:
        names = matching.first, matching.second
        sides = [next(one for one in found.layers if one.name == name) for name in names]
        first, second = (next(run for run in runs if str(run.path) == side.run) for side in sides)
        alone = match_units(first, sides[0].layer, second, sides[1].layer, quantile=0.02, by="profiles")
        assert replace(alone, first=names[0], second=names[1]) == matching
    write_comparison(found, tmp_path / "kept")
    assert onnxdissect.load_comparison(tmp_path / "kept") == found


def test_what_units_cannot_be_matched_by_is_said_before_anything_is_read() -> None:
    with pytest.raises(ParameterError, match="cannot be matched by 'mask'") as said:
        onnxdissect.compare(["nowhere"], match="mask")
    assert said.value.candidates[0] == "masks"


def test_resamples_are_looked_at_before_units_are_matched(world: Path) -> None:
    started: list[str] = []

    class Phases(Silent):
        def start(self, phase: str, total: int) -> None:
            started.append(phase)

    with pytest.raises(ParameterError, match="5 resamples cannot be compared"):
        onnxdissect.compare([world / "one", world / "two"], match="profiles", resamples=5, progress=Phases())
    assert started == []
