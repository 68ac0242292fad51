"""``onnxdissect rotate`` as a person types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import helper
from support.commands import called
from support.rotations import small_world
from support.small_runs import contents

import onnxdissect

ROTATE = ("rotate", "net.onnx", "--data", "data", "--preset", "raw", "--quantile", "0.1", "--bootstrap", "40")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return small_world(tmp_path)


def process(world: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "onnxdissect", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=world, check=False)


def test_a_curve_is_printed_kept_and_read_again(world: Path) -> None:
    asked = (*ROTATE, "--layer", "relu0", "--alphas", "0.5", "--seeds", "2", "--verify")
    said = process(world, *asked)
    assert said.returncode == 0, said.stderr
    folder = world / "dissections" / "net-data-rotate"
    found = onnxdissect.load_rotation(folder)
    assert (found.alphas, found.seeds) == ((0.0, 0.5, 1.0), (0, 1))
    assert "verified: layer relu0 turned and turned back, output out is off by" in said.stderr
    title, header, *rows = [line for line in said.stdout.splitlines() if line.strip()]
    assert title.startswith("Unique detectors along 2 rotations (IoU > 0.04)")
    alias = found.layers[0].alias
    assert header.split() == ["layer", "value", "alpha", "unique", "95", "%", "sd", *found.categories]
    curve = found.curve("relu0")
    for row, value in zip(rows, (*curve.values, curve.directions), strict=False):
        share = "directions" if value.alpha is None else f"{value.alpha:g}"
        spread = value.unique
        assert row.split() == [
            alias,
            "relu0",
            share,
            f"{spread.mean:.1f}",
            f"{spread.low:.1f}-{spread.high:.1f}",
            f"{spread.sd:.1f}",
            *(f"{of.mean:.1f}" for of in value.by_category.values()),
        ]
    sentence = next(line for line in rows if line.startswith(f"{alias} (relu0): "))
    assert (
        f"{curve.own} unique detectors at alpha 0, {curve.values[-1].unique.mean:.1f} at alpha 1" in sentence
    )
    assert "permutation: changed nothing but the numbers of units" in rows
    written = {path.name for path in (folder / "rotation").rglob("*") if path.is_file()}
    figures = {f"relu0-q0.{form}" for form in ("svg", "pdf", "png")}
    assert {"rotation.json", "rotation.csv", "index.html", "rotation.js", *figures} <= written
    assert any(line.startswith("page: ") and line.endswith("index.html") for line in rows)
    before = contents(folder / "rotation")
    # typed again: nothing is run, the same is said
    again = called(world, *asked)
    assert again.stdout == said.stdout
    assert "already holds this run, complete" in again.stderr and "verified" not in again.stderr
    assert contents(folder / "rotation") == before
    told = json.loads(called(world, *asked, "--json").stdout)
    assert told["alphas"] == [0, 0.5, 1]
    assert told["curves"][0]["values"][0]["unique"]["mean"] == curve.own
    assert told["verification"][0]["outputs"][0]["output"] == "out"
    assert all((world / file).exists() for file in told["files"]) and len(told["files"]) >= 5


def test_rescoring_makes_the_curves_anew(world: Path) -> None:
    asked = (*ROTATE, "--layer", "relu0", "--alphas", "1", "--seeds", "1", "--verify", "--out", "run")
    assert called(world, *asked).returncode == 0
    before, own = contents(world / "run" / "rotation"), onnxdissect.load_rotation(world / "run")
    rescored = called(world, "rescore", "run", "--iou-threshold", "0.2", "--scoring", "pnas")
    assert rescored.returncode == 0, rescored.stderr
    assert "rotation/ was made anew with these scores: run/rotation/index.html" in rescored.stderr
    anew = onnxdissect.load_rotation(world / "run")
    assert anew.iou_threshold == 0.2 and anew.points != own.points
    assert anew.verification == own.verification
    assert "0.2" in (world / "run" / "rotation" / "index.html").read_text(encoding="utf-8")
    assert contents(world / "run" / "rotation" / "figures") != {
        path.removeprefix("figures/"): text for path, text in before.items() if path.startswith("figures/")
    }
    # the same command asks for other scores, and is told what gives them
    again = called(world, *asked)
    assert again.returncode == 2
    said = "onnxdissect rescore run --iou-threshold 0.04 --scoring paper scores it as asked for"
    assert said in " ".join(again.stderr.split())
    assert called(world, "rescore", "run", "--scoring", "paper", "--iou-threshold", "0.04").returncode == 0
    assert contents(world / "run" / "rotation") == before
    assert called(world, *asked).returncode == 0


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("--alphas", "0,1.5"), "alpha is 1.5", "--alphas 0,0.25"),
        (("--alphas=-0.5,1"), "alpha is -0.5", "--alphas 0,0.25"),
        (("--alphas", "0,nan"), "alpha is nan", "--alphas 0,0.25"),
        (("--alphas", "0.5,0.5"), "0.5 is given twice", "--alphas 0,0.25"),
        (("--alphas", "1,0"), "0 is given after 1", "--alphas 0,0.25"),
        (("--alphas", "half"), "--alphas takes numbers between commas, not 'half'", "--alphas 0,0.1"),
        (("--alphas", ""), "--alphas takes numbers between commas", "--alphas 0,0.1"),
        (("--alphas", "9" * 5000), "--alphas takes numbers between commas, not '999", "--alphas 0,0.1"),
        (("--seeds", "0"), "0 rotations of 11 alphas", "--seeds 3"),
        (("--seeds", "-1"), "-1 rotations of 11 alphas", "--seeds 3"),
        (("--seeds", "1000000000000"), "where 1 to 909 are taken", "--seeds 3"),
        (("--layer", "rely0"), "rely0", "candidates: relu0"),
        (
            ("--layer", "beside", "--verify"),
            "no output of net.onnx is computed from layer 'beside'",
            "layers",
        ),
        (("--data", "nowhere"), "nowhere", ""),
    ],
)
def test_what_cannot_be_rotated_is_said_at_once(
    world: Path, words: tuple[str, ...] | str, said: str, hint: str
) -> None:
    model = onnx.load(world / "net.onnx")
    model.graph.node.append(helper.make_node("Sigmoid", ["relu0"], ["beside"], name="beside"))
    onnx.save(model, world / "net.onnx")
    words = (words,) if isinstance(words, str) else words
    found = called(world, *ROTATE, *words, "--out", "run")
    assert found.returncode == 2, found.stderr
    assert said in found.stderr and hint in found.stderr
    assert "Traceback" not in found.stderr and not found.stdout
    assert not (world / "run").exists()


def test_another_request_in_its_directory_is_refused(world: Path) -> None:
    quick = (*ROTATE, "--alphas", "1", "--seeds", "1", "--out", "run")
    assert called(world, *quick).returncode == 0
    other = called(world, *ROTATE, "--alphas", "1", "--seeds", "2", "--out", "run")
    assert other.returncode == 2 and "parameters.bases" in other.stderr
    run = called(world, "run", "net.onnx", "--data", "data", "--preset", "raw", "--out", "run", "--no-report")
    assert run.returncode == 2 and "parameters.bases" in run.stderr
    kept = world / "run" / "rotation"
    shutil.rmtree(kept / "figures")
    # the figure is drawn again from what is kept
    assert called(world, *quick).returncode == 0
    assert sorted(path.suffix for path in (kept / "figures").iterdir()) == [".pdf", ".png", ".svg"]
    # a plain run in its place leaves nothing of it
    fresh = called(
        world,
        "run",
        "net.onnx",
        "--data",
        "data",
        "--preset",
        "raw",
        "--out",
        "run",
        "--no-report",
        "--fresh",
    )
    assert fresh.returncode == 0 and not kept.exists()
