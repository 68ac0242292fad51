"""Data in no folder: arrays, and a source of another package, are dissected, reported and checked."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from support.commands import Called, called
from support.report_pages import build_pages
from support.small_runs import SIZE, Convolution, network

import onnxdissect
from onnxdissect.check.baseline.snapshot import snapshot_of
from onnxdissect.check.gate import check_model
from onnxdissect.check.outputs.page import render_check
from onnxdissect.check.rules.config import Config
from onnxdissect.check.verdict import ChangedUnit, Verdict
from onnxdissect.data import ArrayDataset, LabelEntry, open_data, open_dataset, write_image, write_tables
from onnxdissect.errors import DataNotFoundError, ParameterError, RunMismatchError

COUNT = 30
CATEGORIES = ("color", "object", "part")
LABELS = [
    LabelEntry(1, "red", ("color",)),
    LabelEntry(2, "blue", ("color",)),
    LabelEntry(3, "cat", ("object",)),
    LabelEntry(300, "leg", ("part",)),
    LabelEntry(7, "", ("object",)),
]


def drawn() -> dict[str, Any]:
    """Images, label maps on two grids, labels of whole images, groups."""
    random = np.random.default_rng(5)
    grids = [(6, 6) if i % 3 else (5, 7) for i in range(COUNT)]
    return {
        "images": random.integers(0, 4, (COUNT, SIZE, SIZE, 3)).astype(np.uint8),
        "label_maps": {
            "object": [random.choice([0, 3, 7], grid) for grid in grids],
            "part": [random.choice([0, 300], (2, *grid)) if i % 2 else None for i, grid in enumerate(grids)],
        },
        "image_labels": {"color": [int(random.integers(0, 3)) for _ in grids]},
        "splits": ["train" if i % 4 else "val" for i in range(COUNT)],
        "groups": [f"film{i // 3}" for i in range(COUNT)],
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, the data set as a folder, and a run on each form of it."""
    place = tmp_path_factory.mktemp("memory")
    network(place / "net.onnx", [Convolution(6, (3, 3), (1, 1), (1, 1, 1, 1))] * 2, True, seed=3)
    given = drawn()
    records = []
    for i in range(COUNT):
        annotations: dict[str, list[Any]] = {"object": [given["label_maps"]["object"][i]]}
        if given["label_maps"]["part"][i] is not None:
            annotations["part"] = list(given["label_maps"]["part"][i])
        if given["image_labels"]["color"][i]:
            annotations["color"] = [given["image_labels"]["color"][i]]
        told = {"split": given["splits"][i], "group": given["groups"][i]}
        records.append(write_image(place / "data", f"{i}.png", given["images"][i], annotations, **told))
    write_tables(place / "data", CATEGORIES, LABELS, records)
    for name, data in (("folder", place / "data"), ("arrays", arrays(place))):
        onnxdissect.dissect(place / "net.onnx", data, out=place / name, **options())
    return place


def arrays(place: Path) -> ArrayDataset:
    names = [f"{i}.png" for i in range(COUNT)]
    return ArrayDataset(vocabulary=open_dataset(place / "data").vocabulary, names=names, **drawn())


def options(**more: Any) -> dict[str, Any]:
    return {"preset": "raw", "layers": ["all"], "quantiles": [0.05, 0.2], "bootstrap": 60, "null": 2} | more


def test_counts_are_those_of_the_folder(world: Path) -> None:
    """All that was counted and drawn, file by file; only the manifest tells where the images were."""
    one, other = world / "folder", world / "arrays"
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert len(files) > 10
    for name in files:
        if name.name != "manifest.json":
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    records = [json.loads((run / "manifest.json").read_text())["data"] for run in (one, other)]
    assert records[0].pop("folder") == str((world / "data").absolute())
    assert (records[0].pop("name"), records[1].pop("name")) == ("data", "arrays")
    assert len({record.pop("fingerprint") for record in records}) == 2
    assert records[0] == records[1]


def test_the_same_data_goes_on_and_other_data_is_refused(world: Path) -> None:
    said: list[str] = []
    onnxdissect.dissect(
        world / "net.onnx", arrays(world), out=world / "arrays", notify=said.append, **options()
    )
    assert "already holds this run" in said[-1]
    with pytest.raises(RunMismatchError, match=r"data\.fingerprint"):
        onnxdissect.dissect(
            world / "net.onnx", arrays(world).subset(limit=29), out=world / "arrays", **options()
        )


