"""Keeping masks changes nothing else, survives interruptions, and says beforehand what it takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_counts import World, worlds
from support.processes import SpawnedProcesses
from support.small_runs import Convolution, broden, contents, dissect, network

import onnxdissect
from onnxdissect.check.gate import check_model
from onnxdissect.core.progress import Silent
from onnxdissect.errors import OutputError, RunMismatchError
from onnxdissect.pipeline.keep_masks import SizeBounds, check_space, masks_size, write_masks
from onnxdissect.pipeline.options import (
    ExecutionOptions,
    MethodOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
from onnxdissect.pipeline.run import run
from onnxdissect.report import build
from onnxdissect.results.masks.layout import MASKS, MasksLayout

KEPT = f"layers/relu0/{MASKS}"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 40, seed=2)
    return tmp_path


def without_masks(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != KEPT}


def test_all_other_files_are_the_same_bytes(world: Path) -> None:
    plain, kept = dissect(world), dissect(world, keep_masks=True, out=world / "kept")
    files = contents(kept.path)
    assert KEPT in files
    assert without_masks(files) == contents(plain.path)
    manifests = [dict(found.manifest) for found in (plain, kept)]
    told = manifests[1].pop("kept_masks")
    assert told == {"version": 1, "points": 28, "bytes": len(files[KEPT])}
    for manifest in manifests:
        del manifest["timing"]
    assert manifests[0] == manifests[1]
    many = dissect(world, keep_masks=True, workers=3, batch_size=3, out=world / "many")
    assert contents(many.path)[KEPT] == files[KEPT]


def test_rescored_and_loaded_again_it_keeps_its_masks(world: Path) -> None:
    found = dissect(world, keep_masks=True)
    before = [mask.tolist() for _, mask in found.masks("relu0").of_unit(1)]
    assert before
    onnxdissect.results.rescore(found.path, scoring="pnas", iou_threshold=0.1)
    again = onnxdissect.load(found.path)
    assert [mask.tolist() for _, mask in again.masks("relu0").of_unit(1)] == before
    shown = again.rescore("lite")
    assert [mask.tolist() for _, mask in shown.masks("relu0").of_unit(1)] == before


def test_report_and_check_are_those_of_a_run_without(world: Path) -> None:
    plain, kept = dissect(world), dissect(world, keep_masks=True, out=world / "kept")
    pages = [build(found).parent for found in (plain, kept)]
    # These two tell how long the run took, and where it lies.
    timed = {"index.html", "data.json"}
    one, other = ({n: c for n, c in contents(page).items() if n not in timed} for page in pages)
    assert one and one == other
    verdicts = [check_model(world / "net.onnx", found.path) for found in (plain, kept)]
    first, second = ([(f.rule, f.status, f.message) for f in verdict.findings] for verdict in verdicts)
    assert first and first == second


def test_a_finished_run_without_masks_is_not_passed_off_as_one_with_them(world: Path) -> None:
    dissect(world)
    with pytest.raises(RunMismatchError, match="without its masks") as caught:
        dissect(world, keep_masks=True)
    assert "--fresh" in (caught.value.hint or "")
    kept = dissect(world, keep_masks=True, fresh=True)
    assert kept.masks("relu0").mask(0, 0).shape == kept.images[0].grid
    said: list[str] = []
    for asked in (True, False):
        assert "kept_masks" in dissect(world, keep_masks=asked, notify=said.append).manifest
    assert sum("already holds this run" in line for line in said) == 2
    (kept.path / KEPT).unlink()
    with pytest.raises(RunMismatchError, match="without its masks"):
        dissect(world, keep_masks=True)


# Stops for good at a chosen moment, so that it can be killed there.
CHILD = """
import sys, time
import onnxdissect

world, keep, stop_at = sys.argv[1:]

class Progress:
    def start(self, phase, total):
        self.phase, self.done = phase, 0

    def advance(self, images):
        self.done += images
        if self.phase == stop_at and self.done >= 24:
            print("here", flush=True)
            time.sleep(600)

    def finish(self):
        pass

