"""A packed file gives what its folder gives, to the bit."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.datasets import (
    Broden,
    Damage,
    Label,
    Listed,
    Picture,
    brodens,
    quirks,
    random_broden,
    write_broden,
)
from support.disks import small_disk

import onnxdissect.data.packed.writer
from onnxdissect.data import (
    BrodenDataset,
    Dataset,
    PackedDataset,
    open_data,
    open_dataset,
    open_packed,
    pack_dataset,
)
from onnxdissect.errors import (
    DataFormatError,
    EmptyDataError,
    ImageFileError,
    OutputError,
    ParameterError,
)


def same(packed: Dataset, folder: BrodenDataset) -> None:
    assert len(packed) == len(folder)
    assert packed.name == folder.name
    assert packed.image_size == folder.image_size
    assert packed.fingerprint == folder.fingerprint
    assert packed.grouped_by == folder.grouped_by
    np.testing.assert_array_equal(packed.groups(), folder.groups())
    ours, theirs = packed.vocabulary, folder.vocabulary
    assert (ours.categories, ours.concepts) == (theirs.categories, theirs.concepts)
    np.testing.assert_array_equal(ours.lookup, theirs.lookup)
    np.testing.assert_array_equal(ours.category_of, theirs.category_of)
    for i in range(len(folder)):
        assert (packed.image_name(i), packed.split(i)) == (folder.image_name(i), folder.split(i))
        assert packed.grid(i) == folder.grid(i)
        np.testing.assert_array_equal(packed.read_image(i), folder.read_image(i))
        found, expected = packed.read_annotation(i), folder.read_annotation(i)
        assert found.grid == expected.grid
        assert found.planes.dtype == np.uint16 and found.image_labels.dtype == np.int64
        np.testing.assert_array_equal(found.planes, expected.planes)
        np.testing.assert_array_equal(found.image_labels, expected.image_labels)
        assert not (found.planes.flags.writeable or found.image_labels.flags.writeable)


def packed_of(folder: Path) -> PackedDataset:
    target = folder.with_suffix(".packed")
    pack_dataset(open_dataset(folder), target)
    return open_packed(target)


def add_column(folder: Path, name: str) -> None:
    lines = (folder / "index.csv").read_text().splitlines()
    told = [f"{line},{name}{i % 3}" for i, line in enumerate(lines[1:])]
    (folder / "index.csv").write_text("\n".join([f"{lines[0]},{name}", *told]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_broden(tmp_path / "small", random_broden(3, pictures=9, nameless=True))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_data_set_is_the_same(data: st.DataObject) -> None:
    """Numbers to 65,535, grids of one pixel, several maps in a cell, labels of whole images, empty cells."""
    broden = data.draw(brodens())
    how = data.draw(quirks(len(broden.categories)))
    with tempfile.TemporaryDirectory() as place:
        folder = write_broden(Path(place) / "any", broden, how)
        opened = open_dataset(folder)
        packed = packed_of(folder)
        same(packed, opened)
        for split in opened.splits:
            same(packed.subset(split=split), opened.subset(split=split))
        same(packed.subset(limit=2), opened.subset(limit=2))


def test_maps_that_are_empty_repeat_or_say_what_the_whole_image_says(tmp_path: Path) -> None:
    labels = [Label(n, f"label{n}", {"object": Listed(1, 1.0)}) for n in (1, 2, 9)]
    empty, ones, mixed = np.zeros((2, 3), int), np.ones((2, 3), int), np.array([[1, 2, 9], [9, 9, 0]])
    cells: list[list[np.ndarray | int]] = [
        [empty],
        [empty, ones, empty, ones],
        [9, mixed, mixed[::-1], 9],
        [1, ones],
        [1, 2, 9],
        [],
    ]
    pictures = [Picture(f"{i}.png", {"object": list(cell)}, grid=(2, 3)) for i, cell in enumerate(cells)] + [
        Picture("dot.png", {"object": [np.array([[2]])]}, grid=(1, 1))
    ]
    folder = write_broden(tmp_path / "odd", Broden(("object",), labels, pictures))
    packed = packed_of(folder)
    same(packed, open_dataset(folder))
    assert [len(packed.read_annotation(i).planes) for i in range(len(packed))] == [0, 1, 2, 0, 0, 0, 1]
    assert [len(packed.read_planes(i)) > 0 for i in range(3)] == [False, True, True]


def test_numbers_up_to_65535_in_one_map(tmp_path: Path) -> None:
    numbers = np.arange(35, 65536, 100)
    labels = [Label(int(n), f"label{n}", {"object": Listed(1, 1.0)}) for n in numbers]
    cells = np.resize(np.append(0, numbers), (40, 30))
    picture = Picture("a.png", {"object": [cells]}, grid=(40, 30))
    folder = write_broden(tmp_path / "many", Broden(("object",), labels, [picture]))
    packed = packed_of(folder)
    same(packed, open_dataset(folder))
    assert len(np.unique(packed.read_annotation(0).planes)) == numbers.size + 1
    assert packed.vocabulary.concepts[-1].number == 65535


def test_images_are_stored_byte_for_byte(folder: Path) -> None:
    packed = packed_of(folder)
    content = Path(packed.place).read_bytes()
    for i in range(len(packed)):
        file = (folder / "images" / packed.image_name(i)).read_bytes()
        assert packed.read_image_file(i) == file
        assert content.count(file) == 1


def test_an_image_that_is_listed_twice_is_stored_once(folder: Path) -> None:
    index = folder / "index.csv"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines, lines[1]]))
    packed = packed_of(folder)
    same(packed, open_dataset(folder))
    assert Path(packed.place).read_bytes().count((folder / "images" / packed.image_name(0)).read_bytes()) == 1


def test_groups_are_asked_for_when_it_is_opened(folder: Path) -> None:
    add_column(folder, "group")
    packed_of(folder)
    target = folder.with_suffix(".packed")
    for groups in (None, "group", "folder", "prefix:8", "none"):
        same(open_packed(target, groups=groups), open_dataset(folder, groups=groups))
    assert open_packed(target).grouped_by == "group"
    with pytest.raises(ParameterError, match="no column 'street' to group images by"):
        open_packed(target, groups="street")


def test_a_column_of_another_name_is_asked_for_as_of_the_folder(folder: Path, tmp_path: Path) -> None:
    add_column(folder, "film")
    pack_dataset(open_dataset(folder, groups="film"), tmp_path / "x")
    same(open_packed(tmp_path / "x", groups="film"), open_dataset(folder, groups="film"))
    with pytest.raises(DataFormatError, match=r"index\.csv has the column film") as caught:
        open_packed(tmp_path / "x")
    assert caught.value.hint == "if it groups images, --groups film, or call it group"


def test_the_same_folder_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    files = [tmp_path / "one.packed", tmp_path / "two.packed"]
    for file, workers in zip(files, (1, 4), strict=True):
        pack_dataset(open_dataset(folder), file, workers=workers)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_is_packed_is_told(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    facts = pack_dataset(
        open_dataset(folder), tmp_path / "deep" / "a.packed", progress=lambda *done: seen.append(done)
    )
    maps = [*(folder / "images").rglob("*_*.png")]
    images = [path for path in (folder / "images").rglob("*.*") if path not in maps]
    assert facts.path == tmp_path / "deep" / "a.packed"
    assert facts.images == 9
    assert facts.file_bytes == facts.path.stat().st_size
    assert facts.image_bytes == sum(path.stat().st_size for path in images)
    assert facts.label_map_bytes == sum(path.stat().st_size for path in maps)
    packed = open_packed(facts.path)
    assert facts.label_bytes == sum(len(packed.read_planes(i)) for i in range(len(packed)))
    assert seen == [(i + 1, 9) for i in range(9)]


def test_it_is_a_data_set_of_our_own(folder: Path) -> None:
    packed = packed_of(folder)
    assert isinstance(packed, Dataset)
    assert open_data(packed) is packed
    assert type(open_data(packed.place)) is type(open_data(Path(packed.place))) is PackedDataset
    assert packed.source == {"spec": str(folder.with_suffix(".packed").absolute())}
    assert packed.image_size == (24, 24)


def test_about_json_comes_along(folder: Path) -> None:
    content = b'{"format_version": 1, "name": "Small", "licence": "CC0"}\n'
    (folder / "about.json").write_bytes(content)
    packed = packed_of(folder)
    assert packed.contents == {"about.json": content}
    same(packed, open_dataset(folder))


def test_a_subset_says_what_there_is_not(folder: Path) -> None:
    packed = packed_of(folder)
    with pytest.raises(ParameterError, match="small has no split 'vla'") as caught:
        packed.subset(split="vla")
    assert caught.value.candidates == ("val",)
    with pytest.raises(ParameterError, match="the limit must be 1 or more"):
        packed.subset(limit=0)
    with pytest.raises(EmptyDataError, match="no image of the split 'val' is left"):
        packed.subset(limit=1).subset(split="val")


def test_many_threads_read_at_once(folder: Path) -> None:
    packed, opened = packed_of(folder), open_dataset(folder)
    expected = [opened.read_annotation(i).planes for i in range(len(opened))]
    with ThreadPoolExecutor(8) as pool:
        for i, found in zip(
            list(range(9)) * 20, pool.map(packed.read_annotation, list(range(9)) * 20), strict=True
        ):
            np.testing.assert_array_equal(found.planes, expected[i])


def test_other_processes_open_it_again(folder: Path) -> None:
    packed = packed_of(folder).subset(split="val")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for i, found in enumerate(pool.map(packed.read_annotation, range(len(packed)))):
            np.testing.assert_array_equal(found.planes, packed.read_annotation(i).planes)
    copied = pickle.loads(pickle.dumps(packed))
    same(copied, open_dataset(folder).subset(split="val"))
    assert len(pickle.dumps(packed)) < 50_000


def test_a_file_that_was_cut_short_meanwhile_is_an_error_not_a_signal(folder: Path) -> None:
    packed = packed_of(folder)
    whole = Path(packed.place).stat().st_size
    os.truncate(packed.place, 100)
    with pytest.raises(
        DataFormatError, match=f"was changed while it was read: it has 100 bytes now, and had {whole:,}"
    ):
        packed.read_image(8)
    os.truncate(packed.place, 0)
    with pytest.raises(DataFormatError, match="it has 0 bytes now"):
        pickle.loads(pickle.dumps(packed)).read_annotation(0)


# what is not packed


def refused(folder: Path, target: Path, kind: type[Exception], match: str) -> None:
    before = sorted(target.parent.iterdir()) if target.parent.is_dir() else []
    with pytest.raises(kind, match=match):
        pack_dataset(open_dataset(folder), target)
    if target.parent.is_dir():
        assert sorted(target.parent.iterdir()) == before


def test_no_file_is_written_over(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.write_text("mine")
    refused(folder, target, OutputError, "there is there already, and is not written over")
    assert target.read_text() == "mine"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    refused(folder, link, OutputError, "is there already")
    refused(folder, folder, OutputError, "is there already")


def test_no_file_is_written_inside_the_folder(folder: Path, tmp_path: Path) -> None:
    refused(folder, folder / "a.packed", OutputError, "lies inside the data set")
    refused(folder, folder / "deep" / "a.packed", OutputError, "lies inside the data set")
    (tmp_path / "link").symlink_to(folder)
    refused(folder, tmp_path / "link" / "a.packed", OutputError, "lies inside the data set")
    refused(tmp_path / "link", folder / "a.packed", OutputError, "lies inside the data set")


@pytest.mark.parametrize("image", ["a/picture0.png", "b/picture1.jpg"])
def test_a_damaged_image_is_not_packed(folder: Path, tmp_path: Path, image: str) -> None:
    Damage(folder).truncate(image)
    refused(folder, tmp_path / "x", ImageFileError, rf"image {image} \(index.csv, line .\) is truncated")


def test_a_damaged_label_map_is_not_packed(folder: Path, tmp_path: Path) -> None:
    path = next(path for path in open_dataset(folder).entries[-1].maps)
    Damage(folder).truncate(path)
    refused(folder, tmp_path / "x", ImageFileError, f"label map {path} of image .* is truncated")
    (folder / "images" / path).unlink()
    refused(folder, tmp_path / "x", ImageFileError, f"label map {path} of image .* is missing")


def test_a_part_of_a_folder_is_not_packed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="here are 2 images, and its index lists 9"):
        pack_dataset(open_dataset(folder).subset(limit=2), tmp_path / "x")
    with pytest.raises(ParameterError, match="workers must be 1 or more"):
        pack_dataset(open_dataset(folder), tmp_path / "x", workers=0)
    assert not (tmp_path / "x").exists()


def test_a_folder_that_was_changed_is_not_packed(folder: Path, tmp_path: Path) -> None:
    opened = open_dataset(folder)
    Damage(folder).replace("label.csv", "label", "other")
    with pytest.raises(DataFormatError, match="was changed while it was packed"):
        pack_dataset(opened, tmp_path / "x")
    opened = open_dataset(folder)

    def grow(done: int, images: int) -> None:
        if done == 1:
            image = folder / "images" / opened.image_name(8)
            image.write_bytes(image.read_bytes() + b"\n")

    with pytest.raises(DataFormatError, match="was changed while it was packed"):
        pack_dataset(opened, tmp_path / "x", workers=1, progress=grow)
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such name there")
@pytest.mark.parametrize("name", ["back\\slash", "line\nend"])
def test_names_that_part_folders_or_lines_are_none(tmp_path: Path, name: str) -> None:
    folder = write_broden(tmp_path / name, random_broden(1, pictures=1))
    refused(folder, tmp_path / "x", ParameterError, "holds a character that parts folders or lines")


def test_links_are_followed_as_they_are_in_the_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "images").rename(tmp_path / "elsewhere")
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    refused(folder, tmp_path / "x", ImageFileError, "leads out of")
    opened = open_dataset(folder, follow_links=True)
    pack_dataset(opened, tmp_path / "x")
    same(open_packed(tmp_path / "x"), opened)


def test_a_disk_without_room_is_told_before(folder: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
    image = folder / "images" / open_dataset(folder).image_name(0)
    image.write_bytes(image.read_bytes() + noise)
    with small_disk(tmp_path / "disk", 100):
        refused(folder, tmp_path / "disk" / "x", OutputError, "its images take .* KiB are free")


def test_a_disk_that_gets_full_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
    image = folder / "images" / open_dataset(folder).image_name(0)
    image.write_bytes(image.read_bytes() + noise)
    # as when somebody else fills it in the meantime
    monkeypatch.setattr(onnxdissect.data.packed.writer, "_check_room", lambda dataset, target: None)
    with small_disk(tmp_path / "disk", 100):
        refused(folder, tmp_path / "disk" / "x", OutputError, "No space left on device")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "small", random_broden(3, pictures=40))
    script = """
import os, signal, sys
from onnxdissect.data import open_dataset, pack_dataset

signal.signal(signal.SIGINT, signal.default_int_handler)
def told(done, images):
    if done == 20:
        os.kill(os.getpid(), signal.SIGINT)
pack_dataset(open_dataset(sys.argv[1]), sys.argv[2], progress=told)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(tmp_path / "x")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (1, -signal.SIGINT) and "KeyboardInterrupt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
