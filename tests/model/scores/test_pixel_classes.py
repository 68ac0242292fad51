"""Which outputs label pixels, and where their classes lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from support.models import Builder
from support.networks import load
from support.segmenters import SIDE, segmenter, two_heads

from onnxdissect.errors import ParameterError
from onnxdissect.model.scores.pixel_classes import PixelClasses, find_pixel_classes


def found(model: ModelProto, folder: Path, output: str | None = None, classes: int = 4) -> PixelClasses:
    return find_pixel_classes(load(model, folder), output, classes)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("ending", ["logits", "softmax", "half"])
def test_the_axis_of_classes_and_what_scores_are(tmp_path: Path, ending: str, channels_last: bool) -> None:
    one = found(segmenter(ending, channels_last=channels_last), tmp_path)
    side = SIDE // 2 if ending == "half" else SIDE
    assert one.axis == (2 if channels_last else 0)
    assert (one.classes, one.grid, one.chances) == (4, (side, side), ending != "logits")
    array = np.arange(4 * side * side).reshape(one.shape)
    expected = np.moveaxis(array, -1, 0) if channels_last else array
    assert np.array_equal(one.classes_first(array), expected)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_numbers_of_classes(tmp_path: Path, keepdims: int) -> None:
    b = Builder(("N", 3, 6, 5))
    b.conv(b.image, 7, 1, name="scores")
    one = found(b.model(b.node("ArgMax", "scores", axis=1, keepdims=keepdims)), tmp_path)
    assert one.numbered
    assert (one.classes, one.grid) == (7, (6, 5))
    assert one.classes_first(np.zeros(one.shape)).shape == (6, 5)


def test_logarithms_of_chances_are_logits(tmp_path: Path) -> None:
    b = Builder(("N", 3, 6, 5))
    scores = b.node("LogSoftmax", b.conv(b.image, 4, 1), axis=1)
    assert not found(b.model(scores), tmp_path).chances


def shaped(*shape: int) -> ModelProto:
    """Scores of pixels whose axes a reshape leaves open."""
    b = Builder(("N", 3, 8, 8))
    mixed = b.node("Reshape", b.conv(b.image, 6, 3, pads=(1, 1, 1, 1)), b.constant([1, -1], np.int64))
    weight = b.constant(np.eye(384, int(np.prod(shape))))
    return b.model(b.node("Reshape", b.node("MatMul", mixed, weight), b.constant((1, *shape), np.int64)))


def test_the_number_of_classes_tells_an_axis_that_the_graph_does_not(tmp_path: Path) -> None:
    assert found(shaped(4, 5, 6), tmp_path).axis == 0
    assert found(shaped(5, 6, 4), tmp_path).axis == 2
    with pytest.raises(ParameterError, match="both could be") as caught:
        found(shaped(4, 6, 4), tmp_path)
    assert "layout=" in str(caught.value.hint)
    with pytest.raises(ParameterError, match="neither the first nor the last has 4"):
        found(shaped(5, 6, 7), tmp_path)


def test_several_outputs_are_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="has 2 outputs that label pixels") as caught:
        found(two_heads(), tmp_path)
    assert caught.value.candidates == ("colours", "brightness")
    assert found(two_heads(), tmp_path, "brightness").classes == 2
    with pytest.raises(ParameterError, match="no output 'brigthness'") as caught:
        found(two_heads(), tmp_path, "brigthness")
    assert caught.value.candidates[0] == "brightness"


def test_an_output_beside_that_labels_no_pixels_is_no_candidate(tmp_path: Path) -> None:
    b = Builder()
    scores = b.conv(b.image, 4, 1, name="scores")
    model = b.model(b.head(scores), scores)
    assert found(model, tmp_path).output == "scores"
    with pytest.raises(ParameterError, match=r"'logits' .* labels no pixels"):
        found(model, tmp_path, "logits")


def test_no_segmenter_is_refused(tmp_path: Path) -> None:
    b = Builder()
    x = b.conv(b.image, 4, 1)
    pooled = b.node("GlobalAveragePool", x, name="pooled")
    single = b.node("ReduceMean", x, axes=[1], name="single")
    mask = b.node("Greater", x, b.constant(0.0), name="mask")
    for outputs, said in (
        (("pooled",), "has one place"),
        (("single",), "scores one class only"),
        (("mask",), "is of bool"),
        ((b.head(x),), "no segmenter"),
        (("pooled", "single"), "none of its outputs labels pixels: 'pooled'"),
    ):
        with pytest.raises(ParameterError, match=said):
            found(b.model(*outputs), tmp_path)
    assert {pooled, single, mask} == {"pooled", "single", "mask"}