onnxdissect.dissect(
    world + "/net.onnx", world + "/data", preset="raw", quantiles=[0.1], batch_size=2, workers=1,
    save_every=0, out=world + "/run", keep_masks=keep == "True", progress=Progress(),
)
"""


def killed_in(phase: str, world: Path, keep: bool) -> None:
    command = [sys.executable, "-c", CHILD, str(world), str(keep), phase]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
@pytest.mark.parametrize(
    ("phase", "before"), [("pass", True), ("pass", False), ("tally", False), ("masks", True)]
)
def test_an_interrupted_run_goes_on_whatever_it_was_to_keep(world: Path, phase: str, before: bool) -> None:
    whole = contents(dissect(world, batch_size=2, keep_masks=True, out=world / "whole").path)
    for after in (True, False):
        killed_in(phase, world, before)
        said: list[str] = []
        found = dissect(world, batch_size=2, keep_masks=after, notify=said.append)
        assert any("going on with the interrupted run" in line for line in said)
        assert contents(found.path) == (whole if after else without_masks(whole))
        assert ("kept_masks" in found.manifest) == after
        shutil.rmtree(found.path)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_a_pass_of_several_processes_keeps_the_same_masks(world: Path) -> None:
    def options(out: str) -> RunOptions:
        return RunOptions(
            model=world / "net.onnx",
            data=world / "data",
            method=MethodOptions(quantiles=(0.1, 0.02)),
            preprocessing=PreprocessingOptions(preset="raw"),
            execution=ExecutionOptions(batch_size=2, workers=1),
            statistics=StatisticsOptions(bootstrap=0, null=0),
            out=world / out,
            keep_masks=True,
        )

    plain = run(options("plain"))
    (world / "states").mkdir()
    merged = run(options("merged"), executor=SpawnedProcesses(world / "states", size=7))
    assert KEPT in contents(merged.path)
    assert contents(merged.path) == contents(plain.path)


# SizeBounds


@given(worlds(), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_no_file_is_larger_than_was_said(world: World, images: int, units: int) -> None:
    rng = np.random.default_rng(images * units)
    shape = world.activations.shape[2:]
    repeated = [i % len(world.annotations) for i in range(images)]
    large = replace(
        world,
        activations=rng.normal(size=(images, units, *shape)).astype(np.float32),
        annotations=[world.annotations[i] for i in repeated],
        images=[world.images[i] for i in repeated],
    )
    plan = large.plan()
    passed, counted = large.dissect(plan, batch=1)
    layout = MasksLayout.of(
        images,
        (shape[0], shape[1]),
        plan.pixels,
        world.field,
        counted.thresholds.min(axis=0),
        max(plan.quantiles),
    )
    size = masks_size(plan)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_masks(passed.spool, [folder], [layout], plan.grids, 2, Silent())
        assert (folder / MASKS).stat().st_size <= size.most
    # All activations differ, so as many exceed a threshold as may.
    above = sum(
        int((large.activations[:, k] > counted.thresholds.min(axis=0)[k]).sum()) for k in range(units)
    )
    assert size.least == 6 * above <= size.most


def test_the_size_is_said_before_and_after(world: Path) -> None:
    said: list[str] = []
    found = dissect(world, keep_masks=True, notify=said.append)
    (before,) = [line for line in said if line.startswith("masks: at most ")]
    (after,) = [line for line in said if line.startswith("masks: ") and line.endswith(" kept")]
    assert said.index(before) < said.index(after)
    size = float(before.split()[3].replace(",", ""))
    assert before.split()[4] == "KiB"
    kept = found.manifest["kept_masks"]["bytes"]
    assert kept / 1024 == pytest.approx(float(after.split()[1]), abs=0.06)
    assert kept / 1024 < size


def test_what_cannot_fit_is_refused_and_what_may_not_is_said(tmp_path: Path) -> None:
    size = SizeBounds(least=3 * 2**30, most=40 * 2**30)
    said: list[str] = []
    check_space(size, 50 * 2**30, tmp_path, said.append)
    assert said == ["masks: at most 40.0 GiB will be kept, usually a sixth of it; 50.0 GiB are free"]
    check_space(size, 39 * 2**30, tmp_path, said.append)
    assert said[-1].startswith("warning: kept masks may not fit: they take at most 40.0 GiB, and 39.0 GiB")
    with pytest.raises(OutputError, match=r"3\.0 GiB to 40\.0 GiB, and 2\.0 MiB are free in") as caught:
        check_space(size, 2 * 2**20, tmp_path, said.append)
    assert "--layer" in (caught.value.hint or "")


LIMIT = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop()), resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of Unix")
def test_a_disk_that_fills_up_while_masks_are_kept_costs_nothing(world: Path) -> None:
    whole = contents(dissect(world, batch_size=2, keep_masks=True, out=world / "whole").path)
    size = len(whole[KEPT])
    # The state and the spool of so small a run must fit.
    code = CHILD.replace("save_every=0", "save_every=100").replace(
        "import onnxdissect\n", "import onnxdissect\n" + LIMIT, 1
    )
    command = [sys.executable, "-c", code, str(world), "True", "", str(size - 1)]
    starved = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "cannot write" in starved.stderr and MASKS in starved.stderr
    assert "then the same command again; or leave --keep-masks out" in starved.stderr
    assert not (world / "run" / KEPT).exists()
    assert json.loads((world / "run" / "manifest.json").read_text())["status"] == "running"
    assert contents(dissect(world, batch_size=2, keep_masks=True).path) == whole


def test_the_command_keeps_masks(world: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "onnxdissect",
        "run",
        str(world / "net.onnx"),
        "--data",
        str(world / "data"),
    ]
    command += ["--preset", "raw", "--quantile", "0.1", "--no-report", "--out", str(world / "run")]
    done = subprocess.run([*command, "--keep-masks"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "masks: at most " in done.stderr
    assert (world / "run" / KEPT).is_file()
    assert contents(world / "run") == contents(dissect(world, keep_masks=True, out=world / "python").path)
    shutil.rmtree(world / "run")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    refused = subprocess.run([*command, "--keep-masks"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "without its masks" in refused.stderr and "--fresh" in refused.stderr
