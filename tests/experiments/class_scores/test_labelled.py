"""Classes of labelled images are found among those of the network, whatever the case, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxdissect.data.labelled_images import LabelledImages
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.class_scores.labelled import shown_classes
from onnxdissect.model.scores.class_scores import ClassScores

SCORES = ClassScores("chances", "logits", "Softmax", 4)
NAMES = ("kitchen", "ski slope", "ski lift", "7")


def images(*classes: str) -> LabelledImages:
    names = tuple(f"{i}.png" for i in range(len(classes)))
    return LabelledImages("there", names, classes, 0, unread)


def unread(position: int) -> NDArray[np.uint8]:
    raise AssertionError(f"image {position} was read")


def test_names_and_numbers_are_classes() -> None:
    found = shown_classes(images("ski lift", "KITCHEN", "1", "7", "ski lift"), SCORES, NAMES)
    assert found.dtype == np.int64 and found.tolist() == [2, 0, 1, 3, 2]
    assert shown_classes(images("3", "0"), SCORES, None).tolist() == [3, 0]


def test_a_class_that_is_not_there_is_told_with_its_image_and_the_nearest() -> None:
    with pytest.raises(
        ParameterError, match=r"the image 1\.png of there: there is no class 'ski slop'"
    ) as error:
        shown_classes(images("kitchen", "ski slop"), SCORES, NAMES)
    assert error.value.candidates[0] == "ski slope"
    assert error.value.hint is not None and "--classes FILE" in error.value.hint
    assert "--class takes" not in str(error.value)
    with pytest.raises(ParameterError, match="there is no class 4"):
        shown_classes(images("4"), SCORES, NAMES)
    with pytest.raises(ParameterError, match="does not name its 4 classes"):
        shown_classes(images("kitchen"), SCORES, None)


def test_a_name_of_several_classes_is_refused() -> None:
    with pytest.raises(ParameterError, match="2 classes are called 'crane'"):
        shown_classes(images("crane"), SCORES, ("crane", "crane", "cat", "dog"))
    # of their numbers each is one
    assert shown_classes(images("1", "cat"), SCORES, ("crane", "crane", "cat", "dog")).tolist() == [1, 2]
