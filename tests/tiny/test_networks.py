"""The networks shipped with the drawn data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from onnxdissect.tiny import BumpMaps, draw
from onnxdissect.tiny.concepts import NAMES

MODELS = Path(__file__).parents[2] / "models"
NETWORKS = ("tiny_scenes", "tiny_scenes_untrained")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_card_tells_the_truth(name: str) -> None:
    model = onnx.load(MODELS / f"{name}.onnx")
    card = (MODELS / f"{name}.md").read_text(encoding="utf-8")
    parameters = sum(int(np.prod(weight.dims)) for weight in model.graph.initializer)
    assert f"{parameters:,} parameters" in card
    assert 300_000 <= parameters <= 2_000_000


def test_both_are_the_same_network_and_small() -> None:
    graphs = [onnx.load(MODELS / f"{name}.onnx").graph for name in NETWORKS]
    shapes = [[(weight.name, tuple(weight.dims)) for weight in graph.initializer] for graph in graphs]
    assert shapes[0] == shapes[1]
    assert [str(node) for node in graphs[0].node] == [str(node) for node in graphs[1].node]
    assert sum((MODELS / f"{name}.onnx").stat().st_size for name in NETWORKS) < 10e6


@pytest.mark.parametrize(
    ("name", "low", "high"), [("tiny_scenes", 0.95, 1.0), ("tiny_scenes_untrained", 0.0, 0.25)]
)
def test_accuracy_on_scenes_never_drawn_before(
    name: str, low: float, high: float, bump_maps: BumpMaps
) -> None:
    path = MODELS / f"{name}.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(NAMES["scene"])
    norm = json.loads(metadata["onnxdissect.preprocessing"])
    assert norm["channels"] == "rgb"
    drawings = [
        drawing
        for drawing in (draw(20_260_101, i, bump_maps) for i in range(192))
        if drawing.scene is not None
    ]
    pixels = np.stack([drawing.image for drawing in drawings]).astype(np.float64)
    x = ((pixels * norm["scale"] - norm["mean"]) / norm["std"]).astype(np.float32).transpose(0, 3, 1, 2)
    (scores,) = session.run(None, {"image": np.ascontiguousarray(x)})
    right = np.mean(np.asarray(scores).argmax(axis=1) == [drawing.scene for drawing in drawings])
    assert low <= right <= high
