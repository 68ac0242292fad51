"""Units of real small runs matched one to one: against the twin, and where the answer is known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from naive import matching as naive
from support.fake_counts import fake_run, save_fake_run
from support.small_runs import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect.errors import LayerNotFoundError, ParameterError, RunMismatchError
from onnxdissect.experiments.comparison.records import UnitMatching
from onnxdissect.experiments.matching import match_units

UNITS, OTHER_UNITS, IMAGES = 6, 9, 40
PERMUTED = "relu0/basis/permutation:seed=1"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two networks on the same images: one also permuted, one at a quantile less."""
    folder = tmp_path_factory.mktemp("world")
    broden(folder / "data", IMAGES, seed=2)
    for name, units, seed in (("one", UNITS, 1), ("two", OTHER_UNITS, 5)):
        (folder / name).mkdir()
        network(
            folder / name / "net.onnx",
            [Convolution(units, (3, 3), (2, 2), (1, 1, 1, 1))],
            pool=False,
            seed=seed,
        )
        shutil.copytree(folder / "data", folder / name / "data")
    given: dict[str, Any] = {"layers": ["relu0"], "bootstrap": 50, "null": 0}
    dissect(folder / "one", quantiles=[0.1, 0.02], bases=["permutation:seed=1"], **given)
    dissect(folder / "two", quantiles=[0.02], **given)
    return folder


@pytest.fixture(scope="module")
def one(world: Path) -> onnxdissect.Dissection:
    return onnxdissect.load(world / "one" / "run")


@pytest.fixture(scope="module")
def two(world: Path) -> onnxdissect.Dissection:
    return onnxdissect.load(world / "two" / "run")


def pairs(matching: UnitMatching) -> naive.Pairs:
    return [(pair.first, pair.second) for pair in matching.units]


def dense(run: onnxdissect.Dissection, layer: str, quantile: float) -> list[list[int]]:
    """Mask pixels of each unit in each image."""
    found = run.per_image(layer)
    assert found is not None
    units, q = run.layer(layer).units, run.quantiles.index(quantile)
    counts = [[0] * len(run.images) for _ in range(units)]
    for k in range(units):
        for e in range(found.starts[q * units + k], found.starts[q * units + k + 1]):
            counts[k][found.image[e]] = int(found.activation[e])
    return counts


def profiles(run: onnxdissect.Dissection, layer: str, quantile: float) -> list[dict[tuple[str, str], float]]:
    """IoUs of each unit, by name and category of the candidates."""
    iou = run.iou(layer)[run.quantiles.index(quantile)]
    return [
        {(c.name, c.category): float(iou[k, i]) for i, c in enumerate(run.concepts) if run.candidates[i]}
        for k in range(len(iou))
    ]


@pytest.mark.parametrize("by", ["masks", "profiles"])
@pytest.mark.parametrize("quantile", [0.1, 0.02])
def test_a_permuted_layer_gives_the_permutation(
    one: onnxdissect.Dissection, by: str, quantile: float
) -> None:
    order = onnxdissect.Basis.permutation(UNITS, 1).nearest_units()[0].tolist()
    assert order != list(range(UNITS))
    found = match_units(one, "relu0", one, PERMUTED, quantile=quantile, by=by, draws=5)
    assert (found.first, found.second, found.by) == ("relu0", PERMUTED, by)
    assert pairs(found) == sorted((own, number) for number, own in enumerate(order))
    assert [pair.score for pair in found.units] == [1.0] * UNITS
    assert found.score == 1.0
    assert found.same_number == sum(own == number for number, own in enumerate(order)) / UNITS
    assert found.same_label in (None, 1.0)
    assert all(pair.first_label == pair.second_label for pair in found.units)
    assert found.chance_high < 1
    assert found.random_mean < 1


