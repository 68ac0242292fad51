"""Functions that call themselves, and those that stand for more nodes than anybody could read."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support.hostile_networks import call, convolution, doubling, function, network, save

from onnxdissect.errors import ModelFormatError
from onnxdissect.model import load_network
from onnxdissect.model.reading.function_calls import MOST_FUNCTIONS_DEEP, MOST_GRAPHS_DEEP, MOST_NODES


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


@pytest.mark.parametrize("inputs", [["a"], []])
def test_calls_of_functions_without_nodes_are_counted(inputs: list[str], tmp_path: Path) -> None:
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", "F0", inputs, inputs, [], imports)]
    for i in range(1, 40):
        calls = [helper.make_node(f"F{i - 1}", inputs, ["t"] * len(inputs), domain="own")]
        calls += [helper.make_node(f"F{i - 1}", ["t"] * len(inputs), ["b"] * len(inputs), domain="own")]
        functions.append(helper.make_function("own", f"F{i}", inputs, ["b"] * len(inputs), calls, imports))
    outer = helper.make_node("F39", ["c"] * len(inputs), ["d"] * len(inputs), domain="own")
    nodes = [convolution(), outer, helper.make_node("Relu", ["c"], ["y"])]
    message = refusal(network(nodes, functions=functions), tmp_path)
    assert "by 1,099,511,627,775 calls" in message and "own.F39" in message and f"{MOST_NODES:,}" in message


def of_floats(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def test_names_that_would_take_too_long_to_tell_apart_are_counted(tmp_path: Path) -> None:
    body = helper.make_graph([helper.make_node("Relu", ["c"], ["r"])], "body", [], [of_floats("r")])
    branch = helper.make_node("If", ["on"], ["q"], then_branch=body, else_branch=body)
    on = helper.make_node("Constant", [], ["on"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True]))
    doubled = doubling(13)
    doubled.graph.node.extend([on, branch])
    assert "24,574 nodes without a name" in refusal(doubled, tmp_path)
    relus = [helper.make_node("Relu", [f"v{i}" if i else "a"], [f"v{i + 1}"]) for i in range(20_000)]
    relus[-1].output[0] = "b"
    nodes = [convolution(), on, branch, call("A", "c", "y")]
    model = network(nodes, functions=[function("A", relus)])
    assert "20,000 nodes without a name" in refusal(model, tmp_path)


def test_long_names_that_would_be_given_often_are_counted(tmp_path: Path) -> None:
    long = "n" * 100_000
    relus = [helper.make_node("Relu", ["a"], [long]), helper.make_node("Relu", [long], ["b"])]
    calls = [call("F", f"v{i}", f"v{i + 1}") for i in range(4000)]
    model = network([convolution(to="v0"), *calls], outputs=["v4000"], functions=[function("F", relus)])
    assert "400,004,000 characters of names" in refusal(model, tmp_path)


def test_functions_that_nobody_calls_are_counted(tmp_path: Path) -> None:
    model = doubling(20)
    model.graph.node[1].CopyFrom(helper.make_node("Relu", ["c"], ["y"]))
    assert "holds a function own.F20 that stands for 1,048,576 nodes" in refusal(model, tmp_path)


def test_below_the_limit_functions_are_inlined(tmp_path: Path) -> None:
    layers = load_network(save(doubling(6), tmp_path)).layers
    assert [layer.op for layer in layers] == ["Conv", *["Relu"] * 64]


def nested(deep: int) -> onnx.ModelProto:
    """Functions that each call the one before once."""
    functions = [function("F0", [helper.make_node("Relu", ["a"], ["b"])])]
    functions += [function(f"F{i}", [call(f"F{i - 1}", "a", "b")]) for i in range(1, deep)]
    return network([convolution(), call(f"F{deep - 1}", "c", "y")], functions=functions)


def test_functions_may_call_each_other_a_hundred_deep(tmp_path: Path) -> None:
    model = nested(MOST_FUNCTIONS_DEEP)
    assert [layer.op for layer in load_network(save(model, tmp_path)).layers] == ["Conv", "Relu"]
    onnxruntime.InferenceSession(tmp_path / "model.onnx")


def test_deeper_functions_are_refused(tmp_path: Path) -> None:
    """Six thousand overflow the stack of onnxruntime, whether or not somebody calls the outermost."""
    model = nested(6000)
    assert "call each other 6,000 deep" in refusal(model, tmp_path)
    model.graph.node[1].op_type = "F0"
    assert "call each other 6,000 deep" in refusal(model, tmp_path)


def test_graphs_inside_functions_inside_graphs_are_counted(tmp_path: Path) -> None:
    result = [helper.make_tensor_value_info("r", onnx.TensorProto.FLOAT, None)]
    functions = [function("F0", [helper.make_node("Relu", ["a"], ["b"])])]
    for i in range(1, MOST_GRAPHS_DEEP + 2):
        branch = helper.make_graph([call(f"F{i - 1}", "a", "r")], "branch", [], result)
        yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("", 9, [], [True]))
        choice = helper.make_node("If", ["yes"], ["b"], then_branch=branch, else_branch=branch)
        functions.append(function(f"F{i}", [yes, choice]))
    model = network([convolution(), call(f"F{len(functions) - 1}", "c", "y")], functions=functions)
    for one in model.functions[1:]:  # one branch that calls, so that their number does not double
        one.node[1].attribute[1].g.node[0].CopyFrom(helper.make_node("Relu", ["a"], ["r"]))
    assert f"{MOST_GRAPHS_DEEP + 1} deep" in refusal(model, tmp_path)


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
