"""Archives of another run with the same shapes are refused; runs that kept no checksums are read."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.former_runs import without_checksums
from support.small_runs import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect.errors import RunFormatError
from onnxdissect.results import rescore
from onnxdissect.storage.archive_reader import archive_fingerprint

NAMES = ("tally.npz", "top_masks.npz", "top_maps.npz", "samples.npz", "evidence.npz", "null.npz")
ARCHIVES = ("truth.npz", *(f"layers/relu0/{name}" for name in NAMES))
INTERVALS = "layers/relu0/intervals.npz"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of one network: all that differs are the pixels."""
    found = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp("world")
        network(folder / "net.onnx", [Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1))], pool=False, seed=1)
        broden(folder / "data", 12, seed=seed)
        found.append(dissect(folder, layers=["relu0"], quantiles=[0.1], seed=3, null=3).path)
    return found[0], found[1]


@pytest.fixture
def copy(runs: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs[0], tmp_path / "run"))


def test_the_manifest_tells_of_all_archives(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    assert manifest["archives"] == {name: archive_fingerprint(copy / name) for name in (*ARCHIVES, INTERVALS)}
    assert sorted(manifest["archives"]) == sorted(str(path.relative_to(copy)) for path in copy.rglob("*.npz"))


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_another_run_is_refused(runs: tuple[Path, Path], copy: Path, name: str) -> None:
    shutil.copy(runs[1] / name, copy / name)
    with pytest.raises(RunFormatError, match="does not belong to this run: it is not the file") as caught:
        onnxdissect.load(copy)
    assert str(copy / name) in caught.value.message
    with pytest.raises(RunFormatError):
        rescore(copy)


def test_intervals_of_another_run_are_refused_and_made_anew(runs: tuple[Path, Path], copy: Path) -> None:
    own = (copy / INTERVALS).read_bytes()
    shutil.copy(runs[1] / INTERVALS, copy / INTERVALS)
    with pytest.raises(RunFormatError, match=r"intervals\.npz"):
        onnxdissect.load(copy).intervals("relu0")
    rescore(copy)
    assert (copy / INTERVALS).read_bytes() == own
    assert onnxdissect.load(copy).intervals("relu0") is not None


def test_intervals_of_the_same_concepts_with_other_ends_are_refused(copy: Path) -> None:
    with np.load(copy / INTERVALS) as archive:
        arrays = dict(archive)
    arrays["high"] = np.minimum(arrays["high"] + 1e-9, 1)
    np.savez(copy / INTERVALS, **arrays)
    with pytest.raises(RunFormatError, match=r"intervals\.npz"):
        onnxdissect.load(copy).intervals("relu0")


def test_runs_without_checksums_are_read(runs: tuple[Path, Path], copy: Path) -> None:
    without_checksums(copy)
    run = onnxdissect.load(copy)
    assert run.intervals("relu0") is not None
    assert run.units() == onnxdissect.load(runs[0]).units()
    # and have them once they are written again
    rescore(copy)
    assert len(onnxdissect.load(copy).manifest["archives"]) == len(ARCHIVES) + 1


def test_how_members_are_compressed_makes_no_difference(copy: Path) -> None:
    path = copy / "truth.npz"
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in reversed(members):
            archive.writestr(name, content)
    assert onnxdissect.load(copy).truth_counts() is not None
