"""Images of a joined data set: the same bytes, under names that no file system takes for one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from support.commands import called
from support.datasets import Broden, Label, Listed, Picture, write_broden
from support.named_labels import Draw

from onnxdissect.data import check_folder, join_datasets, open_data, open_dataset


def test_images_are_those_that_they_were(tmp_path: Path, draw: Draw) -> None:
    folders = [draw("a", {"object": ["road"]}, file="day/{}.jpg"), draw("b", {"object": ["road"]})]
    join_datasets(folders, tmp_path / "out")
    for name in ("a/day/a0.jpg", "a/day/a1.jpg", "b/b0.png"):
        source, _, image = name.partition("/")
        before = tmp_path / source / "images" / image
        assert (tmp_path / "out" / "images" / name).read_bytes() == before.read_bytes()
        assert not (tmp_path / "out" / "images" / name).is_symlink()


def test_links_lead_to_where_images_are(tmp_path: Path, draw: Draw) -> None:
    folders = [draw("a", {"object": ["road"]}), draw("b", {"object": ["road"]})]
    done = called(tmp_path, "data", "join", "a", "b", "--out", "out", "--link")
    assert done.stdout.endswith("--data linked:out\n"), done.stderr
    for folder in folders:
        image = tmp_path / "out" / "images" / folder.name / f"{folder.name}0.png"
        assert image.is_symlink()
        assert image.samefile(folder / "images" / f"{folder.name}0.png")
    linked = open_data(f"linked:{tmp_path / 'out'}")
    assert len(linked) == 4
    assert linked.read_image(3).shape == (6, 9, 3)
    # which is a source as any other, and its files are told from links that nobody trusts
    assert join_datasets([f"linked:{tmp_path / 'out'}"], tmp_path / "copied").images == 4
    assert check_folder(tmp_path / "copied").errors == 0
    assert "leads out" in called(tmp_path, "data", "join", "out", "--out", "no").stderr
    assert "leads out" in called(tmp_path, "data", "check", "out").stdout


def test_data_sets_of_one_name_have_folders_of_their_own(tmp_path: Path, draw: Draw) -> None:
    one = draw("a", {"object": ["road"]})
    (tmp_path / "other").mkdir()
    shutil.copytree(one, tmp_path / "other" / "A")
    report = join_datasets([one, tmp_path / "other" / "A"], tmp_path / "out")
    assert [part.name for part in report.parts] == ["a", "A-2"]
    assert {path.name for path in (tmp_path / "out" / "images").iterdir()} == {"a", "A-2"}
    # all of them are doubles
    assert len(report.doubles) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems hold these names as one")
def test_images_that_would_be_one_file_get_other_names(tmp_path: Path) -> None:
    nfd = "cafe\N{COMBINING ACUTE ACCENT}.png"
    names = ("x.png", "X.png", "x.jpg", "x_object.png", "x_object_3.png", nfd, "café.png")
    plane = np.ones((2, 2), int)
    pictures = [Picture(name, {"object": [plane, plane]}, grid=(2, 2)) for name in names]
    road = Label(1, "road", {"object": Listed(1, 1)})
    write_broden(tmp_path / "a", Broden(("object",), [road], pictures))
    report = join_datasets([tmp_path / "a"], tmp_path / "out")
    written = ["x.png", "X-2.png", "x-3.jpg", "x_object-2.png", "x_object_3-2.png", "café.png", "café-2.png"]
    assert [entry.image for entry in open_dataset(tmp_path / "out").entries] == [
        f"a/{name}" for name in written
    ]
    for before, now in zip(names, written, strict=True):
        image = tmp_path / "out" / "images" / "a" / now
        assert image.read_bytes() == (tmp_path / "a" / "images" / before).read_bytes()
    assert len(report.renamed) == 6
    assert check_folder(tmp_path / "out").errors == 0
    files = [str(path).casefold() for path in (tmp_path / "out" / "images").rglob("*.*")]
    assert len(set(files)) == len(files) == 3 * len(names)


def test_images_listed_twice_or_without_a_suffix_are_kept(tmp_path: Path, draw: Draw) -> None:
    folder = draw("a", {"object": ["road"]})
    (folder / "images" / "a0.png").rename(folder / "images" / "plain")
    index = (folder / "index.csv").read_text().replace("a0.png,", "plain,")
    (folder / "index.csv").write_text(index + index.splitlines()[-1] + "\n")
    done = called(tmp_path, "data", "join", "a", "--out", "out")
    assert [entry.image for entry in open_dataset(tmp_path / "out").entries] == [
        "a/plain.image",
        "a/a1.png",
        "a/a1-2.png",
    ]
    assert "renamed:      2 images, such as a/plain, which is a/plain.image\n" in done.stdout
    assert check_folder(tmp_path / "out").errors == 0
