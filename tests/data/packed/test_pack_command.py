"""The commands on a packed file do what they do on its folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.commands import called
from support.datasets import random_broden, write_broden
from support.small_runs import Convolution, broden, contents, network

import onnxdissect
from onnxdissect.data import check_packed, open_dataset, open_packed
from onnxdissect.data.labelled_images import labelled_images


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, a folder, the folder packed, and a run on each."""
    place = tmp_path_factory.mktemp("world")
    network(place / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(place / "data", 30, seed=2)
    said = called(place, "data", "pack", "data", "small.packed")
    assert (said.returncode, said.stdout) == (0, "small.packed\n"), said.stderr
    assert "30 images, " in said.stderr and "labels take" in said.stderr
    for data, out in (("data", "of-folder"), ("small.packed", "of-packed")):
        options = ("--preset", "raw", "--quantile", 0.1, "--keep-masks", "--layer", "relu0", "--out", out)
        said = called(place, "run", "net.onnx", "--data", data, *options)
        assert said.returncode == 0, said.stderr
    return place


def test_a_run_is_the_same_to_the_bit(world: Path) -> None:
    of_folder, of_packed = contents(world / "of-folder"), contents(world / "of-packed")
    assert of_folder.keys() == of_packed.keys()
    differ = {name for name, content in of_folder.items() if content != of_packed[name]}
    # pages say where the data lie
    assert {name for name in differ if not name.startswith("report/")} == set()
    told = [
        json.loads((world / run / "manifest.json").read_text())["data"] for run in ("of-folder", "of-packed")
    ]
    assert told[0].pop("folder") == str(world / "data")
    assert told[1].pop("spec") == str(world / "small.packed")
    assert told[0] == told[1]


def test_its_report_has_pictures(world: Path) -> None:
    page = (world / "of-packed" / "report" / "index.html").read_text(encoding="utf-8")
    assert "There are no pictures" not in page
    photos = [
        {path.name: path.read_bytes() for path in (world / run / "report" / "photos").iterdir()}
        for run in ("of-folder", "of-packed")
    ]
    assert photos[0] and photos[0] == photos[1]


def test_the_run_of_the_folder_goes_on_with_the_file(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "of-folder", tmp_path / "run")
    options = (
        "--preset",
        "raw",
        "--quantile",
        0.1,
        "--keep-masks",
        "--layer",
        "relu0",
        "--out",
        tmp_path / "run",
    )
    said = called(world, "run", "net.onnx", "--data", "small.packed", *options)
    assert said.returncode == 0, said.stderr
    assert "already holds this run, complete" in said.stderr


def test_reports_and_checks_take_either(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "of-folder", tmp_path / "run")
    said = called(world, "report", tmp_path / "run", "--data", "small.packed")
    assert said.returncode == 0, said.stderr
    said = called(world, "check", "net.onnx", "--baseline", "of-packed", "--data", "data")
    assert "another data" not in said.stderr and said.returncode in (0, 1), said.stderr
    said = called(world, "check", "net.onnx", "--baseline", "of-packed")
    assert said.returncode in (0, 1), said.stderr
    said = called(world, "explain", "net.onnx", "data/images/3.png", "--run", "of-packed", "--layer", "relu0")
    assert said.returncode == 0, said.stderr


def test_another_packed_file_is_another_data_set(world: Path, tmp_path: Path) -> None:
    broden(tmp_path / "data", 30, seed=3)
    assert called(tmp_path, "data", "pack", "data", "other.packed").returncode == 0
    said = called(world, "report", "of-packed", "--data", tmp_path / "other.packed")
    assert said.returncode == 2 and "has the fingerprint" in said.stderr


def test_a_run_whose_file_is_gone_says_so(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "of-packed", tmp_path / "run")
    manifest = tmp_path / "run" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("small.packed", "gone.packed"))
    shutil.rmtree(tmp_path / "run" / "report")
    said = called(world, "report", tmp_path / "run")
    assert said.returncode == 0, said.stderr
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert f"There are no pictures: there is no folder {world / 'gone.packed'}" in page


def test_info_tells_what_it_tells_of_the_folder(world: Path) -> None:
    told = []
    for data in ("data", "small.packed"):
        said = called(world, "data", "info", data, "--json")
        assert said.returncode == 0, said.stderr
        told.append(json.loads(said.stdout))
    assert told[0].pop("folder") == "data"
    assert told[1].pop("folder") == str(world / "small.packed")
    assert told[0] == told[1]
    assert f"data ({world / 'small.packed'})" in called(world, "data", "info", "small.packed").stdout


