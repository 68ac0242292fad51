"""Which runs, layers, quantiles and bases are compared, what they are called, grouped by and held against."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.basis_runs import fake_basis_run
from support.compared_runs import with_manifest
from support.fake_counts import fake_run, save_fake_run

import onnxdissect
from onnxdissect.errors import (
    LayerNotFoundError,
    OnnxDissectError,
    ParameterError,
    RunFormatError,
    RunIncompleteError,
    RunNotFoundError,
)
from onnxdissect.experiments.comparison.naming import run_labels


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs without a bootstrap, quickly made: of the same data, by their manifests."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("seed0-iter20", "seed0-iter100", "seed0-iter3", "seed1-iter20", "seed1-iter100"):
        save_fake_run(folder / "steps" / name)
    save_fake_run(folder / "a" / "run", quantiles=(0.005, 0.01))
    save_fake_run(folder / "b" / "run", quantiles=(0.005, 0.01))
    fake_basis_run(units=(8, 12, 6), bases=("mine", "other")).save(folder / "bases")
    save_fake_run(folder / "single", units=(4,))
    return folder


def pairs(result: onnxdissect.ComparisonResult) -> list[tuple[str, str]]:
    return [(pair.first, pair.second) for pair in result.pairs]


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["/x/a", "/x/b"], ["a", "b"]),
        (["/x/a", "/y/a"], ["x/a", "y/a"]),
        (["/x/a", "/y/a", "/y/b"], ["x/a", "y/a", "b"]),
        (["/x/a", "/x/a"], ["a", "a (2)"]),
        (["/x/a", "/y/x/a", "/x/a"], ["/x/a", "y/x/a", "/x/a (2)"]),
        (["/a", "/x/a (2)", "/a"], ["a", "a (2)", "a (3)"]),
    ],
)
def test_runs_are_named_by_the_end_of_their_path(paths: list[str], labels: list[str]) -> None:
    found = run_labels(paths)
    assert len(set(found)) == len(found)
    assert [label.lstrip("/") for label in found] == [label.lstrip("/") for label in labels]


def test_two_runs_of_the_same_name_are_told_apart(made: Path) -> None:
    found = onnxdissect.compare([made / "a" / "run", made / "b" / "run"])
    assert [layer.name for layer in found.layers] == [
        "a/run relu1",
        "a/run relu2",
        "b/run relu1",
        "b/run relu2",
    ]
    assert pairs(found) == [("a/run relu1", "b/run relu1"), ("a/run relu2", "b/run relu2")]


def test_a_glob_is_read_in_the_order_of_its_numbers(made: Path) -> None:
    found = onnxdissect.compare(str(made / "steps" / "seed0-*"), layers="last")
    assert [layer.name for layer in found.layers] == ["seed0-iter3", "seed0-iter20", "seed0-iter100"]
    assert {layer.alias for layer in found.layers} == {"relu2"}
    assert pairs(found) == [("seed0-iter3", "seed0-iter20"), ("seed0-iter3", "seed0-iter100")]


def test_a_series_goes_by_the_number_in_the_names_of_runs(made: Path) -> None:
    found = onnxdissect.compare(str(made / "steps" / "*"), layers="last", series=True)
    assert found.by == "number" and found.series
    assert [(group.name, group.position, group.members) for group in found.groups] == [
        ("3", 3.0, ("seed0-iter3",)),
        ("20", 20.0, ("seed0-iter20", "seed1-iter20")),
        ("100", 100.0, ("seed0-iter100", "seed1-iter100")),
    ]
    # each against the same seed, one step before
    assert pairs(found) == [
        ("seed0-iter3", "seed0-iter20"),
        ("seed0-iter20", "seed0-iter100"),
        ("seed1-iter20", "seed1-iter100"),
    ]
    by_run = onnxdissect.compare(str(made / "steps" / "seed1-*"), layers="last", by="run", series=True)
    assert [(group.name, group.position) for group in by_run.groups] == [
        ("seed1-iter20", 20.0),
        ("seed1-iter100", 100.0),
    ]
    # numbers that do not tell them apart are no positions
    tied = onnxdissect.compare(str(made / "steps" / "*-iter20"), layers="last", by="run", series=True)
    assert [group.position for group in tied.groups] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("against", "expected"),
    [
        ("first", [("3", "20"), ("3", "100")]),
        ("previous", [("3", "20"), ("20", "100")]),
        ("all", [("3", "20"), ("3", "100"), ("20", "100")]),
        ("seed0-iter100", [("100", "3"), ("100", "20")]),
    ],
)
def test_groups_are_held_against_what_was_asked_for(
    made: Path, against: str, expected: list[tuple[str, str]]
) -> None:
    found = onnxdissect.compare(str(made / "steps" / "seed0-*"), layers="last", against=against)
    assert pairs(found) == [(f"seed0-iter{one}", f"seed0-iter{other}") for one, other in expected]


def test_the_first_is_meant_whatever_runs_are_called(made: Path, tmp_path: Path) -> None:
    for name in ("second", "first", "all"):
        shutil.copytree(made / "single", tmp_path / name)
    runs = [tmp_path / name for name in ("second", "first", "all")]
    expected = [("second", "first"), ("second", "all")]
    assert pairs(onnxdissect.compare(runs)) == expected
    assert pairs(onnxdissect.compare(runs, against="first")) == expected


def test_layers_of_one_run_are_held_against_the_first(made: Path) -> None:
    found = onnxdissect.compare(made / "a" / "run")
    assert found.by == "layer"
    assert [layer.name for layer in found.layers] == ["relu1", "relu2"]
    assert pairs(found) == [("relu1", "relu2")]
    # also where all are in one group
    network = onnxdissect.compare(made / "a" / "run", by="network")
    assert [group.name for group in network.groups] == ["réseau"]
    assert pairs(network) == [("relu1", "relu2")]


def test_quantiles_are_compared_where_asked_for(made: Path) -> None:
    for found in (
        onnxdissect.compare(made / "a" / "run", by="quantile"),
        onnxdissect.compare(made / "a" / "run", by="quantile", quantiles=(0.005, 0.01)),
    ):
        assert [group.name for group in found.groups] == ["0.005", "0.01"]
        assert pairs(found) == [("relu1 0.005", "relu1 0.01"), ("relu2 0.005", "relu2 0.01")]
    one = onnxdissect.compare(made / "a" / "run", layers=["relu1"], quantiles=(0.005, 0.01))
    assert one.by == "quantile" and pairs(one) == [("relu1 0.005", "relu1 0.01")]
    assert {layer.quantile for layer in onnxdissect.compare(made / "a" / "run").layers} == {0.005}


def test_bases_are_left_out_unless_asked_for(made: Path) -> None:
    with pytest.raises(ParameterError, match="nothing to compare"):
        onnxdissect.compare(made / "bases")
    found = onnxdissect.compare(made / "bases", bases="*")
    assert found.by == "basis"
    assert [layer.basis for layer in found.layers] == [None, "mine", "other"]
    assert [group.name for group in found.groups] == ["own units", "mine", "other"]
    assert pairs(found) == [("relu1", "relu1/mine"), ("relu1", "relu1/other")]
    assert [layer.name for layer in onnxdissect.compare(made / "bases", by="basis", bases="m*").layers] == [
        "relu1",
        "relu1/mine",
    ]
    named = onnxdissect.compare(made / "bases", layers=["relu1", "relu1/other"])
    assert [layer.name for layer in named.layers] == ["relu1", "relu1/other"]


def test_a_key_of_the_manifest_groups(made: Path, tmp_path: Path) -> None:
    paths = []
    for i, (name, rate) in enumerate((("x", 0.5), ("y", 0.1), ("z", 0.5))):
        run = Path(shutil.copytree(made / "single", tmp_path / name))
        with_manifest(run, model__training=({"rate": rate} if i else {"rate": rate, "note": "first"}))
        paths.append(run)
    found = onnxdissect.compare(paths, by="model.training.rate")
    assert [(group.name, group.members, group.position) for group in found.groups] == [
        ("0.5", ("x", "z"), None),
        ("0.1", ("y",), None),
    ]
    assert pairs(found) == [("x", "y")]
    series = onnxdissect.compare(paths, by="model.training.rate", series=True)
    assert [(group.name, group.position) for group in series.groups] == [("0.1", 0.1), ("0.5", 0.5)]
    # the k-th goes with the k-th, and where there is but one with that one
    assert pairs(series) == [("y", "x"), ("y", "z")]
    told = onnxdissect.compare(paths, by="model.training.note")
    assert [group.name for group in told.groups] == ["first", "not set"]


def test_layers_of_other_names_go_by_their_order(made: Path, tmp_path: Path) -> None:
    plain = fake_run()
    renamed = Path(shutil.copytree(made / "a" / "run", tmp_path / "other"))
    text = (renamed / "manifest.json").read_text(encoding="utf-8")
    for layer in plain.layers:
        text = text.replace(f'"{layer.alias}"', f'"{layer.alias.replace("relu", "act")}"')
    (renamed / "manifest.json").write_text(text, encoding="utf-8")
    found = onnxdissect.compare([made / "a" / "run", renamed])
    assert pairs(found) == [("run relu1", "other act1"), ("run relu2", "other act2")]
    # as many layers do not lie side by side: nobody knows which goes with which
    apart = onnxdissect.compare([made / "single", renamed])
    assert not apart.pairs and len(apart.layers) == 3


@pytest.mark.parametrize(
    ("runs", "asked", "error", "said", "candidate"),
    [
        ([], {}, ParameterError, "no run is given", ""),
        (["nowhere"], {}, RunNotFoundError, "there is no run directory", ""),
        (["steps"], {}, RunNotFoundError, "is not a run directory", "seed0-iter20"),
        (["steps/sead*"], {}, RunNotFoundError, "no run directory fits", "seed0-iter20"),
        (["single"], {}, ParameterError, "nothing to compare: of single only layer relu1", ""),
        (["a/run"], {"layers": ["relu1"]}, ParameterError, "nothing to compare", "relu2"),
        (["a/run"], {"layers": ["rely"]}, LayerNotFoundError, "holds no layer 'rely'", "relu1"),
        (["a/run"], {"layers": ["relu1", "x*"]}, LayerNotFoundError, "holds no layer 'x*'", "relu1"),
        (["a/run", "single"], {"layers": ["relu2"]}, LayerNotFoundError, "single holds no layer", "relu1"),
        (["a/run"], {"quantiles": [0.5]}, ParameterError, "not made at quantile 0.5", "0.01"),
        (["bases"], {"bases": ["mini"]}, ParameterError, "under a basis 'mini'", "mine"),
        (["a/run"], {"by": "paramters.top"}, ParameterError, "'paramters.top'", "parameters.top"),
        (["a/run"], {"by": "layers"}, ParameterError, "'layers'", "layer"),
        (["a/run"], {"by": "data"}, ParameterError, "names a record", "data.name"),
        (["a/run"], {"by": "number"}, ParameterError, "'run' has none", ""),
        (["a/run"], {"by": ""}, ParameterError, "no run has a key ''", ""),
        (["a/run"], {"against": ""}, ParameterError, "--against '' is neither", ""),
        (["a/run"], {"against": "second"}, ParameterError, "--against 'second'", ""),
        (["a/run"], {"against": "relu3"}, ParameterError, "--against 'relu3'", "relu1"),
    ],
)
def test_what_cannot_be_compared_is_said(
    made: Path,
    runs: list[str],
    asked: dict[str, object],
    error: type[OnnxDissectError],
    said: str,
    candidate: str,
) -> None:
    with pytest.raises(error) as raised:
        onnxdissect.compare([made / run for run in runs], **asked)  # type: ignore[arg-type]
    assert said in raised.value.message
    assert not candidate or any(one.endswith(candidate) for one in raised.value.candidates)


def test_runs_that_are_no_results_are_refused(made: Path, tmp_path: Path) -> None:
    unfinished, other = (Path(shutil.copytree(made / "single", tmp_path / name)) for name in ("u", "o"))
    with_manifest(unfinished, status="running")
    with pytest.raises(RunIncompleteError, match="unfinished run"):
        onnxdissect.compare([made / "single", unfinished])
    with_manifest(other, format_version=2)
    with pytest.raises(RunFormatError, match="format version 2"):
        onnxdissect.compare([made / "single", other])
    with pytest.raises(RunNotFoundError, match="not a run directory"):
        onnxdissect.compare([made / "single", tmp_path])


def test_an_unfinished_run_in_a_glob_is_not_passed_over(made: Path, tmp_path: Path) -> None:
    for name in ("x1", "x2"):
        shutil.copytree(made / "single", tmp_path / name)
    with_manifest(tmp_path / "x2", status="running")
    (tmp_path / "x3").mkdir()
    with pytest.raises(RunIncompleteError, match="x2 holds an unfinished run"):
        onnxdissect.compare(str(tmp_path / "x*"))


def test_names_of_folders_that_are_no_text_are_compared(made: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"r\xff[1]")
    try:
        shutil.copytree(made / "single", tmp_path / name)
    except OSError:
        pytest.skip("this file system takes no such name")
    found = onnxdissect.compare([made / "single", tmp_path / name])
    assert pairs(found) == [("single", name)]
