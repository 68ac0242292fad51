"""Functions are inlined with the names that the graph library alone would give, and in linear time."""

from __future__ import annotations

import itertools
import time

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper
from onnx_ir.passes import common as passes
from support.hostile_networks import call, convolution, endless_loop, function, network

from onnxdissect.model.reading.inlining import inline_functions

NAMES = ["", "n", "n_2", "n_2_2", "n_3", "node", "node_2"]
VALUES = ["t", "t_2", "t_3", "t_2_2", "val"]


def random_model(seed: int) -> onnx.ModelProto:
    """Functions that call each other, with names that others would be given by their numbers."""
    draws = np.random.default_rng(seed)
    functions = []
    for i in range(4):
        made = ["a", *draws.permutation(VALUES)[: draws.integers(1, 5)], "b"]
        nodes = []
        for source, to in itertools.pairwise(made):
            inner = i and draws.random() < 0.5
            node = (
                call(f"F{draws.integers(i)}", source, to)
                if inner
                else helper.make_node("Relu", [source], [to])
            )
            node.name = str(draws.choice(NAMES))
            nodes.append(node)
        functions.append(function(f"F{i}", nodes))
    made = ["c", *(f"{name}{end}" for name in VALUES for end in ("", "_4")), "y"]
    calls = [call(f"F{draws.integers(4)}", source, to) for source, to in itertools.pairwise(made)]
    for node in calls:
        node.name = str(draws.choice(NAMES))
    return network([convolution(), *calls], functions=functions)


@pytest.mark.parametrize("seed", range(20))
def test_names_are_those_of_the_library(seed: int) -> None:
    model = random_model(seed)
    found = inline_functions(ir.from_proto(model))
    right = passes.InlinePass()(ir.from_proto(model)).model
    assert ir.to_proto(found).SerializeToString(deterministic=True) == (
        ir.to_proto(right).SerializeToString(deterministic=True)
    )
    assert len(found.graph) > len(model.graph.node)


def test_graphs_inside_nodes_are_left_to_the_library() -> None:
    on = helper.make_node("Constant", [], ["on"], value_int=1)
    nodes = [on, endless_loop("a", "t", "on"), helper.make_node("Relu", ["t"], ["b"])]
    model = network(
        [convolution(), call("F", "c", "v"), call("F", "v", "y")], functions=[function("F", nodes)]
    )
    found = inline_functions(ir.from_proto(model))
    right = passes.InlinePass()(ir.from_proto(model)).model
    assert str(ir.to_proto(found)) == str(ir.to_proto(right))


def test_calls_of_one_function_take_time_by_their_number() -> None:
    seconds = []
    for count in (10, 1000, 8000):  # the first for what is imported
        nodes = [convolution(to="v0"), *(call("F", f"v{i}", f"v{i + 1}") for i in range(count))]
        functions = [function("F", [helper.make_node("Relu", ["a"], ["b"])])]
        model = ir.from_proto(network(nodes, outputs=[f"v{count}"], functions=functions))
        began = time.process_time()
        assert len(inline_functions(model).graph) == count + 1
        seconds.append(time.process_time() - began)
    # eight times as many; by the square they would take 64 times as long
    assert seconds[2] < 24 * seconds[1]
