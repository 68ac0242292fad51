"""Networks that hand out features end in their last block, not in a head; predictions stay heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.families import Model, chosen, depthwise, up
from support.models import Builder, save

from onnxdissect.errors import LayerNotFoundError
from onnxdissect.model import load_network


def normalised(b: Builder, x: str, name: str | None = None) -> str:
    units = b.units[x]
    ones, zeros = b.constant(np.ones(units)), b.constant(np.zeros(units))
    return b.node("BatchNormalization", x, ones, zeros, zeros, ones, name=name)


def convolutions(b: Builder, bare: str, outputs: list[str]) -> None:
    """Two convolutions a stage, the last without a nonlinearity."""
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for stage, units in enumerate((6, 8, 10), 1):
        x = b.relu(b.conv(x, units, stride=2))
        y = b.conv(x, units, 1 if bare == "pointwise" else 3, name=f"conv{stage}")
        y = normalised(b, y, name=f"norm{stage}") if bare == "normalised" else y
        x = y if stage == 3 else b.relu(y, name=f"stage{stage}")
        outputs.append(x)


def bottlenecks(b: Builder, units: int, outputs: list[str]) -> None:
    """Inverted bottlenecks, the last at its predecessor's resolution but without a shortcut."""
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for stage, width in enumerate((6, 8, 10), 1):
        for block in range(2):
            y = depthwise(b, b.relu(b.conv(x, 3 * b.units[x], 1)), stride=1 if block else 2)
            y = b.conv(y, width, 1)
            x = b.node("Add", x, y, name=f"stage{stage}") if block else y
        outputs.append(x)
    outputs[-1] = b.conv(depthwise(b, b.relu(b.conv(x, 30, 1))), units, 1, name="final")


def extractor(body: Any, kind: Any, outputs: str, **options: Any) -> Model:
    b = Builder(("N", 3, 64, 64), **options)
    levels: list[str] = []
    body(b, kind, levels)
    if outputs == "each normalised":
        levels = [normalised(b, x, name=f"level{i}") for i, x in enumerate(levels, 1)]
    return b.model(*(levels if outputs != "last" else levels[-1:]))


