"""What a run keeps of its resamples is what they give anew, and nothing that reads it resamples."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.former_runs import without_statistics
from support.small_runs import Convolution, broden, contents, dissect, network

import onnxdissect
from onnxdissect import report
from onnxdissect.errors import RunFormatError
from onnxdissect.results import Dissection, rescore
from onnxdissect.statistics.intervals import TopConceptIntervals

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    layers = [Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1)), Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1))]
    network(folder / "net.onnx", layers, pool=False, seed=1)
    broden(folder / "data", 30, seed=2)
    return folder


@pytest.fixture(scope="module")
def finished(world: Path) -> Path:
    """A run of two layers and two quantiles; tests that change it make a copy."""
    out = world / "finished"
    return dissect(world, layers=["relu0", "relu1"], quantiles=[0.1, 0.02], seed=3, out=out).path


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def intervals(run: Dissection, layer: str) -> TopConceptIntervals:
    found = run.intervals(layer)
    assert found is not None
    return found


def assert_same(one: TopConceptIntervals, two: TopConceptIntervals) -> None:
    for name in ("concept", "low", "high"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), strict=True)


def with_arrays(run: Path, change: Change) -> Path:
    """Change the intervals of the first layer."""
    path = run / "layers" / "relu0" / "intervals.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)
    return run


@given(
    scoring=st.sampled_from(["paper", "lite", "pnas"]),
    threshold=st.sampled_from([0.0, 0.04, 0.1]),
    min_images=st.sampled_from([1, 12, 20]),
    resamples=st.integers(1, 60),
    seed=st.integers(0, 2**63 - 1),
    groups=st.sampled_from([None, "prefix:1"]),
)
@settings(max_examples=12, deadline=None)
def test_stored_intervals_are_those_made_anew(
    world: Path,
    tmp_path_factory: pytest.TempPathFactory,
    scoring: str,
    threshold: float,
    min_images: int,
    resamples: int,
    seed: int,
    groups: str | None,
) -> None:
    out = tmp_path_factory.mktemp("runs") / "run"
    given = {"bootstrap": resamples, "seed": seed, "groups": groups}
    dissect(world, quantiles=[0.1, 0.02], null=0, out=out, **given)
    run = rescore(out, scoring=scoring, iou_threshold=threshold, min_images=min_images)
    (info,) = run.layers
    stored = intervals(onnxdissect.load(out), info.name)
    assert_same(stored, intervals(onnxdissect.load(without_statistics(out)), info.name))
    assert_same(stored, intervals(run.rescore(), info.name))
    labels = run.scores(info.name).concept
    for unit in run.units():
        q = run.quantiles.index(unit.quantile)
        place = np.flatnonzero(stored.concept[q, unit.unit] == labels[q, unit.unit])
        if unit.iou_low is not None:
            ends = (stored.low[q, unit.unit][place], stored.high[q, unit.unit][place])
            assert ends == (unit.iou_low, unit.iou_high)


def test_a_rescored_run_in_memory_does_not_take_what_is_stored(copy: Path) -> None:
    run = onnxdissect.load(copy)
    other = run.rescore("pnas")
    found = intervals(other, "relu0")
    assert (found.low != intervals(run, "relu0").low).any()
    rescore(copy, scoring="pnas")
    assert_same(found, intervals(onnxdissect.load(copy), "relu0"))
    rescore(copy, scoring="paper")
    assert_same(intervals(run, "relu0"), intervals(onnxdissect.load(copy), "relu0"))


def test_runs_of_before_have_the_same_report(copy: Path) -> None:
    report.build(onnxdissect.load(copy))
    expected = contents(copy / "report")
    shutil.rmtree(copy / "report")
    report.build(onnxdissect.load(without_statistics(copy)))
    assert not list(copy.glob("layers/*/intervals.npz"))
    assert contents(copy / "report") == expected
    assert b'"best":[[' in expected["units/relu0/0.js"]


def test_rescoring_adds_them_to_a_run_of_before(copy: Path) -> None:
    before = contents(copy)
    rescore(without_statistics(copy))
    assert contents(copy) == before


def test_without_a_bootstrap_there_are_none(world: Path, tmp_path: Path) -> None:
    run = dissect(world, bootstrap=0, null=0, out=tmp_path / "run")
    assert run.intervals("relu1") is None
    assert not list(run.path.glob("layers/*/intervals.npz"))


def test_a_run_that_starts_over_keeps_none_of_the_former(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert dissect(world, null=0, out=out).intervals("relu1") is not None
    assert dissect(world, null=0, out=out, bootstrap=0, fresh=True).intervals("relu1") is None
    assert not list(out.glob("layers/*/intervals.npz"))


# What reads a finished run must not resample: the kernels are taken away, and whoever calls one ends.
READ = """
import sys
from pathlib import Path
from onnxdissect.statistics import resamples

