"""The table of operators: what its entries say, and that nothing else says it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from onnxdissect.errors import ParameterError
from onnxdissect.model.operators.lookup import attach_operators, is_followed, operator_of
from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Arithmetic, Axes, Compute, Numbers, Places
from onnxdissect.model.operators.table import BUILT_IN, OperatorTable
from onnxdissect.model.receptive_field.geometry import _MOVERS

ROOM = Path(__file__).parents[3] / "onnxdissect" / "model"
NAMES = {entry.name for entry in BUILT_IN.entries}
ELSEWHERE = {
    # equal weights, which exporters store once and name again
    "layout/tokens.py": {"Identity"},
    # whose order of axes is held to be one before anything is made of it
    # and the inputs of a loop counted before onnxruntime takes memory for them
    "reading/attribute_types.py": {"Scan", "Transpose"},
    # whose first input is a sequence, which no array of the probe can be
    "reading/shape_probe.py": {"SequenceAt", "SequenceErase", "SequenceInsert", "SequenceMap"},
    # an index of the largest is no score: what it chose among is, and only this one is looked behind
    "scores/reduction.py": {"ArgMax"},
    # of those that make chances only this one makes their logarithms
    "scores/pixel_classes.py": {"LogSoftmax"},
    # which of the two is put into the graph is asked by its own name
    "surgery/reduce_value.py": {"ReduceMax", "ReduceMean"},
    # one rule for both, whose inputs are the older operator's where there are two
    "receptive_field/resampling.py": {"Upsample"},
    # whose inputs are rewritten one by one, as ONNX defines them
    "surgery/free_batch.py": {"Concat", "Reshape", "Resize"},
    "surgery/describe.py": {"Concat", "Reshape", "Transpose"},
}


def entries(name: str) -> list[Operator]:
    return [entry for entry in BUILT_IN.entries if entry.name == name]


# ---------------------------------------------------------------------------------------- one table


def names_written(path: Path) -> Iterator[str]:
    """Names of operators in a file, but for those of nodes that it makes, and of what it exports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    made = {
        id(call.args[0])
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "ir.node"
    }
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            made |= {id(node) for node in ast.walk(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in NAMES and id(node) not in made:
            yield str(node.value)


def test_no_other_file_names_an_operator() -> None:
    found = {
        path.relative_to(ROOM).as_posix(): set(names_written(path))
        for path in sorted(ROOM.rglob("*.py"))
        if "operators" not in path.parts
    }
    assert len(found) > 60
    assert {place: names for place, names in found.items() if names} == ELSEWHERE


def test_no_file_looks_at_parts_of_a_name() -> None:
    for path in ROOM.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "op_type.startswith" not in source, path
        assert " in node.op_type" not in source, path


def test_every_operator_has_one_entry() -> None:
    keys = [(entry.name, entry.domain) for entry in BUILT_IN.entries]
    assert len(set(keys)) == len(keys) > 200


# onnxruntime still runs these, which ONNX took out of its standard or never had in it
OUTSIDE = {"Affine", "Crop", "ImageScaler", "ParametricSoftplus", "Scale", "ScaledTanh"}


@pytest.mark.parametrize("entry", [e for e in BUILT_IN.entries if not e.domain], ids=lambda e: e.name)
def test_inputs_are_those_of_onnx(entry: Operator) -> None:
    """No entry speaks of an input that no version of its operator has."""
    schemas = [s for s in onnx.defs.get_all_schemas_with_history() if s.name == entry.name and not s.domain]
    if not schemas:
        assert entry.name in OUTSIDE | {"SimplifiedLayerNormalization"}
        return
    told = [*entry.no_weights, *entry.shaping]
    told += [n for n in (entry.result_scale, entry.states_shape, entry.past_keys) if n is not None]
    assert max(told, default=-1) < max(schema.max_input for schema in schemas)


def test_every_rule_of_places_is_followed() -> None:
    assert set(_MOVERS) == set(Places) - {Places.BY_AXES}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Tanh", (Axes.FIRST, Places.KEPT, Numbers.NONLINEAR, Arithmetic.NONE, Compute.NONE)),
        ("Add", (Axes.POINTWISE, Places.UNKNOWN, Numbers.LINEAR, Arithmetic.SUM, Compute.NONE)),
        ("Conv", (Axes.SPATIAL, Places.WINDOW, Numbers.NEW, Arithmetic.NONE, Compute.CONVOLUTION)),
        ("GlobalMaxPool", (Axes.SPATIAL, Places.WHOLE, Numbers.NEW, Arithmetic.NONE, Compute.NONE)),
        ("Tile", (Axes.FRAMED, Places.UNKNOWN, Numbers.NEW, Arithmetic.NONE, Compute.NONE)),
    ],
)
def test_what_an_entry_leaves_out_is_by_default(name: str, said: tuple[object, ...]) -> None:
    (entry,) = entries(name)
    assert (entry.axes, entry.places, entry.numbers, entry.arithmetic, entry.compute) == said


# ---------------------------------------------------------------------------------------- finding


