"""A pass that others run: in processes of their own, killed in between, and merged."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import SpawnedProcesses
from support.small_runs import Convolution, broden, contents, network

from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.pipeline.execution.executor import cut
from onnxdissect.pipeline.options import (
    ExecutionOptions,
    MethodOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
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
