"""``onnxdissect ablate`` as a person types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.ablated import CLASSES, UNITS, ablated_world
from support.commands import run_command

import onnxdissect
from onnxdissect.experiments.ablation import ablation_json

QUICK = ("--repeats", 2, "--bootstrap", 30, "--provider", "cpu")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ablated_world(tmp_path_factory.mktemp("typed"))


def typed(world: Path, *more: object) -> list[str]:
    words = ["ablate", world / "net.onnx", "--run", world / "run", "--images", world / "labelled"]
    return [str(word) for word in (*words, *QUICK, *more)]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tables_and_sentences_are_printed_and_nothing_is_written(world: Path) -> None:
    before = sorted(path.name for path in world.iterdir())
    words = typed(world, "--groups", "concept", "--class", "Kitchen", "--class", "3", "--top-n", "2, 4")
    said = subprocess.run(
        [sys.executable, "-m", "onnxdissect", *words], capture_output=True, text=True, cwd=world, check=False
    )
    assert said.returncode == 0, said.stderr
    found = onnxdissect.ablate(
        world / "net.onnx",
        world / "labelled",
        world / "run",
        target=["kitchen", "beach"],
        groups=["concept"],
        top_n=[2, 4],
        repeats=2,
        resamples=30,
    )
    lines = said.stdout.splitlines()
    for one in found.classes:
        row = next(line.split() for line in lines if line.startswith(one.class_name))
        assert row[1] == str(one.images) and row[2] == f"{100 * one.nothing.accuracy:.1f}"
    for kind, title in (("removed", "without the n"), ("kept", "with only the n")):
        start = next(i for i, line in enumerate(lines) if line.startswith("Mean over 2") and title in line)
        for line, mean in zip(lines[start + 2 : start + 4], found.curve(None, kind), strict=True):
            assert line.split()[:2] == [str(mean.n), f"{100 * mean.value.accuracy:.1f}"]
            assert f"{100 * mean.value.area:.1f}" in line
    assert any(line.startswith("Without the 4 most important units of each class") for line in lines)
    assert any(line.startswith("Mean accuracy of all 4 classes in %, without groups") for line in lines)
    assert "Units are ranked on 12 images, and measured on 12 others." in said.stdout
    assert "removing single units: 24 images in" in said.stderr
    assert "removing sets of units: 12 images in" in said.stderr
    assert sorted(path.name for path in world.iterdir()) == before


def test_a_folder_takes_numbers_arrays_and_figures_and_is_read_again(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    words = typed(world, "--groups", "category", "--out", out, "--json")
    assert run_command(monkeypatch, *words) == 0
    told = json.loads(capfd.readouterr().out)
    figures = [f"{name}.{form}" for name in ("accuracy", "needs") for form in ("png", "svg")]
    files = ["ablation.npz", "ablation.json", *figures, "index.html"]
    assert told.pop("files") == [str(out / name) for name in files]
    assert sorted(path.name for path in out.iterdir()) == sorted([*files, "page"])
    assert json.loads((out / "ablation.json").read_text(encoding="utf-8")) == told
    assert json.loads(json.dumps(ablation_json(onnxdissect.load_ablation(out)))) == told
    with np.load(out / "ablation.npz") as arrays:
        assert arrays["predicted"].shape == (len(arrays["kind"]), 12)
        assert arrays["removed"].shape[1] == UNITS
    for name in figures:
        if name.endswith(".png"):
            with Image.open(out / name) as figure:
                assert len(np.unique(np.asarray(figure.convert("RGB")).reshape(-1, 3), axis=0)) > 100
    svg = (out / "accuracy.svg").read_text(encoding="utf-8")
    assert all(name in svg for name in (*CLASSES, "mean of 4", "with only n random"))
    assert "rank correlation" in (out / "needs.svg").read_text(encoding="utf-8")
    page = (out / "index.html").read_text(encoding="utf-8")
    assert all(f'<a href="{name}" download>' in page for name in files if name != "index.html")
    bytes_before = bytes_of(out)
    assert run_command(monkeypatch, *words) == 0
    again = capfd.readouterr()
    assert "removing" not in again.err
    assert bytes_of(out) == bytes_before
    assert run_command(monkeypatch, *typed(world, "--out", out, "--seed", 9)) == 2
    said = capfd.readouterr().err
    assert "holds another ablation" in said and "--fresh" in said


def test_what_was_killed_goes_on(world: Path, tmp_path: Path) -> None:
    """Many draws of random units, so that it takes a while; killed as soon as something is kept."""
    out = tmp_path / "out"
    words = [sys.executable, "-m", "onnxdissect", *typed(world, "--repeats", 150, "--out", out)]
    begun = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("work/units-*.npz")) and time.monotonic() < deadline and begun.poll() is None:
        time.sleep(0.005)
    if begun.poll() is None:
        os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    if (out / "ablation.json").exists():
        pytest.skip("it was done before it could be killed")
    assert list(out.glob("work/units-*.npz"))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (out / "work").exists()
    assert onnxdissect.load_ablation(out).repeats == 150


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--top-n", "4,x"), "--top-n takes numbers of units between commas, not '4,x'"),
        (("--class", "kitchn"), "there is no class 'kitchn'"),
        (("--groups", "whale"), "no detector of the layer is labelled 'whale'"),
        (("--layer", "logits"), "holds the class scores"),
        (("--limit", "1"), "kept by a limit of 1"),
    ],
)
def test_mistakes_are_told_in_words(
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    said: str,
) -> None:
    assert run_command(monkeypatch, *typed(world, *more)) == 2
    found = capfd.readouterr()
    assert said in found.err and "hint" in found.err and not found.out
    assert "Traceback" not in found.err
