"""`data check` finds every problem; `data info` states facts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.datasets import Broden, Damage, Label, Listed, Picture, random_broden, write_broden

from onnxdissect.data import Problem, check_dataset, check_folder, describe, open_dataset
from onnxdissect.errors import DataFormatError, ParameterError

GRID = (4, 4)


def broden() -> Broden:
    labels = [
        Label(3, "sky", {"object": Listed(3, 2.5)}),
        Label(5, "wheel", {"part": Listed(1, 0.25), "object": Listed(1, 0.125)}),
        Label(7, "ghost", {"part": Listed(0, 0.0)}),
        Label(9, "coast", {"scene": Listed(2, 2.0)}),
    ]
    sky, wheel = np.full(GRID, 3), np.full(GRID, 5)
    wheel[:2] = 0
    pictures = [
        Picture("ade/a.jpg", {"object": [sky], "part": [wheel], "scene": [9]}, grid=GRID),
        Picture("ade/b.jpg", {"object": [sky]}, grid=GRID, split="val"),
        Picture("dtd/c.png", {"scene": [9]}, grid=(8, 8), size=(30, 20)),
        Picture("d.png", {}, grid=GRID),
    ]
    return Broden(("object", "part", "scene"), labels, pictures)


@pytest.fixture
def damage(tmp_path: Path) -> Damage:
    return Damage(write_broden(tmp_path / "shore", broden()))


def test_a_sound_data_set_has_only_warnings(damage: Damage) -> None:
    seen: list[tuple[int, int]] = []
    report = check_folder(
        damage.folder, min_images=1, progress=lambda done, images: seen.append((done, images))
    )
    assert report.ok
    assert report.images == 4
    assert report.problems == (
        Problem("warning", "d.png", 5, "the image has no annotation at all"),
        Problem("warning", "label.csv", None, "no pixel holds label 7 ('ghost')"),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_every_problem_is_found(damage: Damage) -> None:
    images = damage.folder / "images"
    damage.truncate("ade/a.jpg")
    (images / "ade" / "a_object_0.png").unlink()
    damage.truncate("ade/a_part_0.png")
    (images / "ade" / "b_object_0.png").write_bytes((images / "dtd" / "c.png").read_bytes())
    damage.replace("index.csv", "30,20,8,8", "31,20,8,8")
    index = damage.folder / "index.csv"
    index.write_text(
        index.read_text() + "ade/b.jpg,val,24,24,4,4,,,9\nx.jpg,val,24,24,4,4,,,8\n../y.jpg,,0,0,0,0,,,\n"
    )

    report = check_folder(damage.folder, workers=3)
    assert not report.ok
    assert report.errors == 6
    assert [(p.level, p.file, p.row) for p in report.problems] == [
        ("error", "ade/a.jpg", 2),
        ("error", "ade/a_object_0.png", 2),
        ("error", "ade/a_part_0.png", 2),
        ("error", "ade/b_object_0.png", 3),
        ("warning", "dtd/c.png", 4),
        ("warning", "d.png", 5),
        ("warning", "index.csv", 6),
        ("error", "index.csv", 7),
        ("error", "index.csv", 8),
    ]
    messages = [p.message for p in report.problems]
    assert "is truncated" in messages[0]
    assert "is missing" in messages[1]
    assert "is 30x20; by its sh and sw it should be 4x4" in messages[3]
    assert messages[4] == "the image is 30x20; by its ih and iw it should be 31x20"
    assert messages[6] == "the image ade/b.jpg is listed 2 times, and counts as often"
    assert messages[7] == "label number 8 is not in label.csv"
    assert "leads out of the images folder" in messages[8]
    assert json.loads(json.dumps(report.to_json()))["problems"][7]["row"] == 7


def test_a_subset_is_checked_alone(damage: Damage) -> None:
    damage.truncate("ade/a.jpg")
    dataset = open_dataset(damage.folder)
    assert not check_dataset(dataset).ok
    val = check_dataset(dataset.subset(split="val"))
    assert val.ok
    assert (val.name, val.images) == ("shore", 1)


def test_nothing_to_check(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "d", Broden(("object",), [Label(1, "a", {"object": Listed(1, 1)})], []))
    report = check_folder(folder)
    assert [p.message for p in report.problems] == ["the index lists no image that can be read"]
    (folder / "label.csv").unlink()
    with pytest.raises(DataFormatError):
        check_folder(folder)
    dataset = open_dataset(write_broden(tmp_path / "e", random_broden()))
    with pytest.raises(ParameterError, match="workers"):
        check_dataset(dataset, workers=0)
    with pytest.raises(ParameterError, match="fewer than -1 images"):
        check_dataset(dataset, min_images=-1)


def test_facts(damage: Damage) -> None:
    facts = describe(open_dataset(damage.folder), largest=1)
    assert (facts.name, facts.images, facts.concepts, facts.bare) == ("shore", 4, 4, 1)
    assert facts.splits == {"train": 3, "val": 1}
    assert facts.sources == {"ade": 2, "dtd": 1, ".": 1}
    assert facts.sizes == {"24x24": 3, "30x20": 1}
    assert facts.grids == {"4x4": 3, "8x8": 1}
    assert [(c.name, c.concepts, c.images, c.largest) for c in facts.categories] == [
        ("object", 1, 2, (("sky", 2.5),)),
        ("part", 2, 1, (("wheel", 0.375),)),
        ("scene", 1, 2, (("coast", 2.0),)),
    ]
    assert facts.several == ("wheel",)
    assert facts.empty == ("ghost",)
    assert json.loads(json.dumps(facts.to_json()))["grids"] == facts.grids


def test_facts_of_a_subset(damage: Damage) -> None:
    facts = describe(open_dataset(damage.folder).subset(split="val"))
    assert facts.splits == {"val": 1}
    assert [c.images for c in facts.categories] == [1, 0, 0]
    with pytest.raises(ParameterError):
        describe(open_dataset(damage.folder), largest=-1)
