"""Outputs and their classes: what fits, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from support.models import Builder, save
from support.segmenters import SIDE, classes, segmenter, two_heads, world

from onnxdissect.data import Dataset, open_data
from onnxdissect.errors import DataError, ModelError, OnnxDissectError, ParameterError


def opened(folder: Path, query: str = "", listed: str = "classes.txt") -> Dataset:
    lists = f"classes={folder}/{listed}" if ":" not in listed else f"classes={listed}"
    return open_data(f"segmenter:{folder}/seg.onnx?images={folder}/photos&{lists}{query}")


def names(dataset: Dataset) -> list[tuple[int, str, str]]:
    return [(one.number, one.name, one.category) for one in dataset.vocabulary.concepts]


def test_every_class_is_an_object_unless_something_else_is_said(tmp_path: Path) -> None:
    world(tmp_path)
    assert names(opened(tmp_path)) == [
        (1, "background", "object"),
        (2, "red", "object"),
        (3, "green", "object"),
        (4, "blue", "object"),
    ]
    (tmp_path / "c.csv").write_text("index,name,category\n0,ground,\n3,b,color\n1,r,color\n2,g,color\n")
    mixed = opened(tmp_path, listed="c.csv")
    assert names(mixed) == [(1, "ground", "object"), (2, "r", "color"), (3, "g", "color"), (4, "b", "color")]
    assert mixed.vocabulary.categories == ("object", "color")


@pytest.mark.parametrize("ignore", ["0", "background", "0,background"])
def test_classes_that_mean_unlabelled_are_no_concepts(tmp_path: Path, ignore: str) -> None:
    world(tmp_path)
    found = opened(tmp_path, f"&ignore={ignore}")
    assert names(found) == [(1, "red", "object"), (2, "green", "object"), (3, "blue", "object")]
    truth = [found.read_annotation(i).truth(3) for i in range(len(found))]
    assert all(counts.tolist() == [SIDE * SIDE / 4] * 3 for counts in truth)


def test_another_number_of_classes_than_the_list_names(tmp_path: Path) -> None:
    world(tmp_path)
    classes(tmp_path / "three.txt", ("a", "b", "c"))
    with pytest.raises(ParameterError) as caught:
        opened(tmp_path, listed="three.txt")
    assert "tells 4 classes apart in 'scores' [1, 4, 16, 16]" in caught.value.message
    assert "three.txt names 3" in caught.value.message
    assert "the list names every class" in str(caught.value.hint)
    save(segmenter("argmax"), tmp_path / "seg.onnx")
    with pytest.raises(ParameterError, match=r"tells 4 classes apart in 'chosen'.*names 3"):
        opened(tmp_path, listed="three.txt")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("&ignore=bleu", "no class is called 'bleu'"),
        ("&ignore=4", "asks for class 4, and the classes are 0 to 3"),
        ("&ignore=0,1,2,3", "leaves no class"),
        ("&output=scoers", "no output 'scoers'"),
        ("&preset=imagenot", "unknown preset 'imagenot'"),
        ("&mean=1&std=0", "a standard deviation is positive"),
        ("&layout=nothing=NCHW", "nothing"),
        (
            "&grid=9000",
            "4 classes at 9,000 x 9,000 places are 324,000,000 scores of an image; at most 268,435,456",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, query: str, said: str) -> None:
    world(tmp_path)
    with pytest.raises(OnnxDissectError, match=said) as caught:
        opened(tmp_path, query)
    assert "--" not in str(caught.value), "hints are typed as arguments of the SPEC"


def test_scores_are_needed_for_confidence(tmp_path: Path) -> None:
    world(tmp_path, segmenter("argmax"))
    with pytest.raises(ParameterError, match="confidence= needs the scores of all classes, and 'chosen'"):
        opened(tmp_path, "&confidence=0.5")


def two(folder: Path, stride: int = 1) -> str:
    world(folder, two_heads(stride))
    classes(folder / "light.txt", ("dark", "bright"))
    return (
        f"segmenter:{folder}/seg.onnx?images={folder}/photos&heads=color:colours,material:brightness"
        f"&classes=color:{folder}/classes.txt,material:{folder}/light.txt"
    )


def test_heads_label_pixels_side_by_side(tmp_path: Path) -> None:
    found = open_data(two(tmp_path) + "&ignore=background")
    assert found.vocabulary.categories == ("color", "material")
    assert [name for _, name, _ in names(found)] == ["red", "green", "blue", "dark", "bright"]
    annotation = found.read_annotation(0)
    assert len(annotation.planes) == 2
    quarter = SIDE * SIDE // 4
    # of grey 90 the sum is above one as well; of one full colour it is one exactly, and the first class wins
    assert annotation.truth(5).tolist() == [quarter, quarter, quarter, 3 * quarter, quarter]


def test_heads_of_two_sizes_are_brought_to_one_grid(tmp_path: Path) -> None:
    spec = two(tmp_path, stride=2)
    with pytest.raises(ParameterError, match="different grids: 'colours' 16x16, 'brightness' 8x8") as caught:
        open_data(spec)
    assert "grid=8x8" in str(caught.value.hint)
    found = open_data(f"{spec}&grid=8")
    assert found.grid(0) == (8, 8)
    assert found.read_annotation(0).truth(6).tolist() == [16, 16, 16, 16, 48, 16]


def test_two_heads_with_a_name_in_common(tmp_path: Path) -> None:
    spec = two(tmp_path)
    classes(tmp_path / "light.txt", ("dark", "red"))
    with pytest.raises(DataError, match=r"'red' is a class of two heads, in .*classes.txt and .*light.txt"):
        open_data(spec)


def test_a_layout_that_the_graph_leaves_open_is_stated(tmp_path: Path) -> None:
    """As many columns as classes: the scores are those of a column of the picture."""
    world(tmp_path)
    b = Builder(("N", 3, 4, 4))
    rolled = b.node("Reshape", b.image, b.constant([1, 48], np.int64))
    picked = b.constant(np.eye(48, 64))
    scores = b.node(
        "Reshape", b.node("MatMul", rolled, picked), b.constant([1, 4, 4, 4], np.int64), name="out"
    )
    save(b.model(scores), tmp_path / "seg.onnx")
    with pytest.raises(ParameterError, match="both could be") as caught:
        opened(tmp_path, "&preset=raw")
    assert "layout=out=NHWC" in str(caught.value.hint)
    first = opened(tmp_path, "&preset=raw&layout=out=NCHW").read_annotation(0).planes
    last = opened(tmp_path, "&preset=raw&layout=out=NHWC").read_annotation(0).planes
    assert not np.array_equal(first, last)


def test_a_network_that_draws_numbers_is_refused(tmp_path: Path) -> None:
    world(tmp_path)
    b = Builder(("N", 3, SIDE, SIDE))
    scores = b.conv(b.image, 4, 1)
    noise = b.node("RandomNormalLike", scores, name="noise")
    save(b.model(b.node("Add", scores, noise, name="noisy")), tmp_path / "seg.onnx")
    with pytest.raises(ParameterError, match=r"otherwise each time: RandomNormalLike .*, before 'noisy'"):
        opened(tmp_path)


def test_names_to_be_ignored_may_be_typed_in_any_form(tmp_path: Path) -> None:
    world(tmp_path)
    classes(tmp_path / "classes.txt", ("cafe\u0301", "red", "green", "blue"))
    found = opened(tmp_path, "&ignore=caf\u00e9")
    assert [name for _, name, _ in names(found)] == ["red", "green", "blue"]


def test_inputs_beside_the_image_are_told_of_as_can_be_typed_here(tmp_path: Path) -> None:
    world(tmp_path)
    model = segmenter()
    model.graph.input.append(onnx.helper.make_tensor_value_info("factor", onnx.TensorProto.FLOAT, [1]))
    model.graph.node.append(onnx.helper.make_node("Mul", ["scores", "factor"], ["scaled"]))
    model.graph.output[0].name = "scaled"
    save(model, tmp_path / "seg.onnx")
    with pytest.raises(ModelError, match=r"the segmenter seg.onnx: beside the image input") as caught:
        opened(tmp_path)
    assert str(caught.value.hint).startswith("export it with the image as its only input")


def test_numbers_beyond_the_list(tmp_path: Path) -> None:
    """A network that gives 255 at places, as a border that is not to be looked at."""
    world(tmp_path)
    b = Builder(("N", 3, SIDE, SIDE))
    red = b.node("Slice", b.image, *(b.constant([n], np.int64) for n in (0, 1, 1)))
    numbers = b.node("Squeeze", b.node("Cast", red, to=7), b.constant([1], np.int64), name="numbers")
    save(b.model(numbers), tmp_path / "seg.onnx")
    with pytest.raises(DataError) as caught:
        opened(tmp_path, "&preset=raw").read_annotation(0)
    assert "gives 90, 255 in 'numbers' for image a/0.png" in caught.value.message
    assert "names the classes 0 to 3" in caught.value.message
    assert "ignore=90" in str(caught.value.hint)
    found = opened(tmp_path, "&preset=raw&ignore=90,255").read_annotation(0)
    assert found.truth(4).tolist() == [SIDE * SIDE // 2, 0, 0, 0]
