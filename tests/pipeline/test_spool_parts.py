"""A spool that stays in parts is counted to the bytes of a whole one, and a part that is lost is missed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.clusters import OPTIONS, small_inputs
from support.processes import states_of
from support.small_runs import contents

import onnxdissect
from onnxdissect.core.spool.chunk import Chunk
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.spool.spool import Spool
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.errors import ImagesMissingError
from onnxdissect.pipeline.execution.executor import PassTask


class PartsBeside(SpoolParts):
    """Parts in this process; whatever is done with them pickles, as it would on the way to another."""

    def __init__(self, spools: list[Spool], lost: str) -> None:
        self._spools = spools
        self._lost = lost
        self.stages: list[str] = []

    def each(self, stage: str, work: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        self.stages.append(stage)
        for spool in self._spools[stage == self._lost :]:
            yield pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(spool, *arguments)))

    def in_order(self) -> Iterator[Chunk]:
        yield from sorted((chunk for spool in self._spools for chunk in spool), key=lambda chunk: chunk.start)

    def complete(self) -> None:
        pass

    def forget(self) -> None:
        self._spools = []


class Parting:
    """Runs chunks of 8 images, and leaves the spool of each where it is."""

    def __init__(self, folder: Path, lost: str = "") -> None:
        self.seconds: Mapping[str, float] = {}
        self._folder = folder
        self._lost = lost
        self.parts: PartsBeside

    def run(self, task: PassTask, images: ImageRanges) -> Iterator[PassState]:
        spools = []
        for state in states_of(task, images, self._folder):
            spools.append(state.spool)
            state.spool = Spool(self._folder, 0)
            task.state.merge(state)
        self.parts = task.state.elsewhere = PartsBeside(spools, self._lost)
        yield task.state


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return small_inputs(tmp_path_factory.mktemp("inputs"))


def test_parts_are_counted_to_the_bytes_of_the_whole(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    asked = OPTIONS | {"keep_masks": True, "save_every": 0.0}
    whole = onnxdissect.dissect(*inputs, out=tmp_path / "whole", **asked)
    parting = Parting(tmp_path)
    parted = onnxdissect.dissect(*inputs, out=tmp_path / "parted", client=parting, **asked)
    assert contents(parted.path) == contents(whole.path)
    assert set(parting.parts.stages) == {"thresholds", "tally", "null"}


@pytest.mark.parametrize("stage", ["thresholds", "tally", "null"])
def test_a_part_that_is_not_counted_is_missed(inputs: tuple[Path, Path], tmp_path: Path, stage: str) -> None:
    with pytest.raises(ImagesMissingError, match="of 38 images 8 have not been counted: numbers 0 to 7"):
        onnxdissect.dissect(*inputs, out=tmp_path / "run", client=Parting(tmp_path, stage), **OPTIONS)
