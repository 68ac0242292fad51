"""Preprocessing in a model's metadata that is no preprocessing: refused in one message, whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper
from support.hostile_networks import convolution, network, save

from onnxdissect.errors import ModelFormatError
from onnxdissect.model import choose_preprocessing, load_network


def model(text: str, folder: Path) -> Path:
    made = network([convolution(), helper.make_node("Relu", ["c"], ["y"])])
    made.metadata_props.add(key="onnxdissect.preprocessing", value=text)
    return save(made, folder)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 9_000,
        "[" * 10**7,
        '{"mean": [' + "9" * 5000 + ', 1, 1], "std": [1, 1, 1]}',
        '{"scale": ' + "1" * 400 + "}",
        '{"scale": 1e400}',
        '{"mean": [1e400, 1, 1]}',
        '{"mean": [NaN, 1, 1]}',
        '{"std": [0, 1, 1]}',
        '{"std": [-Infinity, 1, 1]}',
        '{"mean": [true, false, true]}',
        '{"mean": ["1", "2", "3"]}',
        '{"mean": {"0": 1}}',
        '{"mean": [[1], [2], [3]]}',
        '{"scale": [1]}',
        '{"channels": ["rgb"]}',
        '{"mean": [' + ", ".join(["1"] * 2000) + "]}",
        '{"mean": [' + ", ".join(["1"] * 10**5) + "]}",
        '{"unknown": 1}',
        "5",
        "",
    ],
    ids=lambda text: text[:20] or "empty",
)
def test_what_cannot_be_read_is_refused_with_the_way_round_it(text: str, tmp_path: Path) -> None:
    network = load_network(model(text, tmp_path))
    with pytest.raises(ModelFormatError, match=r"onnxdissect\.preprocessing") as error:
        choose_preprocessing(network)
    assert len(error.value.message) < 1000
    assert error.value.hint and "--preset" in error.value.hint
    assert choose_preprocessing(network, preset="unit").name == "unit"


def test_what_can_be_read_is(tmp_path: Path) -> None:
    found = choose_preprocessing(load_network(model('{"mean": [1, 2, 3], "std": 2.5, "scale": 1}', tmp_path)))
    assert (found.mean, found.std, found.scale) == ((1.0, 2.0, 3.0), (2.5, 2.5, 2.5), 1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 9_000, "nested too deep"),
        ('{"scale": ' + "1" * 5000 + "}", "a number of 5,000 digits, and numbers of at most 308 are read"),
        ('{"scale": ' + "1" * 309 + "}", "a number of 309 digits"),
        ('{"channels": "' + "x" * 9000 + '"}', "x'... (9,000 characters)"),
    ],
    ids=["deep", "digits", "no float", "long"],
)
def test_the_limit_is_named_in_words_of_ours(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError) as error:
        choose_preprocessing(load_network(model(text, tmp_path)))
    assert said in error.value.message
    assert "recursion" not in error.value.message and "sys." not in error.value.message
