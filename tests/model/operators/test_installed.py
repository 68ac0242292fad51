"""Operators of users and of installed packages, in files that onnxruntime runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.models import Builder, images, run_whole, save

import onnxdissect
from onnxdissect import Operator, register_operator
from onnxdissect.errors import InstallationError
from onnxdissect.model import Layer, Network, OperatorTable, load_network, open_session
from onnxdissect.model.layers.coverage import measure_coverage
from onnxdissect.model.layers.coverage_warnings import coverage_warnings
from onnxdissect.model.operators.installed import installed_operators
from onnxdissect.model.operators.rules import Axes, Numbers
from onnxdissect.model.operators.table import BUILT_IN

DOMAIN = "ai.onnx.ml"
BINARIZER = Operator("Binarizer", DOMAIN, axes=Axes.FIRST, numbers=Numbers.NONLINEAR)


def binarized(size: int | str = 32) -> onnx.ModelProto:
    """A network whose activations are an operator of another domain, as in networks of bits."""
    b = Builder(("N", 3, size, size))
    x = b.node("Binarizer", b.conv("image", 4, stride=2), name="bits", domain=DOMAIN, threshold=0.1)
    x = b.node("Binarizer", b.conv(x, 8, stride=2), name="deep", domain=DOMAIN, threshold=0.1)
    return b.model(b.head(x), domains=[(DOMAIN, 1)])


def windowed(op: str) -> onnx.ModelProto:
    b = Builder()
    x = b.conv("image", 4, stride=2)
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 2, 1]}
    b.units[x] = 4
    return b.model(b.head(b.relu(b.conv(b.node(op, x, name="pooled", **window), 8), name="deep")))


def summary(layer: Layer) -> tuple[Any, ...]:
    return layer.name, layer.layout, layer.receptive_field, layer.stage, layer.macs


def warnings(network: Network) -> list[str]:
    return coverage_warnings(measure_coverage(network.listing), network.listing)


def find(network: Network, name: str) -> Layer:
    return next(layer for layer in network.layers if layer.name == name)


# ---------------------------------------------------------------------------------------- registered


def test_an_operator_that_nobody_registered_leaves_its_results_open(tmp_path: Path) -> None:
    network = load_network(save(binarized(), tmp_path / "net.onnx"))
    assert "bits" not in {layer.name for layer in network.layers}
    assert "operator Binarizer leaves open which axes are units" in network.listing.refusals["bits"]
    assert warnings(network)[0].startswith("the operator ai.onnx.ml::Binarizer is not known, and leaves open")
    # what is behind it has lost its place
    assert find(network, "Conv_1:0").receptive_field is None
    assert "operators" not in network.stated()


@pytest.mark.parametrize("size", [32, "side"])
def test_a_registered_operator_is_followed_like_any_other(tmp_path: Path, size: int | str) -> None:
    path = save(binarized(size), tmp_path / "net.onnx")
    # at another size than the file declares, the graph that is read is a changed clone
    network = load_network(path, image_size=(64, 64), operators=register_operator(BINARIZER))
    with_relu = Builder(("N", 3, size, size))
    x = with_relu.relu(with_relu.conv("image", 4, stride=2), name="bits")
    x = with_relu.relu(with_relu.conv(x, 8, stride=2), name="deep")
    same = load_network(save(with_relu.model(with_relu.head(x)), tmp_path / "relu.onnx"), image_size=(64, 64))
    assert [summary(layer) for layer in network.layers] == [summary(layer) for layer in same.layers]
    assert [layer.name for layer in network.select(["stages"])] == ["bits", "deep"]
    assert warnings(network) == []


def test_its_results_are_what_onnxruntime_computes(tmp_path: Path) -> None:
    path = save(binarized(), tmp_path / "net.onnx")
    network = load_network(path, operators=register_operator(BINARIZER))
    batch = images(network, 2)
    expected = run_whole(path, ["bits", "deep"], batch)
    session = open_session(network, network.select(["stages"]), verify=batch)
    for maps, array in zip(session(batch), expected, strict=True):
        np.testing.assert_array_equal(maps, array)
    assert set(np.unique(expected[0])) == {0.0, 1.0}


def test_what_was_registered_is_stated_where_the_graph_holds_it(tmp_path: Path) -> None:
    table = register_operator(Operator("Twirl", "acme", axes=Axes.FIRST), register_operator(BINARIZER))
    network = load_network(save(binarized(), tmp_path / "net.onnx"), operators=table)
    assert network.stated()["operators"] == {
        "ai.onnx.ml::Binarizer": {
            "axes": "first",
            "domain": DOMAIN,
            "name": "Binarizer",
            "numbers": "nonlinear",
        }
    }


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_a_registered_window_has_its_offset(tmp_path: Path, op: str) -> None:
    """Taken out of the table and registered again, an operator over a window is what it was."""
    path = save(windowed(op), tmp_path / "net.onnx")
    lacking = OperatorTable(tuple(entry for entry in BUILT_IN.entries if entry.name != op))
    unknown = load_network(path, operators=lacking)
    assert "leaves open which axes are units" in unknown.listing.refusals["pooled"]
    assert f"since operator {op} ('pooled')" in unknown.listing.refusals["deep"]
    known = load_network(path, operators=register_operator(Operator(op, axes=Axes.SPATIAL), lacking))
    built_in = load_network(path)
    field = find(known, "pooled").receptive_field
    # 3 taps at a stride of 2 over cells 2 pixels apart: begun at the cell itself, or one before it
    assert field is not None
    assert (field.offset, field.stride, field.size) == ((2.0, 0.0), (4.0, 4.0), (7.0, 7.0))
    assert [summary(layer) for layer in known.layers] == [summary(layer) for layer in built_in.layers]


@pytest.mark.parametrize(("weighs_by", "last"), [(None, "gate"), (0, "gate"), (1, "y")])
def test_a_gate_that_a_registered_operator_weighs_by_is_no_stage(
    tmp_path: Path, weighs_by: int | None, last: str
) -> None:
    """A product taken out of the table and registered as an operator of which only the gate is known."""
    b = Builder()
    x = b.relu(b.conv("image", 4, stride=2), name="x")
    b.units[x] = 4
    gate = b.node("Sigmoid", b.conv(x, 4, stride=2), name="gate")
    b.units[y := b.node("Mul", b.weight((1, 4, 1, 1)), gate, name="y")] = 4
    path = save(b.model(b.head(y)), tmp_path / "net.onnx")
    lacking = OperatorTable(tuple(entry for entry in BUILT_IN.entries if entry.name != "Mul"))
    table = register_operator(Operator("Mul", axes=Axes.POINTWISE, weighs_by=weighs_by), lacking)
    stages = [layer.name for layer in load_network(path, operators=table).select(["stages"])]
    assert stages == ["x", last]
    # as the table has it, a product weighs by either of its operands
    assert [layer.name for layer in load_network(path).select(["stages"])] == ["x", "y"]


def test_strings_name_rules_too(tmp_path: Path) -> None:
    table = register_operator(Operator("Binarizer", DOMAIN, axes="first", numbers="nonlinear"))  # type: ignore[arg-type]
    assert table.added() == (BINARIZER,)
    network = load_network(save(binarized(), tmp_path / "net.onnx"), operators=table)
    assert find(network, "deep").stage == 2


# ---------------------------------------------------------------------------------------- installed


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lay a package with entry points on the search path, as an installer leaves it."""
    number = len(sys.modules)

    def lay(source: str, entries: Sequence[str]) -> Path:
        name = f"binarize_{number}_{tmp_path.name}".replace("-", "_")
        place = tmp_path / "site"
        info = place / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (place / f"{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [entry.replace("MODULE", name) for entry in entries]
        (info / "entry_points.txt").write_text("\n".join(["[onnxdissect.operators]", *lines, ""]))
        monkeypatch.syspath_prepend(str(place))
        return place

    return lay


SOURCE = """
from onnxdissect import Operator

OPERATORS = (Operator("Binarizer", "ai.onnx.ml", axes="first", numbers="nonlinear"),)
ONE = OPERATORS[0]
FOREIGN = Operator("Twirl", "acme", axes="first")
NOTHING = 3
WORDS = ("Binarizer",)
"""


@pytest.mark.parametrize("value", ["OPERATORS", "ONE"])
def test_a_package_adds_operators(tmp_path: Path, package: Any, value: str) -> None:
    package(SOURCE, [f"ai.onnx.ml = MODULE:{value}"])
    assert installed_operators().added() == (BINARIZER,)
    network = load_network(save(binarized(), tmp_path / "net.onnx"))
    assert [layer.name for layer in network.select(["stages"])] == ["bits", "deep"]
    # and another one beside it
    table = register_operator(Operator("Twirl", "acme", axes=Axes.FIRST))
    assert [entry.name for entry in table.added()] == ["Binarizer", "Twirl"]


def test_the_commands_know_what_is_installed(tmp_path: Path, package: Any) -> None:
    site = package(SOURCE, ["ai.onnx.ml = MODULE:OPERATORS"])
    path = save(binarized(), tmp_path / "net.onnx")
    root = str(Path(onnxdissect.__file__).parents[1])

    def listed(options: Sequence[str], *places: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "onnxdissect", "layers", str(path), *options],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout, done.stderr

    for places, known in (((str(site), root), True), ((root,), False)):
        layers = json.loads(listed(["--json"], *places)[0])
        assert ("bits" in {layer["name"] for layer in layers}) == known
        warned = " ".join(listed([], *places)[1].split())
        assert ("that the graph leaves open (bits, deep, " in warned) != known


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("ai.onnx.ml = nowhere_at_all:OPERATORS", "do not load: ModuleNotFoundError"),
        ("ai.onnx.ml = MODULE:NOBODY", "do not load: AttributeError"),
        ("ai.onnx.ml = MODULE:NOTHING", "neither an Operator nor several: int"),
        ("ai.onnx.ml = MODULE:WORDS", "neither an Operator nor several: str"),
        ("ai.onnx.ml = MODULE:FOREIGN", "hold acme::Twirl, which is of another domain"),
    ],
)
def test_a_broken_package_is_named_where_it_is_needed(
    tmp_path: Path, package: Any, entry: str, said: str
) -> None:
    package(SOURCE, [entry])
    with pytest.raises(InstallationError, match=said) as caught:
        load_network(save(binarized(), tmp_path / "net.onnx"))
    assert "the operators of the domain 'ai.onnx.ml'" in caught.value.message
    assert "mend or remove the package" in str(caught.value.hint)
    # no concern of a network without such operators
    assert load_network(save(windowed("MaxPool"), tmp_path / "other.onnx")).layers


def test_a_broken_package_of_another_domain_is_no_concern_of_who_registers(
    tmp_path: Path, package: Any
) -> None:
    package(SOURCE, ["acme = nowhere_at_all:OPERATORS"])
    table = register_operator(BINARIZER)
    assert table.added() == (BINARIZER,)
    path = save(binarized(), tmp_path / "net.onnx")
    assert [layer.name for layer in load_network(path, operators=table).select(["stages"])] == [
        "bits",
        "deep",
    ]


def test_a_broken_package_is_named_for_those_of_its_operators_that_are_not_registered_otherwise(
    tmp_path: Path, package: Any
) -> None:
    package(SOURCE, ["ai.onnx.ml = nowhere_at_all:OPERATORS"])
    path = save(binarized(), tmp_path / "net.onnx")
    table = register_operator(Operator("Twirl", "acme", axes=Axes.FIRST))
    with pytest.raises(InstallationError, match=r"the operators of the domain 'ai\.onnx\.ml'"):
        load_network(path, operators=table)
    assert load_network(path, operators=register_operator(BINARIZER, table)).layers
