"""``rotation.json`` that is damaged, lies, or is of another run."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rotations import Phases, rotated, small_world
from support.small_runs import dissect

import onnxdissect
from onnxdissect.errors import OutputError, RunFormatError, RunMismatchError, RunNotFoundError
from onnxdissect.experiments.rotation import renew_rotation, write_rotation
from onnxdissect.experiments.rotation.formats.table import COLUMNS
from onnxdissect.experiments.rotation.measure import measure_rotations
from onnxdissect.experiments.rotation.permutation import is_difference
from onnxdissect.model.bases.draws import random_permutation
from onnxdissect.report.figures.rotation import draw_rotations
from onnxdissect.results import load, rescore


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_world(tmp_path_factory.mktemp("world"))
    return rotated(folder, verify=True).path


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "copy"))


def document(run: Path) -> Path:
    return run / "rotation" / "rotation.json"


Change = Callable[[dict[str, Any]], object]


def concept(told: dict[str, Any]) -> dict[str, Any]:
    return next(curve["concepts"][0] for curve in told["curves"] if curve["concepts"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("alphas"), "alphas is missing"),
        (lambda t: t.update(format_version=2), "format version 2, not 1"),
        (lambda t: t.update(format_version=True), "format version true"),
        (lambda t: t["alphas"].__setitem__(1, 0.5), "does not go with the run: alphas"),
        (lambda t: t["seeds"].append(7), "does not go with the run: seeds"),
        (lambda t: t["points"][0].update(detectors=99), "does not go with the run: points"),
        (lambda t: t["points"][0].update(units=-1), "points[0].units is -1"),
        (lambda t: t["points"].pop(), "does not go with the run: points"),
        (lambda t: t["curves"].pop(), "curves have none of"),
        (lambda t: t["curves"][0]["values"].pop(), "curves have none of"),
        (lambda t: t["curves"][0].update(half_life=0.125), "does not go with the run: curves"),
        (lambda t: t["curves"][0]["values"][1]["unique"].update(mean=2.75), "the run: curves"),
        (
            lambda t: t["curves"][0]["values"][1]["unique"].update(low=3.0, high=1.0),
            "interval from 3.0 to 1.0",
        ),
        (lambda t: t["curves"][0]["values"][1]["unique"].update(low=None), "interval from null"),
        (lambda t: t["curves"][0]["values"][1]["unique"].update(mean="many"), "unique.mean is 'many'"),
        (lambda t: t["curves"][0]["values"][1]["by_category"].pop("color"), "the run: curves"),
        (lambda t: concept(t).update(concept="dragon"), "which the run lacks"),
        (lambda t: concept(t)["unit"][0].__setitem__(0, 6), "names a unit beyond the 6"),
        (lambda t: concept(t)["unit"][0].__setitem__(0, -2), "is -2, not a whole number from -1"),
        (lambda t: concept(t)["unit"][0].pop(), "is not of 2 seeds and 3 alphas"),
        (lambda t: concept(t)["iou"].pop(), "is not of 2 seeds and 3 alphas"),
        (lambda t: concept(t)["iou"][0].__setitem__(0, 1.5), "is 1.5"),
        (lambda t: concept(t)["detected"][0].__setitem__(0, 1), "not true or false"),
        (lambda t: t["verification"][0].update(layer="relu9"), "which was not rotated"),
        (lambda t: t["verification"][0]["outputs"][0].update(error=-1), "error is -1"),
        (lambda t: t.update(format_version=1.0), "format version 1.0"),
        (lambda t: concept(t)["iou"][0].__setitem__(1, 0.999), "which the table of units contradicts"),
        (lambda t: concept(t)["iou"][0].__setitem__(0, 1e-9), "which the table of units contradicts"),
        (lambda t: concept(t)["iou"][0].__setitem__(0, 0), "and its IoU is 0"),
        (
            lambda t: concept(t)["detected"][0].__setitem__(0, not concept(t)["detected"][0][0]),
            "is another than the table of units says",
        ),
        (lambda t: t["curves"][0].update(concepts=2 * t["curves"][0]["concepts"]), "twice"),
        (lambda t: t["curves"][0]["concepts"].pop(), "do not follow"),
        (lambda t: t["curves"][0]["values"][0]["unique"].update(low=0.0), "].unique is 0.0 to"),
        (lambda t: t["curves"][0]["values"][1]["unique"].update(high=7.0), "and an interval from"),
        (
            lambda t: t["curves"][0]["values"][1]["unique"].update(low=None, high=None),
            "is null: an interval that has none",
        ),
        (lambda t: t["curves"][0].update(permutation_differences=["<b>"]), "no difference of a perm"),
        (lambda t: t["verification"][0].update(basis="nonsense"), "not rotation:seed=0,alpha=1"),
        (lambda t: t["verification"][0]["outputs"][0].update(error=5.0), "beyond the tolerance"),
        (lambda t: t["verification"].append(t["verification"][0]), "verification is of"),
        (lambda t: t.update(resamples=41), "does not go with the run: resamples"),
        (lambda t: t["layers"][0].update(slug="../.."), "does not go with the run: layers"),
    ],
)
def test_a_file_that_lies_is_refused_with_the_place(run: Path, change: Change, said: str) -> None:
    told = json.loads(document(run).read_text(encoding="utf-8"))
    change(told)
    document(run).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(RunFormatError) as caught:
        onnxdissect.load_rotation(run)
    assert said in caught.value.message
    assert caught.value.hint is not None and "onnxdissect rescore" in caught.value.hint


@given(at=st.floats(0, 1), content=st.binary(min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_a_message(stored: Path, at: float, content: bytes) -> None:
    path = document(stored)
    whole = path.read_bytes()
    place = int(at * (len(whole) - 1))
    path.write_bytes(whole[:place] + content + whole[place + len(content) :])
    try:
        onnxdissect.load_rotation(stored)
    except RunFormatError as error:
        assert str(path) in error.message
    finally:
        path.write_bytes(whole)


def test_files_that_are_none(run: Path, tmp_path: Path) -> None:
    path = document(run)
    whole = path.read_bytes()
    for content in (b"", b"[]", b"null", b"\xff\xfe", whole[: len(whole) // 2], b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(RunFormatError):
            onnxdissect.load_rotation(run)
    path.unlink()
    path.mkdir()
    with pytest.raises(RunFormatError, match="cannot be read"):
        onnxdissect.load_rotation(run)
    path.rmdir()
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(whole)
    path.symlink_to(elsewhere)
    with pytest.raises(RunFormatError, match="cannot be read"):
        onnxdissect.load_rotation(run)


def test_runs_that_are_not_of_rotations(run: Path, tmp_path: Path) -> None:
    small_world(tmp_path)
    plain = dissect(tmp_path, layers=["relu0"], bases=["rotation:seed=1"], batch_size=2)
    with pytest.raises(RunNotFoundError, match="its layers were not rotated"):
        onnxdissect.load_rotation(plain.path)
    shutil.copytree(run / "rotation", plain.path / "rotation")
    with pytest.raises(RunMismatchError, match="not one of rotations"):
        onnxdissect.load_rotation(plain.path)
    with pytest.raises(RunNotFoundError):
        onnxdissect.load_rotation(tmp_path / "nowhere")


def test_a_run_scored_another_way_since_makes_it_stale(run: Path) -> None:
    rescore(run, iou_threshold=0.2)
    with pytest.raises(RunFormatError, match="does not go with the run") as raised:
        onnxdissect.load_rotation(run)
    assert "rescore" in str(raised.value.hint)
    told: list[str] = []
    anew = renew_rotation(load(run), notify=told.append)
    assert not told and anew == onnxdissect.load_rotation(run)
    assert anew == measure_rotations(load(run), anew.verification)
    # of one that goes with the run nothing is made
    phases = Phases()
    assert renew_rotation(load(run), phases) == anew and not phases.begun


def test_a_damaged_one_is_made_anew_without_its_verification(run: Path) -> None:
    document(run).write_bytes(document(run).read_bytes()[:-40])
    told: list[str] = []
    anew = renew_rotation(load(run), notify=told.append)
    assert anew == onnxdissect.load_rotation(run) and anew.verification == ()
    assert len(told) == 1 and "is lost" in told[0]


def test_the_table_says_what_the_document_says(run: Path) -> None:
    found = onnxdissect.load_rotation(run)
    with (run / "rotation" / "rotation.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    told = found.to_pandas()
    assert len(rows) == len(told)
    for row, (_, expected) in zip(rows, told.iterrows(), strict=True):
        for column in COLUMNS:
            value = expected[column]
            assert (float(row[column]) == value) if row[column].replace(".", "").isdigit() else True
            assert (row[column] == "") == (value == "" or value != value)


def test_intervals_of_one_seed_are_those_that_the_run_stores(tmp_path: Path) -> None:
    found = rotated(small_world(tmp_path), seeds=1, alphas=[0.4])
    assert onnxdissect.load_rotation(found.path) == found
    path = document(found.path)
    told = json.loads(path.read_text(encoding="utf-8"))
    told["curves"][0]["values"][1]["unique"]["low"] -= 0.5
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(RunFormatError, match=r"values\[1\]"):
        onnxdissect.load_rotation(found.path)


def test_nothing_is_written_where_a_link_leads_out(run: Path, tmp_path: Path) -> None:
    found = onnxdissect.load_rotation(run)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(run / "rotation")
    (run / "rotation").symlink_to(elsewhere)
    for write in (write_rotation, lambda result: draw_rotations(result, run / "rotation" / "figures")):
        with pytest.raises(OutputError, match=r"rotation.* leads out of"):
            write(found)
    assert not list(elsewhere.iterdir())


def test_what_a_permutation_changes_is_told_in_these_words() -> None:
    order = random_permutation(6, 0)
    said = f"labels of 2 of 6 units, of them first unit 1, the layer's unit {order[1]}"
    assert is_difference(said, 6, 0)
    for other in (
        said.replace("labels", "<b>"),
        said.replace("2 of 6", "2 of 7"),
        said.replace("2 of 6", "0 of 6"),
        said.replace("2 of 6", "6 of 6"),
        said.replace(f"layer's unit {order[1]}", f"layer's unit {order[2]}"),
        said + "x" * 10_000,
    ):
        assert not is_difference(other, 6, 0)
