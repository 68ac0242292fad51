"""What a run of many bases holds: one budget, said beforehand, and given up when it can be."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.small_runs import Convolution, broden, contents, dissect, network

from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Silent
from onnxdissect.core.state.layer_state import LayerState
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.core.state.thresholds import Thresholds
from onnxdissect.data import open_data
from onnxdissect.model.bases.basis import Basis
from onnxdissect.pipeline.bases import matrix_bytes, plan_under, say_memory, under_bases
from onnxdissect.pipeline.options import (
    ExecutionOptions,
    MethodOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
from onnxdissect.pipeline.prepare import bin_budget, prepare, spool_budget
from onnxdissect.pipeline.request import open_request
from onnxdissect.pipeline.run import run

MIB = 2**20
BASES = ("rotation:seed=1,alpha=0.5", "pca:n=3", "directions:n=9", "permutation")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 40, seed=2)
    return tmp_path


def options(world: Path) -> RunOptions:
    return RunOptions(
        model=world / "net.onnx",
        data=world / "data",
        method=MethodOptions(layers=("relu0",), quantiles=(0.1,), bases=BASES),
        preprocessing=PreprocessingOptions(preset="raw"),
        execution=ExecutionOptions(batch_size=2, workers=1),
        statistics=StatisticsOptions(bootstrap=10, null=2),
        out=world / "run",
    )


def wide_plan(world: Path, matrices: int, images: int = 63_305) -> Plan:
    layers = tuple(LayerPlan(f"layer {i}", 2048, (7, 7), None) for i in range(12))
    return Plan(
        layers=layers,
        quantiles=(0.005,),
        images=images,
        pixels=(224, 224),
        grids=np.array([[112, 112]], np.int64),
        vocabulary=open_data(world / "data").vocabulary,
        top=15,
        block=8,
        threads=1,
        spool_bytes=spool_budget(matrices),
        bin_bytes=bin_budget(matrices),
    )


def test_matrices_take_their_memory_from_the_spools() -> None:
    assert spool_budget(0) == 256 * MIB
    assert spool_budget(100 * MIB) == 131 * MIB
    assert spool_budget(1000 * MIB) == 32 * MIB


def test_matrices_take_their_memory_from_the_bins() -> None:
    assert bin_budget(0) == 256 * MIB
    assert bin_budget(100 * MIB) == 156 * MIB
    assert bin_budget(1000 * MIB) == 0


def test_eleven_rotations_of_the_widest_layers_leave_room_in_a_gibibyte(world: Path) -> None:
    matrices = 11 * 2048 * 2048 * 4
    plan = wide_plan(world, matrices)
    held = sum(LayerState(layer, plan).nbytes for layer in plan.layers) + plan.spool_bytes * 5 // 4
    # Python, onnxruntime, compiled kernels and the network take the rest
    assert held + matrices < 460 * MIB


def test_what_is_said_beforehand_is_what_the_pass_holds(world: Path) -> None:
    prepared = prepare(open_request(options(world), Silent()), lambda said: None)
    said: list[str] = []
    say_memory(prepared, said.append)
    under = under_bases(prepared, world, Silent(), lambda said: None, unfinished=False)
    numbers = sum(layer.basis.nbytes for layer in under.request.layers if hasattr(layer, "basis"))
    assert matrix_bytes(prepared) == numbers == 4 * (36 + 3 * 7 + 54 + 36)
    planned = plan_under(prepared)
    assert planned.spool_bytes == under.plan.spool_bytes == spool_budget(numbers)
    assert planned.bin_bytes == under.plan.bin_bytes == bin_budget(numbers)
    assert [(layer.units, layer.shape) for layer in planned.layers] == [
        (layer.units, layer.shape) for layer in under.plan.layers
    ]
    held = PassState(under.plan, world).nbytes
    assert any(f"the pass holds at most {held / MIB:.1f} MiB beside the network" in line for line in said)


def test_a_smaller_spool_gives_the_same_bytes(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dissect(world, layers=["relu0"], bases=list(BASES), out=world / "whole")
    monkeypatch.setattr("onnxdissect.pipeline.prepare._LEAST_SPOOL_BYTES", 1)
    monkeypatch.setattr("onnxdissect.pipeline.prepare._SPOOL_BYTES", 1)
    small = dissect(world, layers=["relu0"], bases=list(BASES), out=world / "small")
    assert contents(small.path) == contents(whole.path)


def test_masks_in_a_file_give_the_same_bytes(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = dissect(world, layers=["relu0"], bases=list(BASES), out=world / "held")
    monkeypatch.setattr("onnxdissect.pipeline.tally._HELD_MASKS", 0)
    filed = dissect(world, layers=["relu0"], bases=list(BASES), out=world / "filed")
    assert contents(filed.path) == contents(held.path)
    masks = sum(held.counts(info.name).top_masks.nbytes for info in held.layers)
    assert masks > 0
    assert held.manifest["memory"]["tally"] - filed.manifest["memory"]["tally"] == masks


def test_wider_bins_give_the_same_bytes(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = dissect(world, layers=["relu0"], bases=list(BASES), out=world / "narrow")
    monkeypatch.setattr("onnxdissect.pipeline.prepare.BIN_BYTES", 1)
    made: list[int] = []
    allocate = Thresholds._allocate

    def noted(self: Thresholds, units: int, positions: int, sizes: list[int], bits: int) -> None:
        made.append(bits)
        allocate(self, units, positions, sizes, bits)

    monkeypatch.setattr(Thresholds, "_allocate", noted)
    wide = dissect(world, layers=["relu0"], bases=list(BASES), out=world / "wide")
    # the kernels that are warmed up have a plan of their own
    assert 10 in made
    assert contents(wide.path) == contents(narrow.path)


def test_a_state_is_saved_layer_by_layer(world: Path, tmp_path: Path) -> None:
    plan = replace(wide_plan(world, 0, images=20), layers=wide_plan(world, 0).layers[:8])
    state = PassState(plan, tmp_path)
    for layer in state.layers:
        layer.samples.values[:] = 1
        counts = layer.thresholds._counts
        counts[:] = 1
        layer.thresholds._floors[:] = 0
    one = sum(array.nbytes for array in state.layers[0].state().values())
    tracemalloc.start()
    try:
        state.save({"batch_size": 1})
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert one > 40 * MIB
    # the arrays of a layer, what they are made with, and the next one's while the last is written
    assert most < 5 * one, "the arrays of eight layers were held together"


class Look:
    """Notes what is alive whenever a phase begins."""

    def __init__(self) -> None:
        gc.collect()
        # what fixtures of other tests hold in this process is not the run's
        self.before = [one for one in gc.get_objects() if type(one).__name__ in ("Basis", "InferenceSession")]
        self.bases: dict[str, int] = {}
        self.sessions: dict[str, int] = {}

    def start(self, phase: str, total: int) -> None:
        gc.collect()
        others = {id(one) for one in self.before}
        alive: list[Any] = [one for one in gc.get_objects() if id(one) not in others]
        self.bases[phase] = sum(type(one) is Basis for one in alive)
        self.sessions[phase] = sum(type(one).__name__ == "InferenceSession" for one in alive)

    def advance(self, images: int) -> None: ...

    def finish(self) -> None: ...


def test_networks_and_matrices_are_given_up_after_the_pass(world: Path) -> None:
    look = Look()
    run(options(world), progress=look)
    assert list(look.bases) == ["moments", "pass", "tally", "null"]
    assert look.bases["pass"] >= len(BASES) and look.sessions["pass"] >= 1
    for phase in ("tally", "null"):
        assert look.bases[phase] == 0
        assert look.sessions[phase] == 0
