"""Graphs of very many outputs: what their heads are is told in one walk, and as by many."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from naive.heads import last_layers, nearest_shared
from onnx import TensorProto, helper
from support.hostile_networks import convolution, network, save

from onnxdissect.model import load_network
from onnxdissect.model.reading.model_file import read_model
from onnxdissect.model.stages.heads import predictions
from onnxdissect.model.stages.heads.predictions import ends_of_heads
from onnxdissect.model.stages.trunk.flow import Flow, Maps, follow_flow
from onnxdissect.model.stages.trunk.products import has_weights


def random_flow(path: Path, seed: int) -> tuple[Flow, list[int]]:
    """Follow an image through sums, copies and convolutions that read anything before them."""
    draws = np.random.default_rng(seed)
    nodes = [convolution(), helper.make_node("Relu", ["c"], ["v0"])]
    for i in range(int(draws.integers(5, 40))):
        one, two = (f"v{draws.integers(max(0, i - 4), i + 1)}" for _ in range(2))
        kind = draws.choice(["Add", "Neg", "Neg", "Conv"])
        given = {"Add": [one, two], "Neg": [one], "Conv": [one, "square"]}[str(kind)]
        nodes.append(helper.make_node(str(kind), given, [f"v{i + 1}"]))
    model = network(nodes, outputs=[f"v{i}" for i in range(len(nodes) - 1)])
    model.graph.initializer.append(helper.make_tensor("square", TensorProto.FLOAT, [4, 4, 1, 1], [0.5] * 16))
    flow = follow_flow(read_model(save(model, path)).model.graph, "x", lambda name: (8, 8))
    return flow, list(range(1, len(flow.names)))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("at_once", [None, 3])
def test_one_walk_finds_what_many_find(
    tmp_path: Path, seed: int, at_once: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if at_once:
        monkeypatch.setattr(predictions, "_AT_ONCE", at_once)
    flow, values = random_flow(tmp_path, seed)
    draws = np.random.default_rng(seed)
    weighted = [n for n in values if has_weights(flow, n)]
    for share in (0.1, 0.3, 0.7):
        layers = {n for n in values if draws.random() < share}
        outputs = {n for n in values if draws.random() < 0.5} | {values[-1]}
        found = ends_of_heads(flow, Maps(set(), set(), {}), outputs, layers, whole=True)
        assert found == last_layers(flow.before, flow.after, outputs, layers, weighted)
        assert flow.meet(list(outputs)) == nearest_shared(flow.dominators, outputs)


def test_outputs_one_behind_the_other(tmp_path: Path) -> None:
    seconds = []
    for count in (10, 250, 2000):  # the first for what is imported
        nodes = [convolution(), helper.make_node("Relu", ["c"], ["v0"])]
        nodes += [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(count)]
        path = save(network(nodes, outputs=[f"v{i}" for i in range(count + 1)]), tmp_path)
        began = time.process_time()
        assert len(load_network(path).layers) > count
        seconds.append(time.process_time() - began)
    # eight times as many; by the square they would take 64 times as long
    assert seconds[2] < 24 * seconds[1]


def test_outputs_that_are_each_a_sum_of_several_values(tmp_path: Path) -> None:
    seconds = []
    for count in (250, 2000):
        nodes = [
            convolution(),
            helper.make_node("Relu", ["c"], ["v0"]),
            helper.make_node("Neg", ["v0"], ["v1"]),
        ]
        nodes += [helper.make_node("Add", [f"v{i}", f"v{i + 1}"], [f"v{i + 2}"]) for i in range(count)]
        path = save(network(nodes, outputs=[f"v{i + 2}" for i in range(count)]), tmp_path)
        flow = follow_flow(read_model(path).model.graph, "x", lambda name: (8, 8))
        outputs = [flow.numbers[f"v{i + 2}"] for i in range(count)]
        began = time.process_time()
        found = ends_of_heads(flow, Maps(set(), set(), {}), outputs, {flow.numbers["v0"]}, whole=True)
        seconds.append(time.process_time() - began)
        assert [flow.names[n] for n in found] == ["v0"]
    # eight times as many; by the square they would take 64 times as long
    assert seconds[1] < 24 * seconds[0]