def test_groups_are_the_data_sets_own(world: Path) -> None:
    for groups in ("none", "folder"):
        with pytest.raises(ParameterError, match=f"grouped by group, not by {groups}"):
            onnxdissect.dissect(world / "net.onnx", arrays(world), groups=groups, out=world / "no")
    assert open_data(arrays(world), groups="group").grouped_by == "group"
    for nothing in (3, [], object()):
        with pytest.raises(ParameterError, match=r"is no data set: it lacks .*read_image"):
            onnxdissect.dissect(world / "net.onnx", nothing, out=world / "no")  # type: ignore[arg-type]


def test_a_report_says_so_or_takes_the_images_given(world: Path) -> None:
    run = onnxdissect.load(world / "arrays")
    page = build_pages(run)
    assert "does not say where its images are" in page.read_text(encoding="utf-8")
    assert not (page.parent / "photos").exists()
    with_pictures = build_pages(run, data=arrays(world)).parent
    of_folder = build_pages(onnxdissect.load(world / "folder")).parent
    for part in ("photos", "units"):
        names = sorted(path.relative_to(of_folder) for path in (of_folder / part).rglob("*.*"))
        assert names
        for name in names:
            assert (with_pictures / name).read_bytes() == (of_folder / name).read_bytes()
    # a folder may have moved
    assert build_pages(onnxdissect.load(world / "folder"), data=str(world / "data")).is_file()
    for other in (arrays(world).subset(split="val"), world / "data"):
        with pytest.raises(RunMismatchError, match="has the fingerprint"):
            build_pages(run, data=other)


def test_a_check_needs_no_folder(world: Path, tmp_path: Path) -> None:
    model, data = world / "net.onnx", arrays(world)
    assert check_model(model, world / "arrays", Config(), data=data, preset="raw").passed
    network(tmp_path / "other.onnx", [Convolution(6, (3, 3), (1, 1), (1, 1, 1, 1))] * 2, True, seed=4)
    against = check_model(tmp_path / "other.onnx", model, Config(), data=data, preset="raw", layers=["all"])
    assert max(drift.relative_rms for drift in against.drift) > 0.1
    snapshot = snapshot_of(onnxdissect.load(world / "arrays"))
    changed = tuple(
        ChangedUnit(layer.name, 0, "cat", "red", 0.2, 0.1, 0.1, None) for layer in snapshot.layers
    )
    page = render_check(Verdict("new", "old", (), changed), snapshot, snapshot, data)
    assert page.count("data:image/jpeg;base64,") > len(changed)
    with pytest.raises(DataNotFoundError, match="was in memory") as caught:
        check_model(model, world / "arrays")
    assert "data=" in str(caught.value.hint)
    with pytest.raises(RunMismatchError, match="arrays has the fingerprint"):
        check_model(model, world / "arrays", data=data.subset(limit=20))


# --- sources of other packages ------------------------------------------------------------------------

PACKAGE = """
import numpy as np
from onnxdissect.data import ArrayDataset, make_vocabulary
from onnxdissect.errors import ParameterError

def open_noise(argument, *, groups, progress):
    if not argument.isdigit():
        raise ParameterError(f"noise takes a number of images, not {argument!r}", hint="--data noise:20")
    count = int(argument)
    progress and progress(count, count)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 12, 12, 3)).astype(np.uint8)
    vocabulary = make_vocabulary({"object": {1: "bright", 2: "dark"}})
    return ArrayDataset(images, vocabulary, {"object": 1 + (images[::, ::2, ::2, 0] < 128)}, name="noise")

def open_films(argument, *, groups, progress):
    images = np.load(argument)
    films = [str(i // 4) for i in range(len(images))] if groups in (None, "film") else None
    vocabulary = make_vocabulary({"object": {1: "bright", 2: "dark"}})
    labels = {"object": 1 + (images[:, ::2, ::2, 0] < 128)}
    return ArrayDataset(images, vocabulary, labels, name="films", groups=films, grouped_by="film")

def open_nothing(argument, *, groups, progress):
    return "nothing"
"""
ENTRIES = """[onnxdissect.data]
noise = noisy:open_noise
films = noisy:open_films
nothing = noisy:open_nothing
broken = noisy_that_is_not_there:open
"""


@pytest.fixture(scope="module")
def installed(world: Path) -> Path:
    """A folder on the search path with a package, as an installer leaves it."""
    place = world / "site"
    info = place / "noisy-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "noisy.py").write_text(PACKAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    return place


