"""Opening and reading data sets: every quirk of the layout against a literal reading; their subsets."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from naive import data as naive_data
from support.datasets import (
    GRID,
    Broden,
    Damage,
    Label,
    Listed,
    Picture,
    Quirks,
    brodens,
    quirks,
    random_broden,
    street,
    write_broden,
)

from onnxdissect import data
from onnxdissect.data import Annotation, Dataset, open_dataset
from onnxdissect.data.annotation import annotate, unite_planes
from onnxdissect.errors import EmptyDataError, ImageFileError, ParameterError


def read_all(dataset: Dataset) -> list[Annotation]:
    return [dataset.read_annotation(i) for i in range(len(dataset))]


def covers(annotation: Annotation, concept: int) -> set[tuple[int, int]]:
    mask = (annotation.planes == concept + 1).any(axis=0)
    mask |= concept in annotation.image_labels
    return {(int(r), int(c)) for r, c in np.argwhere(mask)}


# --- the layout ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(broden=brodens(), draw=st.data())
def test_reads_what_a_literal_reading_reads(broden: Broden, draw: st.DataObject) -> None:
    written = draw.draw(quirks(len(broden.categories)))
    with tempfile.TemporaryDirectory() as place:
        folder = write_broden(Path(place) / "data", broden, written)
        dataset = open_dataset(folder)
        expected = naive_data.read(folder)
        vocabulary = dataset.vocabulary
        assert {c.number: c.name for c in vocabulary.concepts} == expected.names
        assert {c.number: c.category for c in vocabulary.concepts} == expected.primary
        assert [dataset.image_name(i) for i in range(len(dataset))] == [i.name for i in expected.images]
        assert [dataset.split(i) for i in range(len(dataset))] == [i.split for i in expected.images]
        for i, image in enumerate(expected.images):
            annotation = dataset.read_annotation(i)
            assert dataset.grid(i) == annotation.grid == image.grid
            truth = annotation.truth(len(vocabulary.concepts))
            for concept in vocabulary.concepts:
                pixels = image.pixels.get(concept.number, set())
                assert covers(annotation, concept.index) == pixels
                assert truth[concept.index] == len(pixels)
            check_invariants(annotation)


def check_invariants(annotation: Annotation) -> None:
    planes = annotation.planes
    assert planes.dtype == np.uint16
    assert planes.shape[1:] == annotation.grid
    assert all(plane.any() for plane in planes)
    for i, plane in enumerate(planes):
        assert not np.isin(plane, annotation.image_labels + 1).any()
        for other in planes[:i]:
            assert not ((plane == other) & (plane > 0)).any()
    assert annotation.image_labels.dtype == np.int64
    assert sorted(set(annotation.image_labels.tolist())) == annotation.image_labels.tolist()


@settings(deadline=None)
@given(
    maps=st.integers(0, 5).flatmap(
        lambda planes: hnp.arrays(np.int32, (planes, 3, 4), elements=st.sampled_from([0, 1, 2, 3, 65535]))
    ),
    whole=st.lists(st.sampled_from([0, 1, 65534])),
)
def test_annotations_are_unions(maps: np.ndarray, whole: list[int]) -> None:
    annotation = annotate((3, 4), list(maps), whole)
    check_invariants(annotation)
    truth = annotation.truth(65535)
    for concept in (0, 1, 2, 65534):
        expected = (maps == concept + 1).any(axis=0) | (concept in whole)
        assert covers(annotation, concept) == {(int(r), int(c)) for r, c in np.argwhere(expected)}
        assert truth[concept] == expected.sum()


@settings(deadline=None)
@given(
    maps=st.integers(0, 5).flatmap(
        lambda planes: hnp.arrays(np.uint16, (planes, 3, 4), elements=st.sampled_from([0, 1, 2, 3, 65535]))
    ),
    whole=st.lists(st.sampled_from([0, 1, 65534])),
)
def test_planes_united_in_place_are_the_same(maps: np.ndarray, whole: list[int]) -> None:
    expected = annotate((3, 4), list(maps), whole)
    united = unite_planes(maps.copy(), whole)
    check_invariants(united)
    assert united.grid == expected.grid
    np.testing.assert_array_equal(united.planes, expected.planes)
    np.testing.assert_array_equal(united.image_labels, expected.image_labels)
    assert not united.planes.flags.writeable


@pytest.mark.parametrize("seed", range(3))
def test_annotations_are_those_of_the_label_maps_read_one_by_one(tmp_path: Path, seed: int) -> None:
    # What a run has loaded.
    import_module("numba")
    dataset = open_dataset(write_broden(tmp_path / "d", random_broden(seed, pictures=12)))
    for i, entry in enumerate(dataset.entries):
        maps = [dataset.read_label_map(i, path) for path in entry.maps]
        expected = annotate(entry.grid, maps, dataset.concepts_of(entry.image_labels))
        annotation = dataset.read_annotation(i)
        np.testing.assert_array_equal(annotation.planes, expected.planes)
        np.testing.assert_array_equal(annotation.image_labels, expected.image_labels)


ALONE = """
import sys
from pathlib import Path
from onnxdissect.data import open_dataset

