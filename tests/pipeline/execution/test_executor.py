"""A pass that others run: in processes of their own, killed in between, and merged."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import Chunks, SpawnedProcesses, run_and_die, states_of
from support.small_runs import Convolution, broden, contents, network

from onnxdissect.core.progress import Silent
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.errors import ImagesMissingError, ImagesOverlapError, ParameterError, RunMismatchError
from onnxdissect.pipeline.execution.executor import PassTask, cut
from onnxdissect.pipeline.options import (
    DataOptions,
    ExecutionOptions,
    MethodOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
from onnxdissect.pipeline.prepare import prepare
from onnxdissect.pipeline.request import open_request
from onnxdissect.pipeline.run import run


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_chunks_of_killed_processes_merged_in_a_tree_are_the_plain_run(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 38, seed=2)

    def options(out: str) -> RunOptions:
        return RunOptions(
            model=tmp_path / "net.onnx",
            data=tmp_path / "data",
            method=MethodOptions(quantiles=(0.1, 0.02)),
            preprocessing=PreprocessingOptions(preset="raw"),
            execution=ExecutionOptions(batch_size=2, workers=1),
            statistics=StatisticsOptions(bootstrap=50, null=3),
            out=tmp_path / out,
        )

    plain = run(options("plain"))
    states = tmp_path / "states"
    states.mkdir()
    processes = SpawnedProcesses(states, size=5)
    merged = run(options("merged"), executor=processes)
    assert processes.died == [-signal.SIGKILL]
    assert processes.left == [5, 1], "only what the killed process did not leave is done again"
    assert contents(merged.path) == contents(plain.path)
    assert len(contents(plain.path)) > 5
    assert manifest(merged.path) == manifest(plain.path)


@pytest.fixture
def small(tmp_path: Path) -> RunOptions:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 24, seed=2)
    return RunOptions(
        model=tmp_path / "net.onnx",
        data=tmp_path / "data",
        method=MethodOptions(quantiles=(0.1, 0.02)),
        preprocessing=PreprocessingOptions(preset="raw"),
        execution=ExecutionOptions(batch_size=2, workers=1),
        statistics=StatisticsOptions(bootstrap=50, null=3),
        out=tmp_path / "run",
    )


def died(states: list[PassState]) -> Iterator[PassState]:
    yield states[0]
    raise RuntimeError("the node died")


def lost(states: list[PassState]) -> Iterator[PassState]:
    yield from states[:-1]


def twice(states: list[PassState]) -> Iterator[PassState]:
    yield from (states[0], states[1], pickle.loads(pickle.dumps(states[0])), *states[2:])


@pytest.mark.parametrize(
    ("given", "error", "message", "first_left"),
    [
        (died, RuntimeError, "the node died", 8),
        (lost, ImagesMissingError, r"of 24 images 8 .*: numbers 16 to 23, beginning with \S*16\.png", 16),
        (twice, ImagesOverlapError, "images 0 to 7 were taken in twice", 16),
        (lambda states: iter([states[0], "done"]), ParameterError, "Chunks gave back str", 8),
    ],
)
def test_what_an_executor_gave_back_before_it_failed_is_not_done_again(
    small: RunOptions,
    tmp_path: Path,
    given: Callable[[list[PassState]], Iterator[object]],
    error: type[Exception],
    message: str,
    first_left: int,
) -> None:
    plain = contents(run(replace(small, out=tmp_path / "plain")).path)
    with pytest.raises(error, match=message):
        run(small, executor=Chunks(tmp_path, given))
    again = Chunks(tmp_path, iter)
    assert contents(run(small, executor=again).path) == plain
    assert again.asked == [ImageRanges.of((first_left, 24))]


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_what_an_executor_has_given_back_outlives_a_kill(small: RunOptions, tmp_path: Path) -> None:
    plain = contents(run(replace(small, out=tmp_path / "plain")).path)
    at_once = replace(small, execution=replace(small.execution, save_every=0.0))
    child = multiprocessing.get_context("spawn").Process(target=run_and_die, args=(at_once, tmp_path))
    child.start()
    child.join(timeout=300)
    assert child.exitcode == -signal.SIGKILL
    again = Chunks(tmp_path, iter)
    assert contents(run(small, executor=again).path) == plain
    assert again.asked == [ImageRanges.of((16, 24))]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (
            {"method": MethodOptions(quantiles=(0.1, 0.03))},
            r"quantiles: \(0\.1, 0\.02\) here, \(0\.1, 0\.03\) there",
        ),
        ({"method": MethodOptions(quantiles=(0.1, 0.02), top=3)}, "top: 15 here, 3 there"),
        ({"method": MethodOptions(quantiles=(0.1, 0.02), upsample="resize")}, "field of layer 0"),
        ({"images": DataOptions(limit=16)}, r"data\.fingerprint"),
        ({"preprocessing": PreprocessingOptions(preset="unit")}, r"preprocessing\.\w+"),
        ({"execution": ExecutionOptions(batch_size=1, workers=1)}, "batch size: 2 here, 1 there"),
        ({"model": "other.onnx"}, r"model\.sha256"),
    ],
)
def test_the_state_of_a_worker_with_other_inputs_is_refused(
    small: RunOptions, tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    if "model" in changed:
        changed = {"model": tmp_path / "other.onnx"}
        network(changed["model"], [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=9)
    stale = prepare(open_request(replace(small, **changed), Silent()), lambda message: None)

    def given(states: list[PassState]) -> Iterator[PassState]:
        task = PassTask(stale, PassState(stale.plan, tmp_path), Silent())
        yield states[1]
        yield pickle.loads(pickle.dumps(states_of(task, ImageRanges.of((0, 8)), tmp_path)[0]))

    with pytest.raises(RunMismatchError, match=named):
        run(small, executor=Chunks(tmp_path, given))
    again = Chunks(tmp_path, iter)
    run(small, executor=again)
    assert again.asked == [ImageRanges.of((0, 8), (16, 24))]


def manifest(run_directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_directory / "manifest.json").read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if key not in ("timing", "memory")}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=4),
    st.integers(1, 20),
    st.integers(1, 6),
)
def test_chunks_are_cut_between_batches(gaps: list[tuple[int, int]], size: int, block: int) -> None:
    ranges, at = [], 0
    for gap, length in gaps:
        ranges.append(((at + gap) * block, (at + gap + length) * block))
        at += gap + length
    images = ImageRanges.of(*ranges)
    chunks = list(cut(images, size, block))
    assert ImageRanges.of(*chunks) == images
    assert all(start % block == 0 and stop % block == 0 for start, stop in chunks)
    assert all(stop - start < size + block for start, stop in chunks)