def called(*_, **__):
    raise AssertionError("a kernel that resamples was called")

resamples.resample_scores = resamples.resample_truth = called
import onnxdissect
from onnxdissect import report
from onnxdissect.check.baseline.file import open_baseline, write_baseline

run = onnxdissect.load(sys.argv[1])
print(len([unit for unit in run.units() if unit.iou_low is not None]), run.summary()[0].unique_low)
report.build(run)
write_baseline(Path(sys.argv[2]), open_baseline(Path(sys.argv[1])))
open_baseline(Path(sys.argv[2]))
run.intervals("relu0")
"""


def test_reading_a_run_resamples_nothing(copy: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", READ, str(copy), str(tmp_path / "baseline.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    units, low = done.stdout.split()
    assert int(units) > 0 and int(low) >= 0
    # The same program does notice a kernel that is called.
    without_statistics(copy)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "a kernel that resamples was called" in done.stderr


def test_reading_a_run_loads_no_compiler(copy: Path) -> None:
    """numba alone takes longer to load than a run does."""
    program = """
import sys, onnxdissect
from onnxdissect import report

run = onnxdissect.load(sys.argv[1])
report.build(run)
run.scores("relu0"), run.per_image("relu0"), run.truth_counts()
print(sorted({"numba", "onnx", "onnxruntime"} & set(sys.modules)))
"""
    # Label maps are decoded by compiled kernels; a report that is built again decodes none.
    report.build(onnxdissect.load(copy))
    command = [sys.executable, "-c", program, str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def other_label_interval(arrays: dict[str, Any]) -> None:
    """Every interval a little lower, as that of other images would be."""
    arrays["low"] *= 0.99


def swapped(arrays: dict[str, Any]) -> None:
    """The first two concepts of a unit with several, each with the other's interval."""
    q, k, _ = np.argwhere(arrays["concept"] >= 0)[np.argwhere(arrays["concept"] >= 0)[:, 2] == 1][0]
    for name in ("concept", "low", "high"):
        arrays[name][q, k, :2] = arrays[name][q, k, 1::-1].copy()