@pytest.mark.parametrize("by", ["masks", "profiles"])
def test_a_run_matched_with_itself_is_the_identity(world: Path, one: onnxdissect.Dissection, by: str) -> None:
    again = onnxdissect.load(world / "one" / "run")
    for other in (one, again):
        found = match_units(one, "relu0", other, "relu0", by=by, draws=3)
        assert pairs(found) == [(k, k) for k in range(UNITS)]
        assert (found.score, found.same_number) == (1.0, 1.0)
    detected = [pair.first_label for pair in found.units if pair.first_label]
    assert detected
    assert found.same_label == 1.0
    assert found.same_label_random == sum(detected.count(label) for label in detected) / len(detected) ** 2


def test_masks_are_matched_as_the_twin_does(one: onnxdissect.Dissection, two: onnxdissect.Dissection) -> None:
    sides = dense(one, "relu0", 0.02), dense(two, "relu0", 0.02)
    scores = [[naive.correlation(a, b) for b in sides[1]] for a in sides[0]]
    found = match_units(one, "relu0", two, "relu0", quantile=0.02, draws=4)
    expect_matching(found, scores, one, two)
    # negative correlations are scores like all others
    assert min(min(row) for row in scores) < 0


def test_profiles_are_matched_as_the_twin_does(
    one: onnxdissect.Dissection, two: onnxdissect.Dissection
) -> None:
    sides = profiles(one, "relu0", 0.02), profiles(two, "relu0", 0.02)
    scores = [[naive.cosine(list(a.values()), list(b.values())) for b in sides[1]] for a in sides[0]]
    expect_matching(
        match_units(one, "relu0", two, "relu0", quantile=0.02, by="profiles", draws=4), scores, one, two
    )


def expect_matching(
    found: UnitMatching,
    scores: list[list[float]],
    first: onnxdissect.Dissection,
    second: onnxdissect.Dissection,
) -> None:
    ways = naive.assignments(len(scores), len(scores[0]))
    most = max(sum(scores[a][b] for a, b in way) for way in ways)
    size = min(len(scores), len(scores[0]))
    assert len(found.units) == size
    assert [pair.score for pair in found.units] == pytest.approx(
        [scores[pair.first][pair.second] for pair in found.units], abs=1e-5
    )
    assert found.score == pytest.approx(most / size, abs=1e-5)
    assert found.random_mean == pytest.approx(np.mean(scores), abs=1e-5)
    assert found.random_low <= found.random_mean <= found.random_high < found.score
    assert found.same_number == naive.same_numbers(pairs(found)) / size
    labels = [
        [unit.label if unit.detector else "" for unit in run.units("relu0", 0.02)] for run in (first, second)
    ]
    assert [(pair.first_label, pair.second_label) for pair in found.units] == [
        (labels[0][a], labels[1][b]) for a, b in pairs(found)
    ]
    assert found.same_label == naive.same_label(labels[0], labels[1], pairs(found))
    alike = [a == b for a in labels[0] if a for b in labels[1] if b]
    assert found.same_label_random == (sum(alike) / len(alike) if found.same_label is not None else None)


@pytest.mark.parametrize("by", ["masks", "profiles"])
def test_sides_that_change_places_give_the_inverse(
    one: onnxdissect.Dissection, two: onnxdissect.Dissection, by: str
) -> None:
    found = match_units(one, "relu0", two, "relu0", quantile=0.02, by=by, draws=3)
    turned = match_units(two, "relu0", one, "relu0", quantile=0.02, by=by, draws=3)
    assert sorted((b, a) for a, b in pairs(turned)) == pairs(found)
    told = [
        (m.score, m.random_mean, m.same_number, m.same_label, m.same_label_random) for m in (found, turned)
    ]
    assert told[0] == told[1]


def test_what_is_drawn_follows_from_the_seed(
    one: onnxdissect.Dissection, two: onnxdissect.Dissection
) -> None:
    found = [match_units(one, "relu0", two, "relu0", quantile=0.02, draws=9, seed=s) for s in (4, 4, 5)]
    assert found[0] == found[1]
    assert found[0].units == found[2].units
    assert found[0].chance_mean != found[2].chance_mean
    assert -1 <= found[0].chance_low <= found[0].chance_mean <= found[0].chance_high <= 1
    # with so few images the best of shuffled masks are better than pairs at random
    assert found[0].chance_low > found[0].random_high