@pytest.mark.parametrize("outputs", ["last", "all", "each normalised"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(
    ("body", "kind", "stages"),
    [
        (convolutions, "spatial", ["stem", "stage1", "stage2", "conv3"]),
        (convolutions, "normalised", ["stem", "stage1", "stage2", "norm3"]),
        (bottlenecks, 10, ["stem", "stage1", "stage2", "final"]),
        (bottlenecks, 16, ["stem", "stage1", "stage2", "final"]),
    ],
)
def test_features_that_are_handed_out_are_the_last_stage(
    tmp_path: Path, body: Any, kind: Any, stages: list[str], outputs: str, dtype: Any
) -> None:
    network = load_network(save(extractor(body, kind, outputs, dtype=dtype), tmp_path / "model.onnx"))
    if outputs == "each normalised":
        stages = [*stages[:-1], "level3"]
    assert chosen(network, "stages") == stages
    assert chosen(network, "last") == stages[-1:]
    with pytest.raises(LayerNotFoundError):
        chosen(network, "heads")


def test_beside_other_features_a_pointwise_convolution_is_one(tmp_path: Path) -> None:
    several = load_network(save(extractor(convolutions, "pointwise", "all"), tmp_path / "several.onnx"))
    assert chosen(several, "last") == ["conv3"]
    # alone it looks like a map of classes
    single = load_network(save(extractor(convolutions, "pointwise", "last"), tmp_path / "single.onnx"))
    assert chosen(single, "heads") == ["conv3"]


def test_a_bare_convolution_before_the_pooling_is_a_stage(tmp_path: Path) -> None:
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    x = normalised(b, b.conv(x, 8, stride=2), name="bare")
    network = load_network(save(b.model(b.head(x)), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["stem", "bare"]
    assert chosen(network, "heads") == ["logits"]


@pytest.mark.parametrize("bend", ["", "Sigmoid", "Softmax"])
@pytest.mark.parametrize(("kernel", "units"), [(1, 1), (3, 1), (1, 3), (3, 3), (1, 30)])
def test_predictions_for_each_cell_are_heads(tmp_path: Path, bend: str, kernel: int, units: int) -> None:
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for stage in (1, 2):
        x = b.relu(b.conv(x, 6 + 6 * stage, stride=2), name=f"stage{stage}")
    x = b.conv(x, units, kernel, name="classes")
    options = {"axis": 1} if bend == "Softmax" else {}
    x = b.nodes(bend, x, names=["probabilities"], **options)[0] if bend else x
    network = load_network(save(b.model(x), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["stem", "stage1", "stage2"]
    assert chosen(network, "heads") == ["classes"]


@pytest.mark.parametrize("outputs", ["last", "all"])
def test_a_bottleneck_that_narrows_the_stream_predicts(tmp_path: Path, outputs: str) -> None:
    network = load_network(save(extractor(bottlenecks, 3, outputs), tmp_path / "model.onnx"))
    assert chosen(network, "last") == ["stage3"]
    assert chosen(network, "heads") == ["final"]


def padded(b: Builder, outputs: list[str]) -> None:
    """Borders added by an operator of their own, on two sides only, as TensorFlow does."""
    x = b.image
    for stage, units in enumerate((4, 6, 8), 1):
        x = b.node("Pad", x, b.constant((0, 0, 0, 0, 0, 0, 1, 1), np.int64))
        x = b.relu(b.conv(x, units, stride=2, pads=(0,) * 4), name=f"stage{stage}")
        outputs.append(x)


def concatenated(b: Builder, outputs: list[str]) -> None:
    x = b.image
    for stage, units in enumerate((4, 6, 8), 1):
        parts = [b.relu(b.conv(x, units, kernel, stride=2)) for kernel in (3, 5)]
        x = b.node("Concat", *parts, axis=1, name=f"stage{stage}")
        b.units[x] = 2 * units
        outputs.append(x)


def returning(b: Builder, outputs: list[str]) -> None:
    """Blocks that look at a coarser map and add what they see, as windows of attention go and come back."""
    x = b.image
    for stage, units in enumerate((4, 6, 8), 1):
        x = b.relu(b.conv(x, units, stride=2))
        y = b.conv(up(b, b.relu(b.conv(x, units, stride=2))), units)
        x = b.node("Add", x, y, name=f"stage{stage}")
        b.units[x] = units
        outputs.append(x)


@pytest.mark.parametrize("body", [padded, concatenated, returning])
@pytest.mark.parametrize("several", [False, True])
def test_whatever_the_blocks_are_made_of(tmp_path: Path, body: Any, several: bool) -> None:
    b = Builder(("N", 3, 64, 64))
    levels: list[str] = []
    body(b, levels)
    network = load_network(save(b.model(*(levels if several else levels[-1:])), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["stage1", "stage2", "stage3"]


@pytest.mark.parametrize("kind", ["swish", "separable"])
def test_an_embedding_is_made_of_features_not_of_classes(tmp_path: Path, kind: str) -> None:
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    x = b.relu(b.conv(x, 6, stride=2), name="stage1")
    if kind == "swish":
        x = b.conv(x, 12, 1)
        x = b.node("Mul", x, b.node("Sigmoid", x), name="features")
    else:
        x = b.relu(b.conv(b.conv(x, 6, group=6), 12, 1), name="features")
    network = load_network(save(b.model(b.node("GlobalAveragePool", x)), tmp_path / "model.onnx"))
    assert chosen(network, "last") == ["features"]


def test_classes_beside_features_are_a_head(tmp_path: Path) -> None:
    b = Builder(("N", 3, 64, 64))
    fine = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    coarse = b.relu(b.conv(fine, 8, stride=2), name="stage1")
    network = load_network(save(b.model(fine, b.conv(coarse, 3, 1, name="classes")), tmp_path / "model.onnx"))
    assert chosen(network, "last") == ["stage1"]
    assert chosen(network, "heads") == ["classes"]


@pytest.mark.parametrize("hidden", [False, True])
def test_a_hidden_layer_whose_classifier_is_gone_is_one_still(tmp_path: Path, hidden: bool) -> None:
    """MobileNetV3 as an embedding has the last expansion among its stages, MobileNetV2 has not."""
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    for stage, units in enumerate((6, 8), 1):
        for block in range(2):
            y = depthwise(b, b.relu(b.conv(x, 3 * b.units[x], 1)), stride=1 if block else 2)
            y = b.conv(y, units, 1)
            x = b.node("Add", x, y, name=f"stage{stage}") if block else y
    x = b.node("GlobalAveragePool", b.relu(b.conv(x, 24, 1), name="wide"))
    x = b.conv(x, 16, 1)
    x = b.relu(x) if hidden else b.node("Div", x, b.node("Clip", b.node("ReduceL2", x), b.constant(1e-6)))
    network = load_network(save(b.model(x), tmp_path / "model.onnx"))
    assert chosen(network, "last") == ["wide" if hidden else "stage2"]
