"""Every output has a head, and only what an output is computed from is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.families import Model, chosen, grow, up
from support.models import Builder, save
from support.node_order import reordered

from onnxdissect.errors import LayerNotFoundError
from onnxdissect.model import load_network


def trunk(b: Builder) -> list[str]:
    fine = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    return [fine, b.relu(b.conv(fine, 6, stride=2), name="stage1")]


def pooled(b: Builder, x: str) -> str:
    return b.node("Flatten", b.node("GlobalAveragePool", x))


def dense(b: Builder, x: str, units: int, name: str | None = None) -> str:
    y = b.node("Gemm", x, b.weight((b.units[x], units)), name=name)
    b.units[y] = units
    return y


def several_classifiers() -> Model:
    """Classes, an attribute behind a hidden layer, and a probability, all of one pooled vector."""
    b = Builder()
    x = pooled(b, trunk(b)[-1])
    hidden = b.relu(dense(b, x, 7), name="hidden")
    classes, attribute = dense(b, x, 5, name="classes"), dense(b, hidden, 3, name="attribute")
    return b.model(classes, attribute, b.node("Sigmoid", dense(b, x, 1), name="probability"))


def auxiliary_classifier() -> Model:
    """A second classifier in the middle of the network (GoogLeNet while it is trained)."""
    b = Builder()
    fine, coarse = trunk(b)
    classes = dense(b, pooled(b, coarse), 5, name="classes")
    return b.model(classes, dense(b, pooled(b, fine), 5, name="auxiliary"))


def embedding_and_classes() -> Model:
    b = Builder()
    embedding = dense(b, pooled(b, trunk(b)[-1]), 8, name="embedding")
    return b.model(embedding, b.node("Softmax", dense(b, embedding, 5), name="classes"))


def decoder_and_classes() -> Model:
    """A mask, and the classes of the whole picture."""
    b = Builder()
    fine, coarse = trunk(b)
    x = grow(b, b.node("Concat", up(b, coarse), fine, axis=1), coarse, fine)
    mask = b.conv(b.relu(b.conv(x, 4), name="d1"), 1, 1, name="mask")
    return b.model(mask, dense(b, pooled(b, coarse), 5, name="classes"))


FAMILIES = {
    "several classifiers": (several_classifiers, ["classes", "attribute", "probability"]),
    "auxiliary classifier": (auxiliary_classifier, ["classes", "auxiliary"]),
    "embedding and classes": (embedding_and_classes, ["embedding", "classes"]),
    "decoder and classes": (decoder_and_classes, ["mask", "classes"]),
}


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_output_has_a_head(tmp_path: Path, family: str, seed: int | None) -> None:
    build, heads = FAMILIES[family]
    model = build() if seed is None else reordered(build(), seed)
    network = load_network(save(model, tmp_path / "model.onnx"))
    assert sorted(chosen(network, "heads")) == sorted(heads)


def test_what_no_output_is_computed_from_predicts_nothing(tmp_path: Path) -> None:
    b = Builder()
    fine, coarse = trunk(b)
    b.conv(coarse, 9, 1, name="unused")
    x = grow(b, b.node("Concat", up(b, coarse), fine, axis=1), coarse, fine)
    mask = b.conv(b.relu(b.conv(x, 4)), 1, 1, name="mask")
    network = load_network(save(b.model(mask), tmp_path / "model.onnx"))
    assert chosen(network, "heads") == ["mask"]


def test_a_prediction_that_is_no_layer_is_stood_for_by_none(tmp_path: Path) -> None:
    """A convolution of a single cell gives no map, and what it reads predicts nothing."""
    b = Builder()
    x = b.node("GlobalAveragePool", trunk(b)[-1])
    x = b.conv(b.relu(b.conv(x, 7, 1)), 3, 1)
    x = b.node("Mul", x, b.constant(np.float32(2)))
    network = load_network(save(b.model(x), tmp_path / "model.onnx"))
    with pytest.raises(LayerNotFoundError, match="no heads"):
        chosen(network, "heads")