def test_quantiles_are_chosen_by_value(one: onnxdissect.Dissection, two: onnxdissect.Dissection) -> None:
    assert one.quantiles.index(0.02) != two.quantiles.index(0.02)
    both = match_units(one, "relu0", two, "relu0", quantile=0.02, draws=2)
    each = match_units(one, "relu0", two, "relu0", quantile=(0.02, 0.02), draws=2)
    apart = match_units(one, "relu0", two, "relu0", quantile=(0.1, 0.02), draws=2)
    assert both == each != apart
    sides = dense(one, "relu0", 0.1), dense(two, "relu0", 0.02)
    assert [pair.score for pair in apart.units] == pytest.approx(
        [naive.correlation(sides[0][a], sides[1][b]) for a, b in pairs(apart)], abs=1e-12
    )
    # by default the first of the first run
    assert match_units(two, "relu0", one, "relu0", draws=2).score == pytest.approx(both.score)
    with pytest.raises(ParameterError, match=r"two.run was not made at quantile 0\.1") as refused:
        match_units(one, "relu0", two, "relu0")
    assert refused.value.candidates == ("0.02",)


def test_requests_that_cannot_be_met_are_refused(one: onnxdissect.Dissection) -> None:
    with pytest.raises(LayerNotFoundError, match="holds no layer 'relu9'") as layer:
        match_units(one, "relu0", one, "relu9")
    assert "relu0" in layer.value.candidates
    with pytest.raises(ParameterError, match="cannot be matched by 'mask'") as way:
        match_units(one, "relu0", one, "relu0", by="mask")
    assert way.value.candidates == ("masks",)
    for draws in (0, -1, 100_001):
        with pytest.raises(ParameterError, match="1 to 100,000 times"):
            match_units(one, "relu0", one, "relu0", draws=draws)
    for seed in (-1, 2**63):
        with pytest.raises(ParameterError, match=r"from 0 to 2\*\*63 - 1"):
            match_units(one, "relu0", one, "relu0", seed=seed)


def test_masks_of_other_images_are_refused_and_profiles_are_not(
    world: Path, one: onnxdissect.Dissection, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"layers": ["relu0"], "bootstrap": 50, "null": 0}
    fewer = dissect(world / "one", limit=30, out=tmp_path / "fewer", **given)
    with pytest.raises(RunMismatchError, match="images 40 of the first, 30 of the second") as refused:
        match_units(one, "relu0", fewer, "relu0")
    assert "profiles" in str(refused.value.hint)
    found = match_units(one, "relu0", fewer, "relu0", by="profiles", draws=2)
    assert found.score > found.random_high
    # a manifest that says so does not make the images the same
    fewer.manifest["data"] = one.manifest["data"]
    with pytest.raises(RunMismatchError, match="their images differ"):
        match_units(fewer, "relu0", one, "relu0")


def test_a_run_without_counts_by_image_has_profiles_only(
    world: Path, one: onnxdissect.Dissection, tmp_path: Path
) -> None:
    without = dissect(world / "one", layers=["relu0"], bootstrap=0, null=0, out=tmp_path / "without")
    with pytest.raises(ParameterError, match="keeps no mask pixels") as refused:
        match_units(one, "relu0", without, "relu0")
    assert "--bootstrap" in str(refused.value.hint)
    assert "profiles" in str(refused.value.hint)
    found = match_units(one, "relu0", without, "relu0", by="profiles", draws=2)
    assert pairs(found) == [(k, k) for k in range(UNITS)]


