"""Small networks split at a layer, with an image of theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxdissect.model import Layer, Network, load_network
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.model.runtime.parts.opening import open_parts
from onnxdissect.model.scores.class_scores import ClassScores, find_class_scores
from support.models import Builder, images, save
from support.small_runs import broden, dissect


def split_at(
    model: onnx.ModelProto, layer: str, folder: Path, name: str = "model"
) -> tuple[Network, Layer, ClassScores, NetworkParts, NDArray[Any]]:
    """A network, one of its layers, its scores, the parts, and an image."""
    network = load_network(save(model, folder / f"{name}.onnx"))
    (found,) = network.select([layer])
    scores = find_class_scores(network)
    parts = open_parts(network, found, outputs=[scores.value], provider="cpu")
    return network, found, scores, parts, images(network, 1, seed=3)


def pooled_by_maximum(**options: Any) -> onnx.ModelProto:
    """Swish of its own spelling, the largest of every unit, two linear layers and a softmax."""
    b = Builder(**options)
    x = b.conv(b.image, 7, stride=2, name="deep")
    x = b.node("Mul", x, b.node("Sigmoid", x), name="swish")
    flat = b.node("Flatten", b.node("GlobalMaxPool", x))
    hidden = b.node("Gemm", flat, b.weight((7, 9)), b.weight((9,)))
    logits = b.node("Gemm", hidden, b.weight((9, 5)), b.weight((5,)), name="logits")
    return b.model(b.node("Softmax", logits, axis=1, name="chances"))


def flattened_last(**options: Any) -> onnx.ModelProto:
    """NHWC maps that a dense layer reads cell by cell."""
    b = Builder(("N", 8, 8, 3), **options)
    b.units[b.image] = 3
    x = b.conv(b.node("Transpose", b.image, perm=(0, 3, 1, 2)), 6, stride=2)
    x = b.relu(b.node("Transpose", x, perm=(0, 2, 3, 1)), name="deep")
    flat = b.node("Reshape", x, b.constant((0, -1), np.int64))
    return b.model(b.node("MatMul", flat, b.weight((96, 5)), name="logits"))


CLASSES = ("kitchen", "ski slope", "ski lift")


def network_of_world(path: Path) -> None:
    """Scores behind a residual block and a softmax, a map beside them, and a block that is gone around."""
    b = Builder(("N", 3, 12, 12), seed=5)
    first = b.relu(b.conv(b.image, 4, name="first"), name="mid")
    inner = b.relu(b.conv(first, 4), name="inner")
    joined = b.node("Add", first, b.conv(inner, 4), name="joined")
    b.units[joined] = 4
    deep = b.relu(b.conv(joined, 6, stride=2, name="coarse"), name="deep")
    flat = b.node("Flatten", b.node("GlobalAveragePool", deep))
    weights = b.constant(b.rng.normal(0, 2, (6, 3)))
    logits = b.node("Gemm", flat, weights, b.constant((0.1, -0.2, 0.05)), name="logits")
    chances = b.node("Softmax", logits, axis=1, name="chances")
    behind = b.node("Mul", chances, b.constant(2), name="behind")
    maps = b.relu(b.conv(joined, 2, name="side"), name="maps")
    b.metadata["classes"] = json.dumps(CLASSES)
    largest = b.node("ReduceMax", behind, axes=(1,), keepdims=0, name="largest")
    save(b.model(chances, maps, largest), path)


def explained_world(folder: Path) -> Path:
    """A network, a data set of 12 images and a finished run of its layers."""
    network_of_world(folder / "net.onnx")
    broden(folder / "data", 12, 0)
    layers = ["mid", "inner", "joined", "deep", "maps", "logits", "behind"]
    dissect(folder, layers=layers, bases=["rotation:seed=1"], bootstrap=20, null=0, quantiles=[0.1, 0.02])
    return folder
