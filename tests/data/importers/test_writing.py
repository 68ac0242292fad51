"""Sizes, colours, scenes, splits and links are written as they are asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from naive import grids as naive
from support.commands import called
from support.imported_data import imported, maps_of, one_of_each, write
from support.importing import index_rows
from support.masked import blocks, photograph, save_photograph
from support.samples import masks as sample

from onnxdissect.data import about_of, open_data, open_dataset
from onnxdissect.data.importers.imported import ImportedData, ImportedImage
from onnxdissect.errors import OutputError


def test_without_a_size_files_are_taken_over_and_label_maps_are_as_they_are(tmp_path: Path) -> None:
    cells = one_of_each()
    data = imported(tmp_path, ["a/1.png", "2.png"], {"a/1.png": cells, "2.png": {"object": [300]}})
    report = write(data, tmp_path / "out")
    assert (tmp_path / "out" / "images" / "a" / "1.png").read_bytes() == data.images[0].file.read_bytes()
    assert [np.array_equal(m, cells["object"][0]) for m in maps_of(tmp_path / "out", "object")] == [True]
    assert [np.array_equal(m, cells["part"][0]) for m in maps_of(tmp_path / "out", "part")] == [True]
    assert [(row["split"], row["group"], row["sh"]) for row in index_rows(tmp_path / "out")] == [
        ("first", "film", "24")
    ] * 2
    found = {one.name: one for one in report.categories}
    assert (found["object"].concepts, found["object"].images) == (2, 2)
    held = np.asarray(cells["object"][0])
    assert found["object"].pixels == np.count_nonzero(held) + 24 * 32
    assert found["part"].pixels == 7 and report.images == 2 and report.splits == {"first": 2}
    # "wheel" is an object nowhere, and "never" nothing anywhere
    assert report.concepts == 3
    assert report.notes == ("from the format", "1 of 4 labels are held by no image and left out: never")
    vocabulary = open_dataset(tmp_path / "out").vocabulary
    assert {c.name: c.categories for c in vocabulary.concepts}["wheel"] == ("part",)


@pytest.mark.parametrize("aspect", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("resample", [None, "nearest", "majority"])
def test_with_a_size_images_are_squares_and_grids_half_of_them(
    tmp_path: Path, aspect: str, resample: str | None
) -> None:
    size, cells = (24, 32), one_of_each()
    data = imported(tmp_path, ["a.jpg"], {"a.jpg": cells}, size)
    write(data, tmp_path / "out", size=17, aspect=aspect, resample=resample)
    [row] = index_rows(tmp_path / "out")
    assert (row["image"], row["ih"], row["iw"], row["sh"], row["sw"]) == ("a.png", "17", "17", "8", "8")
    rules = {"nearest": naive.nearest, "majority": naive.majority}
    for category, default in (("object", "nearest"), ("part", "majority")):
        expected = rules[resample or default](np.asarray(cells[category][0]), size, aspect, (8, 8))
        written = maps_of(tmp_path / "out", category)
        assert np.array_equal(written[0], expected) if written else not expected.any()
    [pixels] = [open_dataset(tmp_path / "out").read_image(0)]
    stored = photograph(0, *size)
    (top, left), (height, width) = naive.square(size, aspect)
    around = np.pad(stored, ((32, 32), (32, 32), (0, 0)))
    square = around[32 + top : 32 + top + height, 32 + left : 32 + left + width]
    assert np.array_equal(pixels, cv2.resize(square, (17, 17), interpolation=cv2.INTER_AREA))


def test_label_maps_of_another_resolution_lie_over_the_whole_image(tmp_path: Path) -> None:
    coarse = blocks(1, (0, 1, 300), 12, 16)
    data = imported(tmp_path, ["a.png"], {"a.png": {"object": [coarse]}})
    write(data, tmp_path / "kept")
    assert np.array_equal(maps_of(tmp_path / "kept", "object")[0], coarse)
    write(data, tmp_path / "out", size=20)
    expected = naive.nearest(coarse, (24, 32), "stretch", (10, 10))
    assert np.array_equal(maps_of(tmp_path / "out", "object")[0], expected)


def test_several_label_maps_of_a_category_stay_several(tmp_path: Path) -> None:
    planes = [blocks(seed, (0, 1, 300)) for seed in range(3)]
    data = imported(tmp_path, ["a.png"], {"a.png": {"object": [*planes, 2]}})
    write(data, tmp_path / "out", size=48)
    [row] = index_rows(tmp_path / "out")
    assert row["object"] == "a_object_1.png;a_object_2.png;a_object_3.png;2"
    for plane, written in zip(planes, maps_of(tmp_path / "out", "object"), strict=True):
        assert np.array_equal(written, naive.nearest(plane, (24, 32), "stretch", (24, 24)))


@pytest.mark.parametrize(
    "options", [{}, {"size": 16}, {"size": 16, "aspect": "pad"}, {"size": 16, "link": True}]
)
def test_every_pixel_has_its_colour(tmp_path: Path, options: dict[str, Any]) -> None:
    data = imported(tmp_path, ["a.png"], {"a.png": {"object": [1]}})
    write(data, tmp_path / "out", color=True, **options)
    dataset = open_dataset(tmp_path / "out", follow_links=True)
    names = {c.number: c.name for c in dataset.vocabulary.concepts}
    [label_map] = maps_of(tmp_path / "out", "color")
    # the pixels at the centres of the cells, of the image as it was written
    pixels = dataset.read_image(0)
    aspect = options.get("aspect", "stretch")
    for row in range(label_map.shape[0]):
        for column in range(label_map.shape[1]):
            y = (2 * row + 1) * pixels.shape[0] // (2 * label_map.shape[0])
            x = (2 * column + 1) * pixels.shape[1] // (2 * label_map.shape[1])
            if aspect == "pad" and not 2 <= 2 * row + 1 < 14:
                assert label_map[row, column] == 0
            else:
                assert names[label_map[row, column]] == f"{naive.color(*pixels[y, x].tolist())}-c"


def test_scenes_and_groups_of_folders(tmp_path: Path) -> None:
    names = ["town/street/1.png", "yard/2.png", "3.png"]
    data = imported(tmp_path, names, {name: {"object": [1]} for name in names})
    report = write(data, tmp_path / "out", scene="folders", group="folder")
    dataset = open_dataset(tmp_path / "out")
    scenes = {c.index: c.name for c in dataset.vocabulary.concepts if c.category == "scene"}
    found = [
        [scenes[i] for i in dataset.read_annotation(k).image_labels.tolist() if i in scenes] for k in range(3)
    ]
    assert found == [["street-s"], ["yard-s"], []]
    assert [row["group"] for row in index_rows(tmp_path / "out")] == ["town/street", "yard", "."]
    assert any("1 of 3 images have no scene, as they lie in no folder" in note for note in report.notes)


def test_folders_of_splits_are_no_scenes(tmp_path: Path) -> None:
    names = ["train/1.png", "val/beach/2.png", "beach/test/3.png"]
    data = imported(tmp_path, names, {name: {"object": [1]} for name in names})
    report = write(data, tmp_path / "out", scene="folders")
    [scene] = [one for one in open_dataset(tmp_path / "out").vocabulary.concepts if one.category == "scene"]
    assert scene.name == "beach-s"
    assert [row["scene"] != "" for row in index_rows(tmp_path / "out")] == [False, True, True]
    assert any(note.startswith("1 of 3 images have no scene") for note in report.notes)
    write(data, tmp_path / "none", group="none")
    assert "group" not in index_rows(tmp_path / "none")[0]


def test_splits_of_folders_and_of_content(tmp_path: Path) -> None:
    names = ["training/1.png", "x/Val/2.png", "x/3.png"]
    data = imported(tmp_path, names, {name: {"object": [1]} for name in names})
    report = write(data, tmp_path / "folders", split_from="folders")
    assert [row["split"] for row in index_rows(tmp_path / "folders")] == ["train", "val", "first"]
    assert any(note.startswith("1 of 3 images have no split of their own") for note in report.notes)

    many = [f"{i}.png" for i in range(40)]
    data = imported(tmp_path, many, {name: {"object": [1]} for name in many}, (4, 4))
    write(data, tmp_path / "films", split_from="hash")
    assert len({row["split"] for row in index_rows(tmp_path / "films")}) == 1
    write(data, tmp_path / "hash", split_from="hash", group="none")
    splits = [row["split"] for row in index_rows(tmp_path / "hash")]
    assert 20 < splits.count("train") < 36 and set(splits) == {"train", "val"}
    renamed = [
        ImportedImage(f"other/{i}.png", one.file, one.annotations) for i, one in enumerate(data.images)
    ]
    reverse = ImportedData(data.categories, data.labels, renamed[::-1])
    write(reverse, tmp_path / "again", split_from="hash", group="none", limit=30)
    assert [row["split"] for row in index_rows(tmp_path / "again")] == splits[::-1][:30]


def test_links_lead_to_images_and_are_opened_as_such(tmp_path: Path) -> None:
    cells = one_of_each()
    data = imported(tmp_path, ["a/1.png"], {"a/1.png": cells})
    report = write(data, tmp_path / "out", link=True, size=16)
    written = tmp_path / "out" / "images" / "a" / "1.png"
    assert written.is_symlink() and written.resolve() == data.images[0].file.resolve()
    assert report.spec == f"linked:{tmp_path / 'out'}"
    dataset = open_data(report.spec)
    assert dataset.grid(0) == (8, 8)
    assert np.array_equal(dataset.read_image(0), photograph(0))
    assert index_rows(tmp_path / "out")[0]["ih"] == "24"
    assert np.array_equal(
        maps_of(tmp_path / "out", "object")[0],
        naive.nearest(np.asarray(cells["object"][0]), (24, 32), "stretch", (8, 8)),
    )


def test_links_that_cannot_be_made_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path, target_is_directory: bool = False) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    data = imported(tmp_path, ["1.png"], {"1.png": {"object": [1]}})
    with pytest.raises(OutputError, match=r"a link to .*0\.png: A required privilege is not held") as caught:
        write(data, tmp_path / "out", link=True)
    assert caught.value.hint == "without --link images are copied"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    names = [f"{i % 3}/{i}.png" for i in range(9)]
    data = imported(tmp_path, names, {name: one_of_each() for name in names})
    files = []
    for workers in (1, 4):
        folder = tmp_path / f"by{workers}" / "out"
        write(data, folder, workers=workers, color=True, size=20)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files.append({path.relative_to(folder): path.read_bytes() for path in paths})
    assert files[0] == files[1] and len(files[0]) > 30


def test_where_it_comes_from_travels(tmp_path: Path) -> None:
    sample.make(tmp_path)
    done = called(
        tmp_path,
        *(
            "data",
            "import",
            "masks",
            "out",
            "--images",
            "photos",
            "--masks",
            "masks",
            "--classes",
            "classes.csv",
        ),
        *("--ignore", "255", "--size", "8", "--link", "--licence", "CC0 1.0", "--name", "streets", "--json"),
    )
    about = about_of(open_data(f"linked:{tmp_path / 'out'}"))
    assert about is not None
    assert (about.name, about.licence) == ("streets", "CC0 1.0")
    assert about.made == "import masks --ignore 255 --size 8 --link"
    blank = imported(tmp_path / "b", ["1.png"], {"1.png": {"object": [1]}})
    assert write(blank, tmp_path / "other", name="  ").name == "other"
    told = json.loads(done.stdout)
    assert (told["spec"], told["images"], told["licence"]) == ("linked:out", 3, "CC0 1.0")
    assert [one["name"] for one in told["categories"]] == ["object", "material"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    for i in range(300):
        save_photograph(tmp_path / "places" / "a" / f"{i}.png", photograph(i, 300, 400))
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxdissect", "data", "import", "folders", "out", "--images", "places"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and not list(tmp_path.glob("out.*.partial/images/a/*")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    said, told = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, ""), told
    assert told.endswith("interrupted; nothing was written to out\n")
    assert [path.name for path in tmp_path.iterdir()] == ["places"]
