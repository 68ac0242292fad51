"""SPECs of bases: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxdissect.errors import BasisFileError, OnnxDissectError, ParameterError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.moments import Moments
from onnxdissect.model.bases.planes import RotationPlanes
from onnxdissect.model.bases.spec import BasisSpec, make_bases, parse_bases


def moments(units: int) -> Moments:
    found = Moments(units)
    found.add(np.random.default_rng(0).normal(size=(4, units, 3, 3)).astype(np.float32))
    return found


@pytest.mark.parametrize(
    ("text", "spec", "name"),
    [
        ("identity", BasisSpec("identity"), "identity"),
        ("rotation", BasisSpec("rotation"), "rotation:seed=0,alpha=1"),
        ("rotation:alpha=.50,seed=07", BasisSpec("rotation", 7, 0.5), "rotation:seed=7,alpha=0.5"),
        ("rotation:seed=1, alpha=-0.0", BasisSpec("rotation", 1, 0.0), "rotation:seed=1,alpha=0"),
        ("permutation:seed=3", BasisSpec("permutation", 3), "permutation:seed=3"),
        ("directions:n=9,seed=2", BasisSpec("directions", 2, n=9), "directions:seed=2,n=9"),
        ("directions:seed=2", BasisSpec("directions", 2), "directions:seed=2"),
        ("directions", BasisSpec("directions"), "directions:seed=0"),
        ("pca:n=4", BasisSpec("pca", n=4), "pca:n=4"),
    ],
)
def test_specs(text: str, spec: BasisSpec, name: str) -> None:
    assert parse_bases([text]) == (spec,)
    assert spec.name == name and parse_bases([name]) == (spec,)
    (basis,) = make_bases([spec], 6, moments(6))
    assert basis.name == name and basis.record["kind"] == spec.kind
    assert basis.matrix.shape == (spec.rows(6), 6)
    assert spec.needs_moments == (spec.kind == "pca")


def test_directions_are_as_many_as_the_layer_has_units_and_the_first_of_any_number() -> None:
    for units in (1, 5, 9):
        as_many, more = make_bases(parse_bases(["directions:seed=3", "directions:seed=3,n=12"]), units)
        assert as_many.matrix.shape == (units, units)
        assert as_many.record["n"] == units and as_many.name == "directions:seed=3"
        np.testing.assert_array_equal(as_many.matrix, more.matrix[:units])


def test_bases_are_made_in_the_order_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "mine.npy", np.ones((2, 6)))
    given_ready = Basis.of("ready", np.eye(6)[:1])
    asked = parse_bases(
        [
            "rotation:seed=1,alpha=0.5",
            str(tmp_path / "mine.npy"),
            "rotation:seed=2",
            "pca:n=2",
            given_ready,
            "rotation:seed=1,alpha=0",
            "permutation",
            "rotation:seed=1,alpha=0.25",
        ]
    )
    decomposed: list[int] = []
    whole = RotationPlanes.of

    def counted(rotation: NDArray[np.float64]) -> RotationPlanes:
        decomposed.append(len(rotation))
        return whole(rotation)

    monkeypatch.setattr(RotationPlanes, "of", counted)
    made = make_bases(asked, 6, moments(6))
    assert decomposed == [6]
    assert [one.name for one in made] == [one.name for one in asked]
    assert [one.name for one in made][1] == "mine" and made[4] is given_ready
    monkeypatch.undo()
    assert made[0] == Basis.rotation(6, 1, 0.5) and made[7] == Basis.rotation(6, 1, 0.25)
    assert made[3] == Basis.pca(moments(6), 2)
    with pytest.raises(ParameterError, match="pca:n=2 is fitted to activations, and none have been gathered"):
        make_bases(asked, 6)


@pytest.mark.parametrize(
    ("text", "said", "told"),
    [
        ("rotatoin:seed=1", "neither a kind of basis 'rotatoin' nor a file", "rotation:seed=0,alpha=0.5"),
        ("x" * 5000, "neither a kind of basis 'xxx", "identity"),
        ("nmf", "neither a kind of basis 'nmf' nor a file 'nmf'", "directions:seed=0,n=64"),
        ("rotation:sed=1", "has the key 'sed', which rotation does not take", "seed"),
        ("rotation:alhpa=1", "has the key 'alhpa', which rotation does not take", "alpha"),
        ("permutation:alpha=1", "has the key 'alpha', which permutation does not take", "seed"),
        ("identity:seed=1", "has the key 'seed', which identity does not take", "such as identity"),
        ("rotation:", "has a setting without a key", "seed"),
        ("rotation:seed=1,", "has a setting without a key", "alpha"),
        ("rotation:seed=1,seed=2", "has the key 'seed' twice", ""),
        ("rotation:seed", "has no value for 'seed'", "rotation:seed=0"),
        ("rotation:seed=", "has no value for 'seed'", "rotation:seed=0"),
        ("rotation:seed=-1", "has seed=-1", "a whole number from 0 to 9223372036854775807"),
        ("rotation:seed=1.5", "has seed=1.5", "a whole number"),
        ("rotation:seed=9223372036854775808", "has seed=9223372036854775808", "a whole number"),
        ("rotation:seed=" + "9" * 5000, "has seed=999", "a whole number"),
        ("rotation:seed=\u0663", "has seed=\u0663", "a whole number"),
        ("rotation:alpha=1.1", "has alpha=1.1", "from 0, the layer's own units, to 1"),
        ("rotation:alpha=-0.1", "has alpha=-0.1", "from 0"),
        ("rotation:alpha=nan", "has alpha=nan", "from 0"),
        ("rotation:alpha=half", "has alpha=half", "from 0"),
        ("rotation:alpha=0_1", "has alpha=0_1", "from 0"),
        ("rotation:alpha=\u0660.5", "has alpha=\u0660.5", "from 0"),
        ("rotation:alpha=1e-400", "has alpha=1e-400", "from 0"),
        ("rotation:alpha=" + "1" * 5000, "1... (5,000 characters)", "from 0"),
        ("rotation:" + "x" * 5000, "... (5,009 characters)", "alpha"),
        ("", "'' asks for no basis", "identity"),
        ("pca", "does not say how many rows it has", "pca:n=16"),
        ("pca:", "has a setting without a key", "n"),
        ("directions:n=0", "has n=0", "a whole number from 1 to 65536"),
        ("pca:n=0", "has n=0", "a whole number from 1 to 65536"),
        ("directions:n=65537", "has n=65537", "a whole number from 1 to 65536"),
    ],
)
def test_specs_that_mean_nothing(text: str, said: str, told: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_bases([text])
    assert said in caught.value.message
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BasisFileError) as caught:
        parse_bases(["ident\nity"])
    assert "ident\\nity" in caught.value.message and "\n" not in caught.value.message
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    with pytest.raises(BasisFileError) as caught:
        parse_bases([str(tmp_path / "loop.npz")])
    assert caught.value.candidates == ()


def test_files_are_read_at_once(tmp_path: Path) -> None:
    np.savez(tmp_path / "dictionary.npz", matrix=np.eye(3))
    for wrong in ("dictionray.npz", "nowhere/dictionary.npz", "dictionary:1.npy"):
        with pytest.raises(
            BasisFileError, match=r"no basis can be read from .*: No such file or directory"
        ) as caught:
            parse_bases([str(tmp_path / wrong)])
        assert caught.value.candidates == ((str(tmp_path / "dictionary.npz"),) if wrong[0] == "d" else ())
    (basis,) = parse_bases([str(tmp_path / "dictionary.npz")])
    assert basis == Basis.from_file(tmp_path / "dictionary.npz") and basis.name == "dictionary"


def test_a_file_that_is_called_as_a_kind_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("rotation").open("wb") as file:
        np.save(file, np.eye(2))
    Path("plain").write_bytes(Path("rotation").read_bytes())
    assert [one.name for one in parse_bases(["rotation", "./rotation", "plain"])] == [
        "rotation:seed=0,alpha=1",
        "rotation",
        "plain",
    ]


def test_two_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="two bases are called 'rotation:seed=0,alpha=1'"):
        parse_bases(["rotation", "rotation:seed=0"])
    for ending in (".npy", "2.npy"):
        np.save(tmp_path / f"a{ending}", np.eye(2))
    (tmp_path / "b").mkdir()
    np.save(tmp_path / "b" / "a.npy", np.eye(2))
    with pytest.raises(ParameterError, match="two bases are called 'a'"):
        parse_bases([str(tmp_path / "a.npy"), str(tmp_path / "a2.npy"), str(tmp_path / "b" / "a.npy")])


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for spec in (text, f"rotation:{text}", f"pca:n={text}", f"{text}.npz"):
        try:
            parse_bases([spec])
        except OnnxDissectError as error:
            assert error.message


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        ([np.eye(3)], "not by an object of the type ndarray", "Basis.of('mine', matrix)"),
        (np.eye(3), "not by an object of the type ndarray", "Basis.of('mine', matrix)"),
        ([3], "not by 3", "rotation:seed=0"),
        (3, "not by 3", "rotation:seed=0"),
        ([""], "'' asks for no basis", ".npz"),
        ([" "], "' ' asks for no basis", ".npz"),
    ],
)
def test_what_asks_for_no_basis(asked: Any, said: str, hint: str) -> None:
    with pytest.raises(ParameterError) as raised:
        parse_bases(asked)
    assert said in raised.value.message and hint in str(raised.value.hint)


def test_a_path_asks_for_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.eye(3))
    assert parse_bases([tmp_path / "mine.npy"]) == parse_bases([str(tmp_path / "mine.npy")])  # type: ignore[list-item]
