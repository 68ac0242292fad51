"""What models and files are called is shown, and never obeyed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from onnxdissect.cli.printing.names import visible, visible_cell
from onnxdissect.cli.printing.tables import aligned_lines

HOSTILE = "c\n\x1b[31m../\x07x\u202e"


def network(path: Path, name: str) -> Path:
    """Write a network with one layer of that name."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], [0.1] * 108)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], [name]), helper.make_node("Relu", [name], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 30, 30])],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def said(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "onnxdissect", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_control_characters_of_names_reach_no_stream(tmp_path: Path) -> None:
    path = network(tmp_path / "m.onnx", HOSTILE)
    for arguments in (["layers", str(path)], ["layers", str(path), "--layer", "nothing\x1b[31m"]):
        _, text = said(*arguments)
        assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
        assert "\\x1b[31m" in text
    code, text = said("layers", str(path))
    assert code == 0
    assert r"c\n\x1b[31m../\x07x\u202e" in text


def test_json_on_a_terminal_is_seen_and_not_obeyed(tmp_path: Path) -> None:
    name = "c\x9b31m\u202e\u200b\xe9"
    path = network(tmp_path / "m.onnx", name)
    code, text = said("layers", str(path), "--json")
    assert code == 0
    assert not {"\x9b", "\u202e", "\u200b"}.intersection(text)
    assert r"c\u009b31m\u202e\u200b" in text
    assert name in [layer["name"] for layer in json.loads(text)]


def test_names_with_colons_are_no_pictures(tmp_path: Path) -> None:
    path = network(tmp_path / "m.onnx", "a:b:c")
    for arguments in (["layers", str(path)], ["layers", str(path), "--layer", "nothing:b:"]):
        _, text = said(*arguments)
        assert "a:b:c" in text and "\U0001f171" not in text


def test_messages_stay_short_however_much_is_named(tmp_path: Path) -> None:
    path = network(tmp_path / "m.onnx", "c")
    model = onnx.load(path)
    for i in range(20_000):
        model.graph.input.append(helper.make_tensor_value_info(f"in{i}", TensorProto.FLOAT, [1, 5]))
    onnx.save(model, path)
    binds = [word for i in range(3_000) for word in ("--bind", f"nothing{i}=1")]
    for words in ([], ["--bind", "zzz=1"], binds):
        code, text = said("layers", str(path), *words)
        assert code == 2
        assert text.startswith("error: ")
        assert len(text) < 8_000


def test_a_long_name_is_shown_by_its_beginning(tmp_path: Path) -> None:
    path = network(tmp_path / "m.onnx", "n" * 100_000)
    code, text = said("layers", str(path))
    assert code == 0
    assert len(text) < 5_000
    assert "n" * 80 + "... (100,000 characters)" in text


@pytest.mark.parametrize(
    "text", ["plain", "two\nlines\tand a tab", "\xe9\u4e2d\U0001f600", "\udcff.onnx", "a" * 4096]
)
def test_other_messages_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


def test_a_cell_is_one_line() -> None:
    assert visible_cell("a\nb\tc") == "a\\nb\\tc"
    assert len(aligned_lines(["name"], [["a\nb"]])) == 2
