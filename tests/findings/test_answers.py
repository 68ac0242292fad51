"""Every number of the page, asked of made-up tables that can be counted by hand."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measurements.tables import SCHEMA
from page.answer_records import Followed
from page.estimates import AGREES, DISAGREES, TOO_FEW
from page.evidence import Evidence, MissingNetworksError
from page.explained import explained
from page.seed_overlap import overlap
from support.findings_tables import (
    CATEGORIES,
    FINISHED,
    Label,
    predictions_of,
    write_experiment,
    write_network,
    write_rows,
    write_units,
)
from training.recipes import RECIPES, Training, recipe_of

from onnxdissect.statistics.resamples import resample_weights
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive

# What each seed gives, counted in the numbers of `support.findings_tables`, and the published sign.
# base: 20, 21, 22 unique detectors; 10, 11, 12 of objects, 4 of parts, 2 of scenes, 1 colour, 2 textures
DIFFERENCES: dict[str, tuple[tuple[float, float, float], int]] = {
    "emergence": ((19, 20, 21), 1),
    "untaught": ((14, 15, 16), 1),
    "generic": ((30 / 50 - 4 / 40, 31 / 50 - 4 / 40, 32 / 50 - 4 / 40), 1),
    "deeper": ((25 - 20, 25 - 21, 25 - 22), 1),
    "shallower": ((15 - 20, 15 - 21, 15 - 22), -1),
    "double_width": ((32 - 20, 32 - 21, 32 - 22), 1),
    "half_width": ((11 - 20, 11 - 21, 11 - 22), -1),
    "low_layers": ((3 / 4 - 3 / 20, 3 / 4 - 3 / 21, 3 / 4 - 3 / 22), 1),
    "high_layers": ((10 - 1, 11 - 1, 12 - 1), 1),
    "high_scenes": ((2, 2, 2), 1),
    "deepest": ((20 - 12, 21 - 12, 22 - 12), 1),
    "deepest_share": ((40 / 96 - 24 / 64, 42 / 96 - 24 / 64, 44 / 96 - 24 / 64), 1),
    "task_specific": ((1, 1, 1), 1),
    "scenes": ((20 - 15, 21 - 15, 22 - 15), 1),
    "scene_objects": ((10 - 8, 11 - 8, 12 - 8), 1),
    "rotation_task": ((6 - 20, 6 - 21, 6 - 22), -1),
    "jigsaw_task": ((2 - 20, 2 - 21, 2 - 22), -1),
    "rotation_textures": ((2 / 6 - 2 / 20, 2 / 6 - 2 / 21, 2 / 6 - 2 / 22), 1),
    "jigsaw_textures": ((1 - 2 / 20, 1 - 2 / 21, 1 - 2 / 22), 1),
    "dropout": ((14 - 20, 14 - 21, 14 - 22), -1),
    "batch_norm": ((26 - 20, 26 - 21, 26 - 22), -1),
    "objects_late": ((14 - 1, 15 - 1, 16 - 1), 1),
    "colours_early": ((4 / 6 - 3 / 20, 4 / 6 - 3 / 21, 4 / 6 - 3 / 22), 1),
    "axis": ((14 / 20, 15 / 21, 16 / 22), 1),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_are_those_of_the_tables(told: dict[str, Any], name: str) -> None:
    seeds, sign = DIFFERENCES[name]
    found = told["findings"][name]
    assert found.difference.seeds == pytest.approx(seeds)
    assert found.difference.value == pytest.approx(sum(seeds) / 3)
    assert found.published == sign
    assert found.difference.low < found.difference.value < found.difference.high


def test_every_finding_is_counted_by_hand_or_image_by_image(told: dict[str, Any]) -> None:
    assert set(told["findings"]) == {*DIFFERENCES, "relevant", "mistaken"}


def test_verdicts_are_those_of_the_signs(told: dict[str, Any]) -> None:
    verdicts = {name: finding.verdict for name, finding in told["findings"].items()}
    assert verdicts["emergence"] == verdicts["dropout"] == verdicts["axis"] == AGREES
    assert verdicts["batch_norm"] == DISAGREES
    assert verdicts["jigsaw_textures"] == TOO_FEW
    # no network has more than two detectors of scenes, in either layer
    assert verdicts["task_specific"] == verdicts["high_scenes"] == TOO_FEW
    assert told["findings"]["high_scenes"].fewest == 2
    assert told["findings"]["rotation_textures"].fewest == 6


def test_contrasts_have_no_published_sign(told: dict[str, Any]) -> None:
    assert {name: one.seeds for name, one in told["contrasts"].items()} == {
        "no_decay": (1, 0, -1),
        "strong_decay": (-11, -12, -13),
        "fine_tuned": (3, 3, 3),
    }


def test_variants_are_counted_in_the_last_layer(told: dict[str, Any]) -> None:
    assert list(told["variants"]) == [recipe.variant for recipe in RECIPES]
    for variant, counts in FINISHED.items():
        found = told["variants"][variant]
        more = (0, 1, 2) if variant == "base" else (0, 0, 0)
        assert found.unique.seeds == tuple(sum(counts) + n for n in more)
        assert found.units == recipe_of(variant).stages[-1][0]
        shares = [2 * (sum(counts) + n) / found.units for n in more]
        assert found.interpretable.seeds == pytest.approx(shares)
        for category, count in zip(CATEGORIES, counts, strict=True):
            assert found.categories[category].seeds == tuple(count + n * (category == "object") for n in more)
        assert found.scores == pytest.approx((0.5, 0.51, 0.52))
        assert found.score == pytest.approx(0.51)


def test_checkpoints_and_layers_are_in_order(told: dict[str, Any]) -> None:
    unique = {iteration: found.unique.value for iteration, found in told["checkpoints"].items()}
    assert unique == {0: 1, 7: 1, 21: 1, 63: 1, 189: 6, 567: 13, 1701: 13, 5103: 21}
    assert told["untrained"] == told["checkpoints"][0]
    assert {layer: found["unique"].value for layer, found in told["depth"].items()} == {
        "relu1": 4,
        "relu2": 12,
        "relu3": 12,
        "relu4": 12,
        "relu5": 21,
    }
    assert told["sizes"] == {"relu1": 16, "relu2": 32, "relu3": 48, "relu4": 64, "relu5": 96}


def test_thresholds_are_swept(told: dict[str, Any]) -> None:
    strict, loose = told["thresholds"]
    assert (strict.quantile, loose.quantile) == (0.005, 0.16)
    assert strict.unique.seeds == (20, 21, 22)
    assert strict.generic.seeds == pytest.approx((0.1, 0.1, 0.1))
    assert loose.generic.seeds == pytest.approx((0.6, 0.62, 0.64))


def test_rotations_fall_from_the_layer_to_the_whole_turn(told: dict[str, Any]) -> None:
    trained, untrained = told["trained_rotations"], told["untrained_rotations"]
    assert {alpha: found.seeds for alpha, found in trained.curve.items()} == {
        0.0: (20, 21, 22),
        0.5: (15, 15, 15),
        1.0: (6, 6, 6),
    }
    assert trained.directions.seeds == (5, 5, 5)
    assert trained.fall.seeds == told["findings"]["axis"].difference.seeds
    assert {alpha: found.value for alpha, found in untrained.curve.items()} == {0.0: 1, 0.5: 1, 1.0: 2.5}
    assert untrained.fall.value == -1.5
    assert trained.renumbered.verdict == trained.turned_back.verdict == AGREES
    # the worst of the seeds, by the strictest measure
    assert (trained.turned_back.found, trained.turned_back.allowed) == pytest.approx((9e-7, 1e-3))


def test_repeats_are_compared_in_pairs(told: dict[str, Any]) -> None:
    number, kind = told["alike"]["number"], told["alike"]["kind"]
    assert {pair: one.value for pair, one in number.differences.items()} == pytest.approx(
        {"base-s0, base-s1": 1 / 20.5, "base-s0, base-s2": 2 / 21, "base-s1, base-s2": 1 / 21.5}
    )
    assert number.largest[0] == "base-s0, base-s2"
    assert len(kind.differences) == 3 * len(CATEGORIES)
    assert kind.differences["object, base-s0, base-s2"].value == pytest.approx(12 / 22 - 10 / 20)
    assert kind.differences["part, base-s0, base-s2"].value == pytest.approx(4 / 22 - 4 / 20)
    assert kind.largest[0] == "object, base-s0, base-s2"


def test_units_are_followed_one_by_one(told: dict[str, Any]) -> None:
    first, *later = told["transfer"]
    # base has two detectors of each of its 20, 21, 22 labels
    assert first == Followed(27, (40, 42, 44), (0, 0, 0), (0, 0, 0), (0, 0, 0))
    assert later == [
        Followed(iteration, (30, 32, 34), (6, 6, 6), (4, 4, 4), (3, 3, 3))
        for iteration in (81, 243, 729, 2187)
    ]


def test_what_there_is_is_said(told: dict[str, Any]) -> None:
    setting = told["setting"]
    assert (setting["networks"], setting["trainings"], setting["images"]) == (75, 42, 24)
    # all of seed 0, and the finished base networks of the others
    assert setting["shipped"] == 25 + 2
    assert setting["parameters"] == (27_000, 411_000)
    assert setting["hours"] == pytest.approx(75 * 36 / 3600)
    assert setting["convolutions"] == {"base": 5, "deeper": 7, "shallower": 4}
    assert setting["stronger_decay"] == pytest.approx(20)


# unit 0 is held in two of the four images where it fires, unit 1 in one of three
HAND = [[7, 0], [5, 1], [5, 7], [3, 5]]


def one_network(tables: Path, **answer: Any) -> Evidence:
    write_network(tables / "base-s0", Training(recipe_of("base"), 0), "base-s0", 5103)
    write_experiment(tables, "base-s0", "predictions", answer)
    return Evidence(tables)


def test_explanations_are_held_against_the_same_units_elsewhere(tmp_path: Path) -> None:
    evidence = one_network(
        tmp_path,
        shown=np.ones(4, np.bool_),
        right=np.array([True, True, False, False]),
        units=np.array([3, 8], np.int16),
        masks=np.array(HAND, np.uint8),
    )
    found = {name: share.value for name, share in explained(evidence, "base-s0").items()}
    # right ones by unit 0 twice; wrong ones by unit 0 once and by unit 1 twice
    assert found == pytest.approx(
        {"right": 1 / 2, "right_usual": 1 / 2, "wrong": 1 / 3, "wrong_usual": (1 / 2 + 1 / 3 + 1 / 3) / 3}
    )


def naive_explained(answer: dict[str, Any], often: list[int]) -> dict[str, float]:
    """Count image by image and unit by unit, each image as often as it was drawn."""
    images = [image for image in range(len(often)) if answer["shown"][image] for _ in range(often[image])]
    masks = answer["masks"].tolist()
    usual = []
    for unit in range(len(answer["units"])):
        fires = [image for image in images if masks[image][unit] & 1]
        usual.append(sum(masks[image][unit] & 2 > 0 for image in fires) / max(1, len(fires)))
    told = {}
    for name, right in (("right", True), ("wrong", False)):
        pairs = [
            (image, unit)
            for image in images
            if bool(answer["right"][image]) is right
            for unit in range(len(usual))
            if masks[image][unit] & 4
        ]
        many = max(1, len(pairs))
        told[name] = sum(masks[image][unit] & 2 > 0 for image, unit in pairs) / many
        told[f"{name}_usual"] = sum(usual[unit] for _, unit in pairs) / many
    return told


def test_explanations_are_counted_so_in_every_resample(tmp_path: Path) -> None:
    answer = predictions_of(0)
    found = explained(one_network(tmp_path, **answer), "base-s0")
    images = len(answer["shown"])
    drawn = np.concatenate([np.ones((1, images), np.int64), *resample_weights(images, 40, 0)])
    for place, often in enumerate(drawn.tolist()):
        naive = naive_explained(answer, often)
        for name, share in found.items():
            value = share.value if place == 0 else share.resampled[place - 1]
            assert value == pytest.approx(naive[name]), (place, name)


def test_findings_of_explanations_are_excesses(told: dict[str, Any]) -> None:
    naive = [naive_explained(predictions_of(seed), [1] * 24) for seed in range(3)]
    right = [one["right"] - one["right_usual"] for one in naive]
    wrong = [one["wrong"] - one["wrong_usual"] for one in naive]
    relevant, mistaken = told["findings"]["relevant"], told["findings"]["mistaken"]
    assert relevant.difference.seeds == pytest.approx(right)
    assert mistaken.difference.seeds == pytest.approx([b - a for a, b in zip(right, wrong, strict=True)])
    assert (relevant.published, mistaken.published) == (1, -1)
    assert told["predictions"]["wrong"].seeds == pytest.approx([one["wrong"] for one in naive])


LABELS: tuple[list[Label | None], ...] = (
    [("a", "object"), ("b", "object"), ("x", "part"), None],
    [("a", "object"), None, ("x", "part"), ("y", "part")],
    [("c", "object"), ("d", "object"), ("x", "part"), ("x", "part")],
)


def test_overlap_is_that_of_all_draws_and_all_pairings(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for seed, labels in enumerate(LABELS):
        name = f"base-s{seed}"
        write_network(tmp_path / name, Training(recipe_of("base"), seed), name, 5103)
        write_units(tmp_path / name, "relu5", 4, labels)
    pools = {"object": "abcde", "part": "wxyz"}
    named = [(label, category, 10) for category, pool in pools.items() for label in pool]
    rows = [(n, *concept) for n, concept in enumerate([*named, ("nowhere", "part", 0)])]
    write_rows(tmp_path / "concepts.csv", ("number", "name", "category", "images"), rows)
    iou = (rng.random((3, 4, 10)) ** 3).astype(np.float16)
    for seed in range(3):
        path = tmp_path / f"base-s{seed}" / "resampled.npz"
        write_archive(path, SCHEMA, {**read_archive(path, SCHEMA), "last_iou": iou[seed]})
    found = overlap(Evidence(tmp_path))
    for place, (one, other) in enumerate(itertools.combinations(range(3), 2)):
        first, second = ({label for label in LABELS[seed] if label} for seed in (one, other))
        assert found.jaccard[place] == pytest.approx(len(first & second) / len(first | second))
        drawn = [
            {(label, category) for category, labels in zip(pools, chosen, strict=True) for label in labels}
            for chosen in itertools.product(
                *(
                    itertools.combinations(pool, sum(c == category for _, c in second))
                    for category, pool in pools.items()
                )
            )
        ]
        shared = [len(first & draw) for draw in drawn]
        total = len(first) + len(second)
        assert found.chance[place] == pytest.approx(sum(s / (total - s) for s in shared) / len(drawn))
        beyond = sum(s >= len(first & second) for s in shared)
        assert found.p_values[place] == pytest.approx(beyond / len(drawn))
        profiles = [iou[seed].astype(np.float64) for seed in (one, other)]
        sides = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in profiles]
        cosines = sides[0] @ sides[1].T
        assert found.numbers[place] == pytest.approx(np.diag(cosines).mean(), abs=1e-3)
        best = max(cosines[range(4), order].mean() for order in itertools.permutations(range(4)))
        assert found.matched[place] == pytest.approx(best, abs=1e-3)
        assert found.random[place] <= found.matched[place] + 1e-9
        assert 0 < found.shuffled[place] < 1


def test_what_is_missing_is_named_in_one_go(made_tables: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    shutil.copytree(made_tables, tables)
    Evidence(tables).check()
    for name in ("base-s1-i0", "dropout-s2"):
        shutil.rmtree(tables / name)
    with pytest.raises(MissingNetworksError) as missing:
        Evidence(tables).check()
    assert "base-s1-i0, dropout-s2 in" in str(missing.value)
    assert "train.py" in str(missing.value)


def test_answers_of_another_file_or_asked_otherwise_do_not_count(made_tables: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    shutil.copytree(made_tables, tables)
    card = tables / "base-s2" / "network.json"
    other = {**json.loads(card.read_text(encoding="utf-8")), "sha256": "another"}
    card.write_text(json.dumps(other), encoding="utf-8")
    (tables / "base-s0" / "rotations.npz").unlink()
    (tables / "base-s1" / "thresholds.npz").write_bytes(b"damaged")
    with pytest.raises(MissingNetworksError) as missing:
        Evidence(tables).check()
    told = str(missing.value)
    for name in ("rotations of base-s0", "thresholds of base-s1", "predictions of base-s2"):
        assert name in told
    assert "rotations of base-s1" not in told
    assert "experiments.py" in told
