"""The probe of graphs in which very many nodes take one value, and of values that are no tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper
from support.hostile_networks import convolution, network, save

from onnxdissect.model import load_network
from onnxdissect.model.reading import shape_probe
from onnxdissect.model.runtime.inference import open_runtime


def spread(path: Path, count: int, source: str) -> Path:
    """Write a network of so many outputs, each made of the image or of what one node makes of it."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], [0.1] * 108)
    nodes = [helper.make_node("Conv", ["x", "w"], ["first"])]
    if source == "first":
        nodes += [helper.make_node("Relu", ["first"], [f"v{i}"]) for i in range(count)]
    else:
        nodes += [helper.make_node("Conv", ["x", "w"], [f"v{i}"]) for i in range(count)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(f"v{i}", TensorProto.FLOAT, [1, 4, 6, 6]) for i in range(count)],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("source", ["first", "x"])
@pytest.mark.parametrize("count", [255, 257, 600])
def test_copies_of_a_value_give_the_same_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, count: int
) -> None:
    path = spread(tmp_path / "m.onnx", count, source)
    with_copies = load_network(path).layers
    monkeypatch.setattr(shape_probe, "_MOST_USES", 10**9)
    assert with_copies == load_network(path).layers
    assert {f"v{i}" for i in range(count)} <= {layer.name for layer in with_copies}


@pytest.mark.parametrize("source", ["first", "x"])
def test_no_value_is_given_to_onnxruntime_with_very_many_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    opened: list[ir.Model] = []

    def recorded(model: ir.Model, **options: Any) -> Any:
        opened.append(model)
        return open_runtime(model, **options)

    monkeypatch.setattr(f"{shape_probe.__name__}.open_runtime", recorded)
    load_network(spread(tmp_path / "m.onnx", 2_000, source))
    (model,) = opened
    computed = [value for node in model.graph for value in node.outputs]
    assert max(len(value.uses()) for value in [*model.graph.inputs, *computed]) <= 256


def test_a_loop_that_gathers_maps_in_a_sequence(tmp_path: Path) -> None:
    truth, number = TensorProto.BOOL, TensorProto.INT64
    gathered = [helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None) for name in "st"]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("SequenceInsert", ["s", "c"], ["t"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", number, []),
            helper.make_tensor_value_info("on", truth, []),
            gathered[0],
        ],
        [helper.make_tensor_value_info("still", truth, []), gathered[1]],
    )
    nodes = [
        convolution(),
        helper.make_node("Constant", [], ["times"], value=helper.make_tensor("n", number, [], [3])),
        helper.make_node("SequenceEmpty", [], ["none"]),
        helper.make_node("Loop", ["times", "", "none"], ["maps"], body=body),
        helper.make_node("ConcatFromSequence", ["maps"], ["y"], axis=1),
    ]
    # the file does not say that what the loop gives is a sequence
    found = load_network(save(network(nodes), tmp_path))
    assert (found.layers[0].name, found.layers[0].units) == ("c", 4)