dataset = open_dataset(Path(sys.argv[1]))
annotations = [dataset.read_annotation(i) for i in range(len(dataset))]
assert "numba" not in sys.modules
import numba
for i, first in enumerate(annotations):
    again = dataset.read_annotation(i)
    assert first.grid == again.grid and first.planes.tolist() == again.planes.tolist()
    assert first.image_labels.tolist() == again.image_labels.tolist()
assert "onnxdissect.data.decoding.label_kernels" in sys.modules
"""


def test_who_looks_at_some_images_does_without_the_compiler(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "d", random_broden(4, pictures=6))
    subprocess.run([sys.executable, "-c", ALONE, str(folder)], check=True)


def test_vocabulary(tmp_path: Path) -> None:
    vocabulary = open_dataset(write_broden(tmp_path / "d", street())).vocabulary
    assert vocabulary.categories == ("object", "material", "scene")
    road, metal, night = vocabulary.concepts
    assert (road.index, road.number, road.name, road.category) == (0, 1, "road", "object")
    assert (metal.category, metal.categories) == ("object", ("object", "material"))
    assert (night.number, night.frequency, night.coverage) == (300, 1, 1.0)
    assert vocabulary.category_of.tolist() == [0, 0, 2]
    assert vocabulary.lookup.dtype == np.int32
    assert vocabulary.lookup.shape == (301,)
    assert vocabulary.lookup[[0, 1, 2, 3, 299, 300]].tolist() == [0, 1, 2, -1, -1, 3]


@pytest.mark.parametrize(
    ("in_object", "in_material", "listings", "primary"),
    [
        (Listed(9, 0.25), Listed(1, 0.5), True, "material"),
        (Listed(9, 0.25), Listed(1, 0.5), False, "object"),
        (Listed(1, 0.5), Listed(9, 0.25), True, "object"),
        (Listed(9, 0.5), Listed(1, 0.5), True, "material"),  # a tie goes to the later
        (Listed(2, 0.5), Listed(2, 0.1), False, "material"),
        (Listed(2, 0.0), Listed(2, 0.0), True, "material"),
    ],
)
def test_primary_category(
    tmp_path: Path, in_object: Listed, in_material: Listed, listings: bool, primary: str
) -> None:
    broden = street()
    broden.labels[1] = Label(2, "metal", {"object": in_object, "material": in_material})
    folder = write_broden(tmp_path / "d", broden, Quirks(listings=listings))
    assert open_dataset(folder).vocabulary.concepts[1].category == primary


def test_primary_category_with_one_listing_missing(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "d", street())
    (folder / "c_material.csv").unlink()
    # coverage in one category cannot be held against an image count in the other
    assert open_dataset(folder).vocabulary.concepts[1].category == "material"


def test_number_counts_wherever_it_is_found(tmp_path: Path) -> None:
    broden = street()
    broden.pictures = [Picture("p.png", {"scene": [np.full(GRID, 1)], "object": [300]}, grid=GRID)]
    annotation = open_dataset(write_broden(tmp_path / "d", broden)).read_annotation(0)
    assert annotation.truth(3).tolist() == [48, 0, 48]


def test_nameless_label_is_no_concept(tmp_path: Path) -> None:
    broden = street()
    broden.labels[1] = replace(broden.labels[1], name=" ")
    broden.pictures[0].cells["material"] = [2]
    dataset = open_dataset(write_broden(tmp_path / "d", broden))
    assert [c.number for c in dataset.vocabulary.concepts] == [1, 300]
    assert dataset.vocabulary.lookup[:3].tolist() == [0, 1, 0]
    assert dataset.read_annotation(0).truth(2).tolist() == [12, 48]


def test_label_zero_may_be_listed(tmp_path: Path) -> None:
    broden = street()
    broden.labels.insert(0, Label(0, "-", {"object": Listed(0, 0)}))
    broden.pictures[0].cells["material"] = [0]
    dataset = open_dataset(write_broden(tmp_path / "d", broden))
    assert [c.number for c in dataset.vocabulary.concepts] == [1, 2, 300]
    assert dataset.read_annotation(0).truth(3).tolist() == [12, 12, 48]


@pytest.mark.parametrize("grids", [[(113, 113)], [(112, 112), (192, 192), (56, 80)]])
def test_published_grids(tmp_path: Path, grids: list[tuple[int, int]]) -> None:
    broden = random_broden(1, pictures=6, grids=grids)
    dataset = open_dataset(write_broden(tmp_path / "d", broden))
    for i, picture in enumerate(broden.pictures):
        annotation = dataset.read_annotation(i)
        assert annotation.grid == dataset.grid(i) == picture.grid == grids[i % len(grids)]
        for concept in dataset.vocabulary.concepts:
            expected = any((m == concept.number).any() for m in picture.maps)
            assert (annotation.truth(99)[concept.index] > 0) == (expected or concept.number in picture.whole)


def test_photographs(tmp_path: Path) -> None:
    broden = street()
    dataset = open_dataset(write_broden(tmp_path / "d", broden))
    assert dataset.image_path(1) == tmp_path / "d" / "images" / "a" / "two.png"
    np.testing.assert_array_equal(dataset.read_image(1), broden.pictures[1].pixels())


def test_size_of_most_images(tmp_path: Path) -> None:
    broden = street()
    broden.pictures[0] = replace(broden.pictures[0], size=(30, 20))
    dataset = open_dataset(write_broden(tmp_path / "d", broden))
    assert dataset.image_size == (24, 24)
    assert dataset.subset(limit=1).image_size == (30, 20)


def test_paths_written_on_windows(damage: Damage) -> None:
    damage.replace("index.csv", "a/one_object_0.png", "a\\one_object_0.png")
    assert open_dataset(damage.folder).read_annotation(0).truth(3).tolist() == [12, 12, 48]


def test_odd_names_inside_the_folder_are_fine(damage: Damage) -> None:
    images = damage.folder / "images"
    (images / "three.jpg").rename(images / "2020..v2.5")
    damage.replace("index.csv", "three.jpg", "2020..v2.5")
    assert open_dataset(damage.folder).read_image(2).shape == (24, 24, 3)


def test_name_in_quotes_and_beyond_ascii(damage: Damage) -> None:
    damage.replace("label.csv", "1,road,", '1,"straße, ""wet""",')
    assert open_dataset(damage.folder).vocabulary.concepts[0].name == 'straße, "wet"'


