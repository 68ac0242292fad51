"""What is read back is what was written, or is refused with the place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxdissect
from onnxdissect.errors import ParameterError, RunFormatError, RunNotFoundError
from onnxdissect.experiments.explanation import load_explanations, write_explanations

WAYS: list[dict[str, Any]] = [
    {},
    {"attribution": "ablation", "ablate": "mean", "layer": "mid"},
    {"attribution": "shapley", "players": 4},
    {"attribution": "shapley", "layer": "joined", "permutations": 2},
    {"attribution": "shapley", "over": "concepts"},
    {"attribution": "fitted"},
]


@pytest.fixture(scope="module")
def explained(world: Path) -> list[onnxdissect.Explanation]:
    pixels = np.random.default_rng(0).integers(0, 4, (31, 47, 3)).astype(np.uint8)
    found: list[onnxdissect.Explanation] = []
    for way in WAYS:
        given = way | ({"reference": world / "labelled"} if way.get("attribution") == "fitted" else {})
        found += onnxdissect.explain(world / "net.onnx", pixels, world / "run", **given)
    return found


def test_all_of_every_attribution_comes_back(
    explained: list[onnxdissect.Explanation], tmp_path: Path
) -> None:
    write_explanations(explained, tmp_path / "out")
    loaded = load_explanations(tmp_path / "out")
    assert loaded == tuple(explained)
    assert loaded[0].pixels.shape == explained[0].pixels.shape
    for look in (loaded[0].heat, loaded[0].mask):
        with pytest.raises(ParameterError, match="read from a file"):
            look(loaded[0].units[0].unit)
    write_explanations(loaded, tmp_path / "again")
    assert (tmp_path / "again/explanation.json").read_bytes() == (
        tmp_path / "out/explanation.json"
    ).read_bytes()


def test_where_there_is_nothing_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="there is no folder"):
        load_explanations(tmp_path / "nowhere")
    with pytest.raises(RunNotFoundError, match="no explanation lies in"):
        load_explanations(tmp_path)


_CONCEPTS = [
    {"concept": "x", "category": "y", "units": [4000], "contribution": 1, "share": 1, "standard_error": None}
]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": "much"}, "explanations[0].score is 'much', not a number"),
        ({"units": [{}]}, "explanations[0].units[0].unit is missing"),
        ({"attribution": "auto"}, "explanations[0].attribution is 'auto'"),
        ({"attribution": "shapley"}, "explanations[0].orders does not go with the attribution shapley"),
        ({"attribution": "fitted"}, "explanations[0].fit does not go with"),
        ({"contributions": []}, "explanations[0].contributions is a list of 0"),
        ({"contributions": [1.0]}, "of 1 units"),
        ({"placement": [[1, 2]]}, "explanations[0].placement is a list of 1"),
        ({"image_size": [0, 4]}, "explanations[0].image_size[0] is 0"),
        ({"image_size": [2**31, 2**31]}, "explanations[0].image_size[0] is 2147483648"),
        ({"image_size": [1, 1]}, "box is no part of 1 x 1 pixels"),
        ({"placement": [[1, 2], [0, 4]]}, "explanations[0].placement[1] is no stride"),
        ({"concepts": _CONCEPTS}, "explanations[0].concepts[0].units hold 4000, of"),
    ],
)
def test_what_is_damaged_is_refused_with_the_place(
    explained: list[onnxdissect.Explanation], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = write_explanations([replace(explained[0])], tmp_path)
    told = json.loads(path.read_text(encoding="utf-8"))
    told["explanations"][0].update(change)
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(RunFormatError) as error:
        load_explanations(tmp_path)
    assert said in error.value.message


def test_a_unit_told_of_twice_is_refused(explained: list[onnxdissect.Explanation], tmp_path: Path) -> None:
    one = explained[0]
    write_explanations([replace(one, units=(*one.units, one.units[0]))], tmp_path)
    with pytest.raises(RunFormatError, match=r"units\[\d+\]\.unit is \d+, and so is that of"):
        load_explanations(tmp_path)


def test_other_versions_are_refused(explained: list[onnxdissect.Explanation], tmp_path: Path) -> None:
    path = write_explanations(explained[:1], tmp_path)
    told = json.loads(path.read_text(encoding="utf-8")) | {"format_version": 9}
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(RunFormatError, match="9"):
        load_explanations(tmp_path)
