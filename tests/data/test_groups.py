"""Images that belong together: read, resampled and shuffled together, and found where nobody named them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from support.checking import call
from support.former_runs import without_checksums
from support.resampled import walk_all
from support.small_runs import Convolution, broden, dissect, network

from onnxdissect.data import check_folder, describe, open_dataset
from onnxdissect.data.groups import group_warnings
from onnxdissect.errors import DataFormatError, ParameterError, RunMismatchError
from onnxdissect.results import rescore
from onnxdissect.results.label_units import primary_categories
from onnxdissect.statistics.corrections import false_discovery_rates
from onnxdissect.statistics.resamples import Resamples, resample_weights
from onnxdissect.statistics.significance import GumbelNull

IMAGES = 24


def with_column(folder: Path, name: str, group_of: Callable[[int], str]) -> None:
    path = folder / "index.csv"
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[*header, name], *([*row, group_of(i)] for i, row in enumerate(rows))])


def shape_of(path: Path) -> tuple[int, ...]:
    image = cv2.imread(str(path))
    assert image is not None
    return tuple(map(int, image.shape))


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", IMAGES, seed=2)
    return tmp_path


def test_groups_are_numbered_as_they_appear(world: Path) -> None:
    data = world / "data"
    assert open_dataset(data).groups() is None
    with_column(data, "group", lambda i: ["b", "a", "", "b"][i % 4])
    groups = open_dataset(data).subset(limit=8).groups()
    # An empty cell is a group of its own.
    assert groups is not None and groups.tolist() == [0, 1, 2, 0, 0, 1, 3, 0]
    assert open_dataset(data, groups="none").groups() is None
    facts = describe(open_dataset(data))
    assert (facts.grouped_by, facts.groups) == ("group", 2 + IMAGES // 4)


def test_groups_by_other_columns_and_paths(world: Path) -> None:
    data = world / "data"
    whole = open_dataset(data, groups="folder").groups()
    assert whole is not None and (whole == 0).all()
    first = open_dataset(data, groups="prefix:1").groups()
    assert first is not None and first[[0, 1, 10, 19, 2, 20]].tolist() == [0, 1, 1, 1, 2, 2]
    with_column(data, "film", lambda i: str(i // 6))
    with pytest.raises(DataFormatError, match="film") as refused:
        open_dataset(data)
    assert "--groups film" in str(refused.value.hint)
    film = open_dataset(data, groups="film").groups()
    assert film is not None and film.tolist() == [i // 6 for i in range(IMAGES)]
    for wrong in ("prefix:0", "prefix:x", "prefix:", "prefix:-1", "prefix:1.5"):
        with pytest.raises(ParameterError, match=rf"N a whole number from 1: '{wrong}' asks for") as caught:
            open_dataset(data, groups=wrong)
        assert "--groups prefix:6" in str(caught.value.hint) and "column" not in caught.value.message
    for wrong in ("flim", "prefix"):
        with pytest.raises(ParameterError, match=wrong) as caught:
            open_dataset(data, groups=wrong)
        assert "film" in caught.value.candidates and caught.value.hint


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 50))
def test_whole_groups_are_drawn(names: list[int], seed: int) -> None:
    numbers = sorted(set(names), key=names.index)
    groups = np.array([numbers.index(name) for name in names])
    weights = np.concatenate(list(resample_weights(len(names), 70, seed, groups)))
    alone = np.concatenate(list(resample_weights(len(numbers), 70, seed)))
    expected = [naive_statistics.group_weights(row.tolist(), groups.tolist()) for row in alone]
    assert weights.tolist() == expected


def test_a_run_resamples_and_shuffles_groups(world: Path) -> None:
    with_column(world / "data", "group", lambda i: str(i // 3))
    run = dissect(world, bootstrap=150, seed=3)
    truth, per_image = run.truth_counts(), run.per_image("relu0")
    assert truth is not None and per_image is not None and truth.groups is not None
    assert truth.groups.tolist() == [i // 3 for i in range(IMAGES)]
    assert run.manifest["data"]["groups"] == "group"
    assert any("8 groups" in warning for warning in run.manifest["warnings"])
    labels = run.scores("relu0").concept
    category_of = primary_categories(run.concepts, run.categories)
    drawn = walk_all(Resamples(truth, category_of, 150, 3), per_image, labels)
    plain = dissect(world, bootstrap=150, seed=3, groups="none", out=world / "plain")
    for unit in run.units():
        assert unit.iou_low == pytest.approx(np.quantile(drawn.iou[0, unit.unit], 0.025), rel=1e-12)
    assert [unit.iou for unit in run.units()] == [unit.iou for unit in plain.units()]
    assert [unit.iou_low for unit in run.units()] != [unit.iou_low for unit in plain.units()]
    assert [unit.p_value for unit in run.units()] != [unit.p_value for unit in plain.units()]
    with pytest.raises(RunMismatchError, match=r"data\.groups"):
        dissect(world, bootstrap=150, seed=3, groups="none")


def test_groups_of_one_image_are_images(world: Path) -> None:
    plain = dissect(world)
    alone = dissect(world, groups="image", out=world / "alone")
    assert plain.units() == alone.units() and plain.summary() == alone.summary()


def test_a_single_group_has_no_intervals(world: Path) -> None:
    run = dissect(world, groups="folder")
    assert {unit.iou_low for unit in run.units()} == {unit.stability for unit in run.units()} == {None}
    assert all(unit.p_value is not None for unit in run.units())
    (summary,) = run.summary()
    assert summary.unique_low is None and summary.unique_high is None
    assert any("one group" in warning for warning in run.manifest["warnings"])
    said = call(world / "net.onnx", "--baseline", world / "run", cwd=world)
    # What cannot be tested has not passed.
    assert said.code == 1 and "of one group" in said.out


def test_a_check_draws_the_groups_of_its_baseline(world: Path) -> None:
    with_column(world / "data", "film", lambda i: str(i // 3))
    dissect(world, groups="film", out=world / "base")
    said = call(world / "net.onnx", "--baseline", world / "base", cwd=world)
    assert said.code == 0, said.err + said.out


def test_few_groups_are_told_of() -> None:
    assert group_warnings(None) == [] == group_warnings(np.arange(20).repeat(3))
    (told,) = group_warnings(np.array([0] * 60 + list(range(1, 41))))
    assert "100 images are of 41 groups, worth 2.7 of equal size" in told


def test_neighbours_that_look_alike_are_told_of(world: Path, tmp_path: Path) -> None:
    folder = world / "data"
    random = np.random.default_rng(0)
    scenes = random.integers(0, 256, (4, 4, 4, 3)).astype(np.uint8)
    for i in range(IMAGES):
        path = folder / "images" / f"{i}.png"
        height, width = shape_of(path)[:2]
        # By name 0, 1, 10, 11, ..., 19, 2, 20, ...
        scene = cv2.resize(scenes[int(str(i)[0]) % 4], (width, height))
        cv2.imwrite(str(path), np.clip(scene + random.normal(0, 3, scene.shape), 0, 255).astype(np.uint8))
    problems = [p for p in check_folder(folder).problems if "look like" in p.message]
    assert len(problems) == 1 and problems[0].level == "warning" and "--groups" in problems[0].message
    assert "10.png like 1.png" in problems[0].message
    grouped = check_folder(folder, groups="prefix:1").problems
    assert not [p for p in grouped if "look like" in p.message]


def test_unlike_neighbours_are_no_matter(world: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(IMAGES):
        path = world / "data" / "images" / f"{i}.png"
        cv2.imwrite(str(path), random.integers(0, 256, shape_of(path), np.uint8))
    assert not [p for p in check_folder(world / "data").problems if "look like" in p.message]


def test_runs_of_before_keep_their_p_values(world: Path) -> None:
    run = dissect(world)
    place = run.path / "layers" / "relu0" / "null.npz"
    with np.load(place) as archive:
        best = archive["best"]
    np.savez(place, best=best)
    without_checksums(run.path)
    old = rescore(run.path, iou_threshold=0.02)
    p = GumbelNull(10).p_values(best[0], best[1:])[0]
    assert [unit.p_value for unit in old.units()] == p.tolist()
    assert [unit.q_value for unit in old.units()] == false_discovery_rates(p).tolist()
