"""Element types read off the operators' definitions are those that onnxruntime gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx.backend import test as backend

from onnxdissect.model import load_network
from onnxdissect.model.graph import downstream
from onnxdissect.model.reading.element_types import follow_types
from onnxdissect.model.runtime.inference import DTYPES

HERE = Path(__file__).parents[2]
LIGHT = sorted((Path(backend.__file__).parent / "data" / "light").glob("*.onnx"))


@pytest.mark.parametrize("path", [*sorted((HERE / "exports").glob("*.onnx")), *LIGHT], ids=lambda p: p.stem)
def test_types_are_those_of_onnxruntime(path: Path) -> None:
    model = load_network(path).model
    derived = follow_types(model.graph, model.graph.opset_imports)
    clone = model.clone()
    clone.graph.outputs.clear()
    values = [v for node in clone.graph for v in node.outputs if v.name]
    clone.graph.outputs.extend(values)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        ir.to_proto(clone).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = {output.name: DTYPES.get(output.type) for output in session.get_outputs()}
    named = {str(value.name) for value in values} & set(derived)
    assert {name: derived[name] for name in named} == {name: found[name] for name in named}
    computed = downstream(model.graph, model.graph.inputs[0]) - set(model.graph.inputs)
    assert len(named & {value.name for value in computed}) > 0.8 * len(computed)


def test_types_that_no_schema_tells_are_left_out() -> None:
    nodes = [
        onnx.helper.make_node("FusedConv", ["x", "w"], ["y"], domain="com.microsoft"),
        onnx.helper.make_node("Cast", ["x"], ["h"], to=onnx.TensorProto.FLOAT16),
        onnx.helper.make_node("QuickGelu", ["x"], ["z"], domain="com.microsoft"),
        onnx.helper.make_node("Shape", ["x"], ["s"]),
        onnx.helper.make_node("Relu", ["z"], ["r"]),
    ]
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 4, 4])], []
    )
    model = ir.from_proto(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]))
    assert follow_types(model.graph, {"": 17}) == {"x": "float32", "h": "float16", "s": "int64"}


def test_a_listing_in_a_pipe_is_laid_out_as_rich_does() -> None:
    program = (
        "from rich.console import Console\n"
        "from onnxdissect.cli.printing.tables import aligned_lines, plain_table\n"
        "columns = ['left', '>right', 'wide']\n"
        "rows = [['a', 12, '漢字'], ['long [b] name', 3, ''], ['', '', 'x']]\n"
        "console = Console(width=200, highlight=False)\n"
        "with console.capture() as capture:\n"
        "    console.print(plain_table(None, columns, rows))\n"
        "drawn = [line.rstrip() for line in capture.get().splitlines()]\n"
        "assert drawn == aligned_lines(columns, rows), drawn\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