def test_check_reads_all_of_it(world: Path, tmp_path: Path) -> None:
    said = called(world, "data", "check", "small.packed")
    assert said.returncode == 0, said.stderr
    assert said.stdout.endswith(f"data: 30 images, 0 errors, {said.stdout.count('warning ')} warnings\n")
    content = bytearray((world / "small.packed").read_bytes())
    content[200] ^= 1
    (tmp_path / "x").write_bytes(content)
    said = called(tmp_path, "data", "check", "x", "--json")
    assert said.returncode == 1
    told = json.loads(said.stdout)
    assert (told["errors"], told["ok"]) == (2, False)
    assert "is damaged: the checksum is wrong" in told["problems"][0]["message"]


def test_what_is_suspicious_of_an_image_is_said_of_the_file_too(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "small", random_broden(3, pictures=3))
    index = folder / "index.csv"
    lines = index.read_text().splitlines()
    bare = ",".join([*lines[3].split(",")[:6], *[""] * 6])
    index.write_text("\n".join([*lines[:3], bare]).replace("24,24", "24,20", 1))
    assert called(tmp_path, "data", "pack", "small", "x").returncode == 0
    report = check_packed(open_packed(tmp_path / "x"), workers=1)
    assert [(p.level, p.row, p.message) for p in report.problems] == [
        ("warning", 2, "the image is 24x24; by its ih and iw it should be 24x20"),
        ("warning", 4, "the image has no annotation at all"),
    ]


@pytest.mark.parametrize("option", [("--min-images", 3), ("--groups", "folder")])
def test_a_check_refuses_what_it_does_not_use(world: Path, option: tuple[str, object]) -> None:
    said = called(world, "data", "check", "small.packed", *option)
    assert said.returncode == 2 and said.stdout == ""
    assert f"{option[0]} is about images and concepts of a folder" in " ".join(said.stderr.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("small.packed", "y"), "small.packed is packed already"),
        (("data", "small.packed"), "small.packed is there already, and is not written over"),
        (("data", "data/x"), "data/x lies inside the data set data"),
        (("nowhere", "y"), "there is no folder nowhere"),
        (("data", "y", "--groups", "film"), "no column 'film' to group images by"),
    ],
)
def test_what_is_refused(world: Path, words: tuple[str, ...], said: str) -> None:
    before = sorted(world.iterdir())
    answer = called(world, "data", "pack", *words)
    assert answer.returncode == 2 and answer.stdout == ""
    assert said in answer.stderr
    assert sorted(world.iterdir()) == before


@pytest.mark.parametrize("place", [".", "absolute"])
def test_a_file_of_like_name_is_offered(world: Path, place: str) -> None:
    asked = Path("smal.paked") if place == "." else world / "smal.paked"
    said = called(world, "data", "info", asked)
    assert said.returncode == 2
    assert f"hint: --data {asked.with_name('small.packed')}\n" in said.stderr


def test_what_is_to_be_typed_next_can_be_typed(world: Path, tmp_path: Path) -> None:
    shutil.copyfile(world / "small.packed", tmp_path / "my small & packed")
    assert "--data 'my small & packed'\n" in called(tmp_path, "data", "pack", "my small & packed", "y").stderr
    assert "--data 'my small & packed'\n" in called(tmp_path, "data", "info", "my smal & packed").stderr


def test_a_column_that_groups_is_named(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "small", random_broden(3, pictures=4))
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join([f"{lines[0]},film", *(f"{line},a" for line in lines[1:])]))
    assert called(tmp_path, "data", "pack", "small", "x").returncode == 2
    assert called(tmp_path, "data", "pack", "small", "x", "--groups", "film").returncode == 0
    said = called(tmp_path, "data", "info", "x", "--groups", "film")
    assert "1, by film" in said.stdout


def test_its_scenes_are_classes_of_labelled_images(tmp_path: Path) -> None:
    """A packed file is no table of labelled images."""
    folder = write_broden(tmp_path / "small", random_broden(5, pictures=8, categories=6))
    assert called(tmp_path, "data", "pack", "small", "x").returncode == 0
    expected, found = labelled_images(folder), labelled_images(tmp_path / "x")
    assert (found.names, found.classes) == (expected.names, expected.classes)
    np.testing.assert_array_equal(found.read(0), expected.read(0))


def test_the_python_call_takes_it_as_well(world: Path, tmp_path: Path) -> None:
    made = onnxdissect.dissect(
        world / "net.onnx",
        world / "small.packed",
        ["relu0"],
        preset="raw",
        quantiles=[0.1],
        limit=10,
        out=tmp_path / "a",
    )
    same = onnxdissect.dissect(
        world / "net.onnx",
        open_packed(world / "small.packed"),
        ["relu0"],
        preset="raw",
        quantiles=[0.1],
        limit=10,
        out=tmp_path / "b",
    )
    expected = open_dataset(world / "data").subset(limit=10).fingerprint
    assert made.manifest["data"]["fingerprint"] == same.manifest["data"]["fingerprint"] == expected
    assert (tmp_path / "a" / "units.csv").read_bytes() == (tmp_path / "b" / "units.csv").read_bytes()