def test_import_is_light() -> None:
    program = "import sys, onnxdissect.data; print(sorted({'numpy', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_exported_names_exist() -> None:
    assert dir(data) == sorted(data.__all__)
    assert all(getattr(data, name) is not None for name in data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        data.nothing  # noqa: B018


# --- subsets and fingerprints -------------------------------------------------------------------------


def test_subset(tmp_path: Path) -> None:
    dataset = open_dataset(write_broden(tmp_path / "d", random_broden(pictures=8)))
    assert [dataset.split(i) for i in range(8)] == ["train", "train", "val"] * 2 + ["train", "train"]
    val = dataset.subset(split="val")
    assert [val.image_name(i) for i in range(len(val))] == [dataset.image_name(i) for i in (2, 5)]
    assert len(dataset.subset(split="train", limit=3)) == 3
    assert len(dataset.subset(limit=100)) == 8
    assert val.vocabulary is dataset.vocabulary
    np.testing.assert_array_equal(val.read_image(1), dataset.read_image(5))


def test_subset_of_nothing(tmp_path: Path) -> None:
    dataset = open_dataset(write_broden(tmp_path / "d", random_broden(pictures=3)))
    with pytest.raises(ParameterError, match="has no split 'vall'") as caught:
        dataset.subset(split="vall")
    assert caught.value.candidates == ("val",)
    with pytest.raises(ParameterError) as caught:
        dataset.subset(split="xyz")
    assert caught.value.candidates == ("train", "val")
    with pytest.raises(EmptyDataError, match="no image of the split 'val'"):
        dataset.subset(split="train").subset(split="val")
    for limit in (0, -1):
        with pytest.raises(ParameterError, match=f"1 or more, not {limit}"):
            dataset.subset(limit=limit)


def test_fingerprint_is_of_what_is_dissected(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "d", random_broden(2, pictures=6))
    dataset = open_dataset(folder)
    assert dataset.fingerprint == open_dataset(folder).fingerprint
    assert dataset.fingerprint == dataset.subset(limit=6).fingerprint
    moved = open_dataset(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert moved.fingerprint == dataset.fingerprint
    parts = [dataset.subset(limit=2), dataset.subset(split="val"), dataset.subset(split="val", limit=1)]
    assert len({d.fingerprint for d in (dataset, *parts)}) == 4

    (moved.folder / "category.csv").write_bytes((folder / "category.csv").read_bytes() + b"\n")
    assert open_dataset(moved.folder).fingerprint != dataset.fingerprint
    changed = open_dataset(shutil.copytree(folder, tmp_path / "changed"))
    with changed.image_path(5).open("ab") as file:
        file.write(b"x")
    assert changed.fingerprint != dataset.fingerprint
    assert changed.subset(limit=5).fingerprint == dataset.subset(limit=5).fingerprint


def test_fingerprint_finds_missing_files(tmp_path: Path) -> None:
    dataset = open_dataset(write_broden(tmp_path / "d", street()))
    (tmp_path / "d" / "images" / "a" / "two_object_1.png").unlink()
    with pytest.raises(ImageFileError, match=r"label map a/two_object_1.png of image a/two.png \(.*line 3\)"):
        dataset.fingerprint  # noqa: B018
    assert dataset.subset(limit=1).fingerprint
