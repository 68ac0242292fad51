"""A data set of arrays is the data set that the same arrays are in a Broden folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from support.datasets import Broden, brodens, write_broden

from onnxdissect.data import ArrayDataset, BrodenDataset, Dataset, make_vocabulary, open_dataset
from onnxdissect.errors import DataFormatError, EmptyDataError, OnnxDissectError, ParameterError

VOCABULARY = make_vocabulary({"object": {1: "dog", 7: "cat", 9: ""}, "scene": {300: "night", 7: "cat"}})
IMAGES = np.arange(3 * 4 * 6 * 3, dtype=np.uint8).reshape(3, 4, 6, 3)
MAPS = np.array([[[0, 1], [7, 9]]] * 3)


def in_memory(broden: Broden, folder: BrodenDataset) -> ArrayDataset:
    """The same images and labels, with the vocabulary that the reader made of the tables."""
    pictures = broden.pictures

    def maps(cell: list[Any]) -> np.ndarray | None:
        found = [item for item in cell if isinstance(item, np.ndarray)]
        return np.stack(found) if found else None

    # a label grid is told by maps; images without one have the image's own
    return ArrayDataset(
        [folder.read_image(i) for i in range(len(pictures))],
        folder.vocabulary,
        {c: [maps(picture.cells.get(c, [])) for picture in pictures] for c in broden.categories},
        {
            c: [[item for item in p.cells.get(c, []) if isinstance(item, int)] for p in pictures]
            for c in broden.categories
        },
        names=[picture.name for picture in pictures],
        splits=[picture.split for picture in pictures],
    )


@settings(deadline=None, max_examples=40)
@given(broden=brodens())
def test_it_gives_what_the_folder_gives(broden: Broden) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = open_dataset(write_broden(Path(place) / "d", broden))
        arrays = in_memory(broden, folder)
        assert len(arrays) == len(folder)
        assert arrays.image_size == folder.image_size
        for i, picture in enumerate(broden.pictures):
            assert arrays.image_name(i) == folder.image_name(i)
            assert arrays.split(i) == folder.split(i)
            assert np.array_equal(arrays.read_image(i), folder.read_image(i))
            mine, theirs = arrays.read_annotation(i), folder.read_annotation(i)
            assert mine.grid == arrays.grid(i)
            assert mine.image_labels.tolist() == theirs.image_labels.tolist()
            if picture.maps:
                assert arrays.grid(i) == folder.grid(i)
                assert np.array_equal(mine.planes, theirs.planes)
            else:
                assert arrays.grid(i) == picture.size


def test_both_are_data_sets(tmp_path: Path) -> None:
    arrays = ArrayDataset(IMAGES, VOCABULARY)
    assert isinstance(arrays, Dataset)
    assert Dataset not in BrodenDataset.__mro__  # by what it has, not by descent
    assert all(hasattr(BrodenDataset, name) for name in vars(Dataset) if not name.startswith("_"))
    assert not isinstance(object(), Dataset)


def test_vocabulary() -> None:
    assert [(c.number, c.name, c.category) for c in VOCABULARY.concepts] == [
        (1, "dog", "object"),
        (7, "cat", "scene"),
        (300, "night", "scene"),
    ]
    assert VOCABULARY.category_of.tolist() == [0, 1, 1]
    assert VOCABULARY.lookup[[0, 1, 2, 7, 9, 300]].tolist() == [0, 1, -1, 2, 0, 3]
    for wrong, told in [
        ({}, "at least one category"),
        ({"object": {0: "none"}}, "0 .'none'. is no label number"),
        ({"object": {65536: "far"}}, "no label number"),
        ({"object": {1: "dog"}, "scene": {1: "night"}}, "is called 'dog' and 'night'"),
    ]:
        with pytest.raises(DataFormatError, match=told):
            make_vocabulary(wrong)


def test_annotations_are_unions() -> None:
    dataset = ArrayDataset(IMAGES, VOCABULARY, {"object": MAPS, "scene": MAPS}, {"scene": [300, 0, [7, 300]]})
    assert dataset.read_annotation(0).truth(3).tolist() == [1, 1, 4]
    assert dataset.read_annotation(1).truth(3).tolist() == [1, 1, 0]
    assert dataset.read_annotation(2).truth(3).tolist() == [1, 4, 4]


def test_subsets_and_groups() -> None:
    dataset = ArrayDataset(
        IMAGES, VOCABULARY, splits=["a", "b", "a"], groups=["film", "", "film"], name="few"
    )
    assert dataset.grouped_by == "group"
    assert [None if g is None else g.tolist() for g in (dataset.groups(),)] == [[0, 1, 0]]
    part = dataset.subset(split="a", limit=2)
    assert [part.image_name(i) for i in range(len(part))] == ["0", "2"]
    with pytest.raises(ParameterError, match=r"few has no split 'c'"):
        dataset.subset(split="c")
    with pytest.raises(EmptyDataError, match="no image of the split 'b' is left"):
        part.subset(split="b")
    with pytest.raises(ParameterError, match="1 or more"):
        dataset.subset(limit=0)
    assert ArrayDataset(IMAGES, VOCABULARY).groups() is None


def test_fingerprints_tell_data_sets_apart() -> None:
    def made(**other: Any) -> ArrayDataset:
        given: dict[str, Any] = {"images": IMAGES, "vocabulary": VOCABULARY, "label_maps": {"object": MAPS}}
        return ArrayDataset(**(given | other))

    names = replace(
        VOCABULARY, concepts=(replace(VOCABULARY.concepts[0], name="wolf"), *VOCABULARY.concepts[1:])
    )
    other_images = IMAGES.copy()
    other_images[2, 3, 5, 2] ^= 1
    other_maps = MAPS.copy()
    other_maps[1, 0, 0] = 1
    different: list[Callable[[], ArrayDataset]] = [
        lambda: made(),
        lambda: made(images=other_images),
        lambda: made(label_maps={"object": other_maps}),
        lambda: made(label_maps={}),
        lambda: made(vocabulary=names),
        lambda: made(image_labels={"scene": [300, 0, 0]}),
        lambda: made(names=["a", "b", "c"]),
        lambda: made(splits=["a", "b", "c"]),
        lambda: made(groups=["a", "b", "c"]),
        lambda: made().subset(limit=2),
        lambda: made(images=IMAGES.reshape(3, 6, 4, 3)),
    ]
    assert len({make().fingerprint for make in different}) == len(different)
    assert made().fingerprint == made(images=list(IMAGES), name="other").fingerprint
    # whatever the arrays' layout in memory
    assert made(images=np.asfortranarray(IMAGES)).fingerprint == made().fingerprint


def test_images_cannot_be_written_to() -> None:
    images = IMAGES.copy()
    with pytest.raises(ValueError, match="read-only"):
        ArrayDataset(images, VOCABULARY).read_image(0)[:] = 0
    images[0] = 0  # whoever made it still can


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ({"images": IMAGES[:0]}, EmptyDataError, "has no image"),
        ({"images": IMAGES / 2}, DataFormatError, "image 0 of arrays is float64"),
        ({"images": IMAGES[..., 0]}, DataFormatError, "uint8 .height, width, 3."),
        ({"label_maps": {"object": MAPS[:2]}}, DataFormatError, "has 3 images and 2 object"),
        ({"label_maps": {"objects": MAPS}}, DataFormatError, "'objects', which its vocabulary lacks"),
        (
            {"label_maps": {"object": MAPS + 1}},
            DataFormatError,
            "image 0 of arrays holds the label numbers 2, 8",
        ),
        ({"label_maps": {"object": MAPS - 1}}, DataFormatError, "label numbers -1, 6, 8"),
        ({"label_maps": {"object": MAPS * 1.0}}, DataFormatError, "should hold whole numbers"),
        ({"label_maps": {"object": MAPS[:, 0]}}, DataFormatError, "a label map is an array"),
        ({"label_maps": {"object": MAPS, "scene": MAPS[:, :1]}}, DataFormatError, "sizes: 1x2, 2x2"),
        (
            {"image_labels": {"scene": [300, 5, 0]}},
            DataFormatError,
            "image 1 of arrays holds the label numbers 5",
        ),
        ({"names": ["a", "b", "a"]}, DataFormatError, "two images of arrays are called 'a'"),
        ({"splits": ["a"]}, DataFormatError, "has 3 images and 1 splits"),
    ],
)
def test_what_is_no_data_set_is_refused(
    given: dict[str, Any], kind: type[OnnxDissectError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        ArrayDataset(**{"images": IMAGES, "vocabulary": VOCABULARY, **given})


@pytest.mark.parametrize("label", [10**30, "9" * 5000, "two", None, [1, [2, 3]], {}])
def test_image_labels_that_are_no_numbers(label: object) -> None:
    images = np.zeros((1, 4, 4, 3), np.uint8)
    with pytest.raises(DataFormatError, match="an image label is a label number, or several, not") as caught:
        ArrayDataset(images, make_vocabulary({"scene": {1: "a"}}), image_labels={"scene": [label]})  # type: ignore[list-item]
    assert len(str(caught.value)) < 300