def test_domains() -> None:
    onnx_own, contributed = entries("Attention")
    assert BUILT_IN.find("Attention") is BUILT_IN.find("Attention", "ai.onnx") is onnx_own
    assert BUILT_IN.find("Attention", "com.microsoft") is contributed
    assert not onnx_own.projects
    assert contributed.projects
    # one name in both domains means one thing unless an entry says otherwise
    assert BUILT_IN.find("Relu", "com.microsoft").name == "Relu"
    assert BUILT_IN.find("QuickGelu").name == "QuickGelu"
    # an operator called after one of ONNX's costs what that does, but its axes are not believed
    assert BUILT_IN.find("Conv", "acme").compute is Compute.CONVOLUTION
    assert not BUILT_IN.follows("Conv", "acme")
    assert all(BUILT_IN.follows("Conv", domain) for domain in ("", "ai.onnx", "com.microsoft"))
    assert BUILT_IN.find("Twirl", "acme").axes is Axes.OPEN


def test_registering_leaves_the_table_as_it_is() -> None:
    before = BUILT_IN.entries
    table = BUILT_IN.register(Operator("Twirl", "acme", axes="first"))  # type: ignore[arg-type]
    assert BUILT_IN.entries is before
    assert BUILT_IN.added() == ()
    (twirl,) = table.added()
    assert (twirl.label, twirl.axes, twirl.places) == ("acme::Twirl", Axes.FIRST, Places.KEPT)
    assert table.find("Twirl", "acme") is twirl
    assert table.follows("Twirl", "acme")
    # another domain's operator of the name is not the same
    assert table.find("Twirl").axes is Axes.OPEN
    again = table.register(Operator("Twirl", "acme", axes=Axes.POINTWISE))
    assert [entry.axes for entry in again.added()] == [Axes.POINTWISE]


def test_registering_what_is_built_in_replaces_it() -> None:
    table = BUILT_IN.register(Operator("Relu", "ai.onnx", axes=Axes.FIRST, numbers=Numbers.LINEAR))
    assert len(table.entries) == len(BUILT_IN.entries)
    assert table.find("Relu").numbers is Numbers.LINEAR
    assert table.find("Relu", "com.microsoft").numbers is Numbers.LINEAR


@pytest.mark.parametrize(
    ("rules", "said", "candidates"),
    [
        ({"axes": "frist"}, "operator Twirl: axes is none of the rules there are: 'frist'", "first"),
        ({"places": "windows"}, "operator Twirl: places is none", "window"),
        ({"numbers": 3}, "operator Twirl: numbers is none of the rules there are: 3", "new"),
    ],
)
def test_a_rule_that_is_none(rules: dict[str, object], said: str, candidates: str) -> None:
    with pytest.raises(ParameterError, match=said) as caught:
        Operator("Twirl", "acme", **rules)  # type: ignore[arg-type]
    assert candidates in caught.value.candidates
    assert next(iter(rules)) in str(caught.value.hint)


@pytest.mark.parametrize("name", ["", None])
def test_an_operator_without_a_name(name: str) -> None:
    with pytest.raises(ParameterError, match="an operator needs a name"):
        Operator(name)


def test_what_is_no_operator_is_not_registered() -> None:
    with pytest.raises(ParameterError, match="as an Operator, not as str") as caught:
        BUILT_IN.register("Twirl")  # type: ignore[arg-type]
    assert "register_operator(Operator(" in str(caught.value.hint)


def test_the_record_says_what_is_not_by_default() -> None:
    entry = Operator("Twirl", "acme", axes=Axes.SPATIAL, places=Places.RESIZE, shaping=(1, 2), gate=True)
    assert entry.to_json() == {
        "axes": "spatial",
        "domain": "acme",
        "gate": True,
        "name": "Twirl",
        "places": "resize",
        "shaping": [1, 2],
    }
    assert Operator(**entry.to_json() | {"shaping": (1, 2)}) == entry


# ---------------------------------------------------------------------------------------- nodes


def test_a_graph_and_its_clones_are_read_by_the_table_attached_to_it() -> None:
    x = ir.Value(name="x")
    node = ir.node("Twirl", [x], domain="acme")
    assert operator_of(node).axes is Axes.OPEN
    graph = ir.Graph([x], node.outputs, nodes=[node], opset_imports={"": 17, "acme": 1})
    attach_operators(graph, OperatorTable((Operator("Twirl", "acme", axes=Axes.FIRST),)))
    clone = ir.Model(graph, ir_version=10).clone().graph
    for each in (node, clone.node(0)):
        assert operator_of(each).axes is Axes.FIRST
        assert is_followed(each)
    alone = ir.node("Twirl", [x], domain="acme")
    assert not is_followed(alone)


def test_all_attention_mixes_cells() -> None:
    """What an attention computes at a place is made of others too: no reshape around it is undone."""
    attention = {entry.label: entry.axes for entry in BUILT_IN.entries if entry.compute is Compute.ATTENTION}
    assert {"Attention", "com.microsoft::QAttention"} <= set(attention)
    assert set(attention.values()) == {Axes.MIXED}