def test_concepts_are_matched_by_name_and_category(tmp_path: Path) -> None:
    """Of other data: here some have other names, some change places, and one is of another category."""
    plain = fake_run(seed=1, units=(5,))
    first = plain.save(tmp_path / "first")
    names = [concept.name for concept in plain.concepts]
    names[0], names[1], names[4] = names[1], names[0], "elsewhere"
    other = fake_run(seed=1, units=(5,))
    concepts = tuple(replace(c, name=name) for c, name in zip(other.concepts, names, strict=True))
    second = replace(other, concepts=concepts).save(tmp_path / "second")
    sides = [profiles(run, "relu1", 0.005) for run in (first, second)]
    shared = sides[0][0].keys() & sides[1][0].keys()
    assert len(shared) == len(names) - 1
    assert [c.name for c in first.concepts] != [c.name for c in second.concepts]
    scores = [
        [naive.cosine([a[c] for c in sorted(shared)], [b[c] for c in sorted(shared)]) for b in sides[1]]
        for a in sides[0]
    ]
    found = match_units(first, "relu1", second, "relu1", by="profiles", draws=2)
    best = max(sum(scores[a][b] for a, b in way) for way in naive.assignments(5, 5))
    assert found.score == pytest.approx(best / 5, abs=1e-5)
    assert [pair.score for pair in found.units] == pytest.approx(
        [scores[a][b] for a, b in pairs(found)], abs=1e-5
    )
    # the last unit is dead: it is like none
    assert [pair.score for pair in found.units if 4 in (pair.first, pair.second)] == [0.0]
    nothing = tuple(replace(c, name=f"{c.name} of ours") for c in other.concepts)
    strange = replace(other, concepts=nothing).save(tmp_path / "strange")
    with pytest.raises(RunMismatchError, match="no concept is a candidate for labels in both"):
        match_units(first, "relu1", strange, "relu1", by="profiles")


def test_imported_results_are_matched_by_the_best_concept_of_each_category(tmp_path: Path) -> None:
    run = save_fake_run(tmp_path / "run", units=(9,))
    published = run.path / "layers" / run.layers[0].slug / "netdissect.csv"
    imported = onnxdissect.import_netdissect(published, tmp_path / "imported")
    (layer,) = (info.name for info in imported.layers)
    # the run knows more, and what the published results do not tell is no difference
    assert np.count_nonzero(run.iou("relu1")) > np.count_nonzero(imported.iou(layer))
    for sides in ((run, "relu1", imported, layer), (imported, layer, run, "relu1")):
        found = match_units(*sides, by="profiles", draws=2)
        assert pairs(found) == [(k, k) for k in range(9)]
        assert [pair.score for pair in found.units] == pytest.approx([1.0] * 8 + [0.0], abs=1e-9)
        assert (found.same_label, found.same_number) == (1.0, 1.0)
    with pytest.raises(ParameterError, match="published results, which tell of no masks") as refused:
        match_units(imported, layer, imported, layer)
    assert "profiles" in str(refused.value.hint)
    assert "dissect again" not in str(refused.value.hint)


def test_dead_units_alone_are_matched_by_number_with_a_score_of_0(tmp_path: Path) -> None:
    run = save_fake_run(tmp_path / "run", units=(1, 3))
    dead = match_units(run, "relu1", run, "relu1", by="profiles", draws=2)
    assert [(pair.first, pair.second, pair.score) for pair in dead.units] == [(0, 0, 0.0)]
    assert (dead.score, dead.random_mean, dead.chance_mean) == (0.0, 0.0, 0.0)
    assert (dead.same_label, dead.same_label_random) == (None, None)
    assert len(match_units(run, "relu1", run, "relu2", by="profiles", draws=2).units) == 1


class Told:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    def start(self, phase: str, total: int) -> None:
        self.said.append((phase, total))

    def advance(self, images: int) -> None:
        self.said.append(("advance", images))

    def finish(self) -> None:
        self.said.append(("finish", 0))


def test_progress_counts_draws(one: onnxdissect.Dissection) -> None:
    told = Told()
    match_units(one, "relu0", one, "relu0", draws=3, progress=told)
    assert told.said == [("matching", 3), *[("advance", 1)] * 3, ("finish", 0)]
    told = Told()
    match_units(one, "relu0", one, "relu0", progress=told)
    assert told.said[0] == ("matching", 100)