FOREIGN: dict[str, Change] = {
    "other images": other_label_interval,
    "other order": swapped,
    "one concept more": lambda arrays: arrays.update(
        {
            name: np.concatenate([arrays[name], np.full_like(arrays[name][..., :1], empty)], axis=2)
            for name, empty in (("concept", -1), ("low", np.nan), ("high", np.nan))
        }
    ),
    "one concept less": lambda arrays: arrays.update(
        {name: arrays[name][..., :-1] for name in ("concept", "low", "high")}
    ),
    "one concept in all places": lambda arrays: arrays["concept"].__setitem__(arrays["concept"] >= 0, 1),
    "seed": lambda arrays: arrays.update(seed=np.array(4)),
    "resamples": lambda arrays: arrays.update(resamples=np.array(999)),
    "level": lambda arrays: arrays.update(level=np.array(0.9)),
    "scoring": lambda arrays: arrays.update(scoring=np.array("lite")),
    "unknown concept": lambda arrays: arrays["concept"].__setitem__((0, 0, 0), 5000),
    "negative concept": lambda arrays: arrays["concept"].__setitem__((0, 0, 0), -2),
    "no number": lambda arrays: arrays["low"].__setitem__((0, 0, 0), np.nan),
    "below 0": lambda arrays: arrays["low"].__setitem__((0, 0, 0), -0.1),
    "above 1": lambda arrays: arrays["high"].__setitem__((0, 0, 0), 1.5),
    "infinite": lambda arrays: arrays["high"].__setitem__((0, 0, 0), np.inf),
    "upside down": lambda arrays: arrays.update(low=arrays["high"], high=arrays["low"]),
    "units": lambda arrays: arrays.update({name: arrays[name][:, 1:] for name in ("concept", "low", "high")}),
    "shapes apart": lambda arrays: arrays.update(low=arrays["low"][..., 1:]),
    "too many": lambda arrays: arrays.update(
        {name: np.concatenate([arrays[name]] * 9, axis=2) for name in ("concept", "low", "high")}
    ),
    "kind": lambda arrays: arrays.update(low=arrays["low"].astype(np.float32)),
    "lacking": lambda arrays: arrays.pop("high"),
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_intervals_that_cannot_be_those_of_the_run_are_refused(copy: Path, change: Change) -> None:
    run = onnxdissect.load(with_arrays(copy, change))
    for read in (lambda: run.intervals("relu0"), lambda: report.build(run)):
        with pytest.raises(RunFormatError, match=r"intervals\.npz") as caught:
            read()
        assert caught.value.hint
    assert run.intervals("relu1") is not None
    # and are made anew when the run is rescored
    rescore(copy)
    assert onnxdissect.load(copy).intervals("relu0") is not None


def test_damaged_intervals_are_named(copy: Path) -> None:
    path = copy / "layers" / "relu0" / "intervals.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(RunFormatError, match=r"intervals\.npz") as caught:
        onnxdissect.load(copy).intervals("relu0")
    assert caught.value.hint == "onnxdissect rescore makes the file anew"
    rescore(copy)
    assert path.read_bytes() == whole


def test_intervals_of_a_run_over_other_images_are_refused(world: Path, tmp_path: Path) -> None:
    """Also where all that they say of themselves is the same, and no counts are there to compare."""
    given = {"quantiles": [0.1], "null": 0, "seed": 3}
    one = dissect(world, out=tmp_path / "one", **given).path
    two = dissect(world, out=tmp_path / "two", limit=20, **given).path
    name = "layers/relu1/intervals.npz"
    assert (one / name).read_bytes() != (two / name).read_bytes()
    shutil.copy(two / name, one / name)
    run = onnxdissect.load(one)
    for _ in range(2):
        with pytest.raises(RunFormatError, match=r"intervals\.npz does not belong to this run"):
            run.intervals("relu1")
        (one / "layers/relu1/evidence.npz").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "change",
    [
        FOREIGN["one concept in all places"],
        lambda arrays: arrays.update({name: arrays[name][..., :0] for name in ("concept", "low", "high")}),
    ],
)
def test_other_concepts_are_refused_also_where_there_are_no_counts(copy: Path, change: Change) -> None:
    run = onnxdissect.load(copy)
    (copy / "layers/relu0/evidence.npz").unlink()
    intervals(run, "relu0")
    with_arrays(copy, change)
    with pytest.raises(RunFormatError, match=r"intervals\.npz"):
        run.intervals("relu0")


def test_missing_intervals_are_refused_and_made_again(copy: Path) -> None:
    path = copy / "layers/relu0/intervals.npz"
    whole = path.read_bytes()
    for dangling in (False, True):
        path.unlink()
        if dangling:
            path.symlink_to("nowhere.npz")
        with pytest.raises(RunFormatError, match=r"intervals\.npz is missing") as caught:
            onnxdissect.load(copy).intervals("relu0")
        assert caught.value.hint == "onnxdissect rescore makes the file anew"
        rescore(copy)
        assert path.read_bytes() == whole


def test_a_table_that_a_spreadsheet_has_written_again_is_read(copy: Path) -> None:
    path = copy / "units.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    column = header.split(",").index("iou_low")
    cells = [row.split(",") for row in rows]
    for row in cells:
        row[column] = row[column] and f"{float(row[column]):.15g}"
    path.write_text("\n".join([header, *map(",".join, cells)]) + "\n", encoding="utf-8")
    intervals(onnxdissect.load(copy), "relu0")
