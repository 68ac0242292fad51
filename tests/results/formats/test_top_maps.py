"""The maps and samples of a run that are there to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from naive import method as naive
from numpy.typing import NDArray
from support.small_runs import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect.errors import RunFormatError

UNITS = 4


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(UNITS, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 7, seed=2)
    return tmp_path


def activations(world: Path) -> NDArray[np.float32]:
    return naive.activations_of(world / "net.onnx", "relu0", naive.read_broden(world / "data").pictures)


def test_top_maps_are_the_activation_maps_to_half_a_step(world: Path) -> None:
    run = dissect(world, top=3)
    found, maps = run.top_maps("relu0"), activations(world)
    assert found is not None
    assert found.maps.shape == (UNITS, 3, *maps.shape[2:])
    counts = run.counts("relu0")
    for k in range(UNITS):
        for n, image in enumerate(counts.top_images[k]):
            low, high = float(found.low[k, n]), float(found.high[k, n])
            assert (low, high) == (maps[image, k].min(), maps[image, k].max())
            drawn = low + found.maps[k, n] / 255 * (high - low)
            np.testing.assert_allclose(drawn, maps[image, k], rtol=0, atol=0.51 * (high - low) / 255)
    np.testing.assert_array_equal(found.high, counts.top_values)


def test_samples_are_activations_of_all_images(world: Path) -> None:
    run = dissect(world)
    found, maps = run.samples("relu0"), activations(world)
    assert found is not None
    # Seven images of 6x6 cells are fewer than 1,024: the sample is everything.
    np.testing.assert_array_equal(found, np.sort(maps.transpose(1, 0, 2, 3).reshape(UNITS, -1), axis=1))


def test_runs_of_older_versions_have_neither(world: Path) -> None:
    run = dissect(world)
    for name in ("top_maps.npz", "samples.npz"):
        (run.path / "layers/relu0" / name).unlink()
    run = onnxdissect.load(run.path)
    assert run.top_maps("relu0") is None
    assert run.samples("relu0") is None


@pytest.mark.parametrize("name", ["top_maps.npz", "samples.npz"])
def test_files_of_another_run_and_damaged_ones_are_refused(world: Path, name: str) -> None:
    run = dissect(world, top=3)
    path = run.path / "layers/relu0" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunFormatError, match="damaged"):
        run.top_maps("relu0"), run.samples("relu0")
    network(world / "net.onnx", [Convolution(UNITS + 1, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    other = dissect(world, top=3, out=world / "other")
    path.write_bytes((other.path / "layers/relu0" / name).read_bytes())
    with pytest.raises(RunFormatError, match="does not belong"):
        run.top_maps("relu0"), run.samples("relu0")


def test_a_state_of_another_version_is_not_taken_up(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class StopError(Exception):
        pass

    class Impatient:
        def start(self, phase: str, total: int) -> None:
            if phase == "tally":
                raise StopError

        def advance(self, images: int) -> None: ...

        def finish(self) -> None: ...

    with pytest.raises(StopError):
        dissect(world, progress=Impatient(), save_every=0)
    monkeypatch.setattr("onnxdissect.pipeline.execution.executor.STATE_FORMAT", -1)
    said: list[str] = []
    run = dissect(world, notify=said.append)
    assert any("starting over" in line for line in said)
    assert run.manifest["status"] == "complete"