def process(world: Path, installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(onnxdissect.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "onnxdissect", *words],
        cwd=world,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), root])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def command(world: Path, installed: Path | None, *words: str, cwd: Path | None = None) -> Called:
    """Call the program in this process, which has the package on its path only meanwhile."""
    path = [*([] if installed is None else [str(installed)]), *sys.path]
    with mock.patch.object(sys, "path", path):
        importlib.invalidate_caches()
        try:
            return called(cwd or world, *words)
        finally:
            sys.modules.pop("noisy", None)


def test_a_package_adds_a_source(world: Path, installed: Path) -> None:
    ran = process(
        world, installed, "run", "net.onnx", "--data", "noise:20", "--preset", "raw", "--bootstrap", "20"
    )
    assert ran.returncode == 0, ran.stderr
    assert "making the data set: 20 images" in ran.stderr
    run = world / "dissections" / "net-noise"
    data = json.loads((run / "manifest.json").read_text())["data"]
    assert (data["name"], data["spec"], data["images"]) == ("noise", "noise:20", 20)
    assert "folder" not in data
    # the run says by what its images are had again
    assert list((run / "report" / "photos").iterdir())
    assert command(world, installed, "report", str(run)).returncode == 0
    checked = command(world, installed, "check", "net.onnx", "--baseline", str(run))
    assert checked.returncode == 0, checked.stderr
    # without the package
    gone = command(world, None, "check", "net.onnx", "--baseline", str(run))
    assert gone.returncode == 2
    assert re.search(r"no data source 'noise'\nhint: ", gone.stderr)
    (run / "report" / "data.json").unlink()
    without = command(world, None, "report", str(run))
    assert without.returncode == 0
    assert "There are no pictures: " in (run / "report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("noise:many", "noise takes a number of images, not 'many'"),
        ("noisse:20", "no data source 'noisse'\ncandidates: noise:20"),
        (
            "zzz:20",
            "no data source 'zzz'\nhint: installed sources: broken, cleaned, films, linked, noise",
        ),
        ("nothing", "gives str, which is no data set: it lacks"),
        ("broken", "the data source 'broken' (noisy_that_is_not_there:open) does not load: ModuleNotFound"),
        ("tiny:7", "tiny takes no argument, and '7' was given"),
        ("tinny", "there is no folder tinny\ncandidates: tiny"),
    ],
)
def test_a_spec_that_is_no_data_set(world: Path, installed: Path, spec: str, told: str) -> None:
    for words in (("run", "net.onnx", "--data", spec), ("data", "info", spec), ("data", "check", spec)):
        ran = command(world, installed, *words)
        assert ran.returncode == 2, ran.stderr
        assert told in ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_file_of_groups_is_found_again_from_another_folder(
    world: Path, installed: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    np.save(world / "films.npy", random.integers(0, 256, (40, 12, 12, 3)).astype(np.uint8))
    words = (
        "run",
        "net.onnx",
        "--preset",
        "raw",
        "--bootstrap",
        "20",
        "--out",
        "films-run",
        "--groups",
        "film",
    )
    ran = command(world, installed, *words, "--data", "films:films.npy")
    assert ran.returncode == 0, ran.stderr
    run = world / "films-run"
    data = json.loads((run / "manifest.json").read_text())["data"]
    assert (data["spec"], data["groups"]) == (f"films:{world / 'films.npy'}", "film")
    same = command(world, installed, *words, "--data", f"films:{world / 'films.npy'}")
    assert same.returncode == 0, same.stderr
    assert "already holds this run" in same.stderr
    (run / "report" / "data.json").unlink()
    told = command(world, installed, "report", str(run), cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "There are no pictures" not in (run / "report" / "index.html").read_text(encoding="utf-8")
    checked = command(
        world, installed, "check", str(world / "net.onnx"), "--baseline", str(run), cwd=tmp_path
    )
    assert checked.returncode == 0, checked.stderr


def test_doctor_lists_sources(world: Path, installed: Path) -> None:
    ran = command(world, installed, "doctor", "--json")
    found = {finding["subject"]: finding for finding in json.loads(ran.stdout)}
    assert [found[f"data source {name}"]["state"] for name in ("tiny", "noise")] == ["ok", "ok"]
    assert found["data source broken"]["state"] == "problem"
    assert "noisy_that_is_not_there" in found["data source broken"]["message"]


def test_tables_are_of_folders(world: Path, installed: Path) -> None:
    for what in ("info", "check"):
        ran = command(world, installed, "data", what, "noise:20")
        assert ran.returncode == 2
        assert "noise:20 gives 20 images that lie in no Broden folder" in ran.stderr
