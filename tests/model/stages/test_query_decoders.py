"""Detectors whose decoder holds queries in place of cells: what it reads is no prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.families import Model, chosen, up
from support.models import Builder, save

from onnxdissect.errors import LayerNotFoundError
from onnxdissect.model import load_network

UNITS = 6
QUERIES = 5


def linear(b: Builder, x: str, units: int, inputs: int = UNITS, name: str | None = None) -> str:
    y = b.node("Add", b.node("MatMul", x, b.weight((inputs, units))), b.weight((units,)), name=name)
    b.units[y] = units
    return y


def attention(b: Builder, queries: str, memory: str) -> str:
    q, k, v = (linear(b, x, UNITS) for x in (queries, memory, memory))
    weights = b.node("Softmax", b.node("MatMul", q, b.node("Transpose", k, perm=(0, 2, 1))), axis=-1)
    return b.node("Add", queries, linear(b, b.node("MatMul", weights, v), UNITS))


def mixed(b: Builder, x: str, name: str | None = None) -> str:
    """The perceptron of a transformer's layer, with its shortcut."""
    y = linear(b, b.relu(linear(b, x, 2 * UNITS)), UNITS, 2 * UNITS)
    y = b.node("Add", x, y, name=name)
    b.units[y] = UNITS
    return y


def normalised(b: Builder, x: str, name: str | None = None) -> str:
    scale, shift = b.constant(np.ones(UNITS)), b.constant(np.zeros(UNITS))
    return b.node("LayerNormalization", x, scale, shift, axis=-1, name=name)


def tokens(b: Builder, x: str) -> str:
    y = b.node("Reshape", x, b.constant((0, b.units[x], -1), np.int64))
    y = b.node("Transpose", y, perm=(0, 2, 1))
    b.units[y] = b.units[x]
    return y


def backbone(b: Builder, stages: int) -> list[str]:
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    levels = [x]
    for stage in range(1, stages + 1):
        y = b.conv(b.relu(b.conv(x, 4 + 2 * stage, stride=2)), 4 + 2 * stage)
        shortcut = b.conv(x, 4 + 2 * stage, 1, stride=2)
        x = b.relu(b.node("Add", y, shortcut), name=f"stage{stage}")
        levels.append(x)
    return levels


def decoder(b: Builder, memory: str, layers: int) -> Model:
    x = b.constant(np.zeros((1, QUERIES, UNITS)), name="queries")
    b.units[x] = UNITS
    for _ in range(layers):
        x = mixed(b, attention(b, x, memory))
    boxes = b.node("Sigmoid", linear(b, b.relu(linear(b, x, UNITS)), 4), name="boxes")
    return b.model(linear(b, x, 3, name="classes"), boxes)


def transformer_detector(stages: int, layers: int, norm: bool = False) -> Model:
    """DETR: a projection, an encoder over its cells, and a decoder of queries that reads what it gives."""
    b = Builder((1, 3, 64, 64))
    x = tokens(b, b.conv(backbone(b, stages)[-1], UNITS, 1, name="projection"))
    for last in (False, True):
        x = mixed(b, attention(b, x, x), name="memory" if last and not norm else None)
        if norm:
            x = normalised(b, x, name="memory" if last else None)
        b.units[x] = UNITS
    return decoder(b, x, layers)


def levels_detector() -> Model:
    """RT-DETR: a pyramid, a projection of each level, and a decoder over the cells of all."""
    b = Builder((1, 3, 64, 64))
    _, _, fine, coarse = backbone(b, 3)
    top = b.relu(b.conv(coarse, UNITS, 1), name="lateral")
    merged = b.node("Add", up(b, top), b.conv(fine, UNITS, 1))
    b.units[merged] = UNITS
    merged = b.relu(b.conv(merged, UNITS), name="merged")
    parts = [tokens(b, b.conv(x, UNITS, 1)) for x in (merged, top)]
    return decoder(b, linear(b, b.node("Concat", *parts, axis=1), UNITS), 2)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_the_backbone_is_the_trunk_and_the_encoder_the_neck(
    tmp_path: Path, stages: int, layers: int, norm: bool
) -> None:
    network = load_network(save(transformer_detector(stages, layers, norm), tmp_path / "model.onnx"))
    expected = ["stem", *(f"stage{n}" for n in range(1, stages + 1))]
    assert chosen(network, "stages") == expected
    assert chosen(network, "last") == expected[-1:]
    assert chosen(network, "neck") == ["memory"]
    with pytest.raises(LayerNotFoundError, match="no heads that are layers"):
        chosen(network, "heads")


def test_projections_of_levels_are_no_heads(tmp_path: Path) -> None:
    network = load_network(save(levels_detector(), tmp_path / "model.onnx"))
    assert chosen(network, "stages") == ["stem", "stage1", "stage2", "stage3"]
    assert chosen(network, "neck") == ["lateral", "merged"]
    with pytest.raises(LayerNotFoundError, match="no heads that are layers"):
        chosen(network, "heads")


def test_decoding_by_stored_products_leaves_predictions_heads(tmp_path: Path) -> None:
    """Distances as means over bins, and corners from centres, are products with stored numbers."""
    b = Builder((1, 3, 64, 64))
    x = backbone(b, 2)[-1]
    classes = b.conv(x, 3, 1, name="classes")
    bins = b.node("Reshape", b.conv(x, 16, 1, name="bins"), b.constant((1, 4, 4, -1), np.int64))
    bins = b.node("Softmax", b.node("Transpose", bins, perm=(0, 2, 1, 3)), axis=1)
    b.units[bins] = 4
    distances = b.node("Reshape", b.conv(bins, 1, 1), b.constant((1, 4, -1), np.int64))
    corners = b.node("MatMul", b.node("Transpose", distances, perm=(0, 2, 1)), b.weight((4, 4)))
    network = load_network(save(b.model(classes, corners), tmp_path / "model.onnx"))
    assert chosen(network, "last") == ["stage2"]
    assert chosen(network, "heads") == ["classes", "bins"]
