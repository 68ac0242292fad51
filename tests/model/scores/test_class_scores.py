"""The output that scores classes, and the logits before what makes chances of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from support import models
from support.models import Builder, save

from onnxdissect.errors import ParameterError
from onnxdissect.model import load_network
from onnxdissect.model.scores.class_scores import find_class_scores, place_of_layer


def rounded(b: Builder, x: str) -> str:
    scale, zero = b.constant(0.1), b.constant(0, np.uint8)
    return b.node("DequantizeLinear", b.node("QuantizeLinear", x, scale, zero), scale, zero)


Ending = Callable[[Builder, str], str]
ENDINGS: dict[str, tuple[Ending, str, str]] = {
    "softmax": (lambda b, x: b.node("Softmax", x, axis=1, name="out"), "logits", "Softmax"),
    "logarithm": (lambda b, x: b.node("LogSoftmax", x, axis=-1, name="out"), "logits", "LogSoftmax"),
    "sigmoid": (lambda b, x: b.node("Sigmoid", x, name="out"), "logits", "Sigmoid"),
    "reshaped": (
        lambda b, x: b.node("Identity", b.node("Flatten", b.node("Softmax", x, axis=1)), name="out"),
        "logits",
        "Softmax",
    ),
    "scaled": (lambda b, x: b.node("Mul", x, b.constant(2), name="out"), "out", ""),
    "over images": (lambda b, x: b.node("Softmax", x, axis=0, name="out"), "out", ""),
    "rounded": (
        lambda b, x: b.node("QuantizeLinear", x, b.constant(0.1), b.constant(0, np.uint8), name="out"),
        "logits",
        "QuantizeLinear",
    ),
    "rounded twice": (
        lambda b, x: b.node(
            "QuantizeLinear",
            b.node("Softmax", rounded(b, x), axis=1),
            b.constant(1 / 256),
            b.constant(0, np.uint8),
            name="out",
        ),
        "logits",
        "Softmax",
    ),
    "chances of chances": (
        lambda b, x: b.node("Softmax", b.node("Sigmoid", x, name="first"), axis=1, name="out"),
        "first",
        "Softmax",
    ),
    "one by one": (
        lambda b, x: b.node(
            "Reshape",
            b.node("Softmax", b.node("Reshape", x, b.constant((0, 5, 1, 1), np.int64)), axis=1),
            b.constant((0, 5), np.int64),
            name="out",
        ),
        "Reshape_0:0",
        "Softmax",
    ),
}


def ending(make: Ending) -> onnx.ModelProto:
    b = Builder(("N", 3, 12, 12))
    deep = b.relu(b.conv(b.image, 6), name="deep")
    return b.model(make(b, b.head(deep)))


@pytest.mark.parametrize("name", ENDINGS)
def test_what_makes_chances_is_stripped(tmp_path: Path, name: str) -> None:
    make, value, stripped = ENDINGS[name]
    found = find_class_scores(load_network(save(ending(make), tmp_path / "model.onnx")))
    assert (found.output, found.value, found.stripped, found.classes) == ("out", value, stripped, 5)


def test_maps_lists_and_integers_score_no_classes(tmp_path: Path) -> None:
    endings: list[Ending] = [
        lambda b, x: b.node("ArgMax", x, axis=1, name="out"),
        lambda b, x: b.node("ReduceMax", x, axes=(1,), keepdims=0, name="out"),
        lambda b, x: b.node("Transpose", x, perm=(1, 0), name="out"),
    ]
    for number, model in enumerate([models.encoder_decoder(), *map(ending, endings)]):
        network = load_network(save(model, tmp_path / f"{number}.onnx"))
        with pytest.raises(ParameterError, match="no output that scores classes") as error:
            find_class_scores(network)
        assert network.outputs[0] in error.value.message
        with pytest.raises(ParameterError, match="no vector of class scores"):
            find_class_scores(network, network.outputs[0])


def test_of_several_one_is_chosen(tmp_path: Path) -> None:
    b = Builder(("N", 3, 12, 12))
    deep = b.relu(b.conv(b.image, 6), name="deep")
    other = b.node("GlobalAveragePool", deep, name="other")
    network = load_network(save(b.model(b.head(deep), other), tmp_path / "model.onnx"))
    with pytest.raises(ParameterError, match="2 outputs that score classes") as error:
        find_class_scores(network)
    assert error.value.candidates == ("logits", "other") and error.value.hint == "--output logits"
    found = find_class_scores(network, "other")
    assert (found.output, found.classes) == ("other", 6)
    assert find_class_scores(network, "logits").classes == 5


def test_layers_lie_before_behind_and_beside(tmp_path: Path) -> None:
    b = Builder(("N", 3, 12, 12))
    deep = b.relu(b.conv(b.image, 6), name="deep")
    side = b.relu(b.conv(deep, 2), name="side")
    out = b.node("Softmax", b.head(deep), axis=1, name="out")
    network = load_network(save(b.model(out, side), tmp_path / "model.onnx"))
    scores = find_class_scores(network, "out")
    places = {name: place_of_layer(network, name, scores) for name in ("deep", "side", "logits", "out")}
    assert places == {"deep": "before", "side": "beside", "logits": "scores", "out": "behind"}


def test_one_score_is_a_class_of_its_own(tmp_path: Path) -> None:
    b = Builder(("N", 3, 12, 12))
    flat = b.node("Flatten", b.node("GlobalAveragePool", b.relu(b.conv(b.image, 6))))
    out = b.node("Sigmoid", b.node("Gemm", flat, b.weight((6, 1)), name="logit"), name="out")
    found = find_class_scores(load_network(save(b.model(out), tmp_path / "model.onnx")))
    assert (found.value, found.stripped, found.classes) == ("logit", "Sigmoid", 1)
