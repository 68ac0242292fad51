"""Functions that call themselves, and those that stand for more nodes than anybody could read."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import pytest
from onnx import helper
from support.hostile_networks import call, convolution, doubling, function, network, save

from onnxdissect.errors import ModelFormatError
from onnxdissect.model import load_network
from onnxdissect.model.reading.function_calls import MOST_NODES


def refusal(model: onnx.ModelProto, folder: Path) -> str:
    began = time.process_time()
    with pytest.raises(ModelFormatError) as error:
        load_network(save(model, folder))
    assert time.process_time() - began < 10
    assert error.value.hint
    return error.value.message


def test_circles_are_named(tmp_path: Path) -> None:
    alone = function("A", [call("A", "a", "b")])
    nodes = [convolution(), call("A", "c", "y")]
    assert "a function that calls itself: own.A -> own.A" in refusal(
        network(nodes, functions=[alone]), tmp_path
    )
    pair = [function("A", [call("B", "a", "b")]), function("B", [call("A", "a", "b")])]
    assert "in a circle: own.A -> own.B -> own.A" in refusal(network(nodes, functions=pair), tmp_path)


def test_a_circle_within_a_branch_is_found(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [call("A", "a", "r")],
        "branch",
        [],
        [helper.make_tensor_value_info("r", onnx.TensorProto.FLOAT, None)],
    )
    yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("", 9, [], [True]))
    choice = helper.make_node("If", ["yes"], ["b"], then_branch=branch, else_branch=branch)
    model = network([convolution(), call("A", "c", "y")], functions=[function("A", [yes, choice])])
    assert "own.A -> own.A" in refusal(model, tmp_path)


@pytest.mark.parametrize(("times", "said"), [(20, "1,048,577"), (40, "1,099,511,627,777"), (400, "10^120")])
def test_doubling_is_counted_before_it_is_done(times: int, said: str, tmp_path: Path) -> None:
    message = refusal(doubling(times), tmp_path)
    assert said in message and f"own.F{times}" in message and f"{MOST_NODES:,}" in message


def test_below_the_limit_functions_are_inlined(tmp_path: Path) -> None:
    layers = load_network(save(doubling(6), tmp_path)).layers
    assert [layer.op for layer in layers] == ["Conv", *["Relu"] * 64]


def test_deep_nests_of_single_calls_are_read(tmp_path: Path) -> None:
    """Three thousand functions inside one another, which a recursive walk would not survive."""
    functions = [function("F0", [helper.make_node("Relu", ["a"], ["b"])])]
    functions += [function(f"F{i}", [call(f"F{i - 1}", "a", "b")]) for i in range(1, 3000)]
    model = network([convolution(), call("F2999", "c", "y")], functions=functions)
    assert [layer.op for layer in load_network(save(model, tmp_path)).layers] == ["Conv", "Relu"]


def test_calls_have_to_fit(tmp_path: Path) -> None:
    relu = function("A", [helper.make_node("Relu", ["a"], ["b"])])
    wide = helper.make_node("A", ["c", "c", "c"], ["y"], domain="own")
    assert "calls the function own.A with 3 inputs, and it has 1" in refusal(
        network([convolution(), wide], functions=[relu]), tmp_path
    )
    empty = function("A", [helper.make_node("Relu", ["a"], ["q"])])
    assert "output 'b' nothing computes" in refusal(
        network([convolution(), call("A", "c", "y")], functions=[empty]), tmp_path
    )
