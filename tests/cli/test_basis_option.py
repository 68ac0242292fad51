"""``run --basis`` as a person types it, and what the other commands make of such a run."""

from __future__ import annotations

import csv
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.commands import called
from support.small_runs import Convolution, broden, network

import onnxdissect
from onnxdissect.model.bases.basis import Basis

RUN = ("run", "net.onnx", "--data", "data", "--preset", "raw", "--quantile", "0.1")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    np.savez(tmp_path / "mine.npz", matrix=np.eye(6)[:2], bias=np.zeros(2), activation="relu")
    return tmp_path


def process(world: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "onnxdissect", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=world, check=False)


def test_bases_of_a_run_go_through_every_command(world: Path) -> None:
    bases = ("permutation:seed=3", "rotation:seed=1,alpha=0.5", "pca:n=3", "mine.npz")
    said = process(world, *RUN, "--keep-masks", "--out", "run", *(w for b in bases for w in ("--basis", b)))
    assert said.returncode == 0, said.stderr
    assert "bases: 17 units more, 4 layers; the pass holds at most" in said.stderr
    assert "mean and covariance: 12 images in" in said.stderr
    run = onnxdissect.load(world / "run")
    names = ["relu0", *(f"relu0/basis/{b.removesuffix('.npz')}" for b in bases)]
    assert [info.name for info in run.layers] == names
    assert [info.units for info in run.layers] == [6, 6, 6, 3, 2]
    kinds = [None if info.basis is None else info.basis["kind"] for info in run.layers]
    assert kinds == [None, "permutation", "rotation", "pca", "file"]
    for table in ("layers.csv", "units.csv"):
        with (world / "run" / table).open(newline="", encoding="utf-8") as file:
            assert list(dict.fromkeys(row["layer"] for row in csv.DictReader(file))) == names
    order = Basis.permutation(6, 3).nearest_units()[0]
    plain, permuted = run.counts("relu0"), run.counts(names[1])
    np.testing.assert_array_equal(permuted.intersection, plain.intersection[:, order])
    # the first two units are those of the file
    np.testing.assert_array_equal(run.counts(names[4]).intersection, plain.intersection[:, :2])
    kept = {path.parent.name for path in (world / "run" / "layers").glob("*/basis.npz")}
    assert kept == {"relu0-basis-pca-n-3", "relu0-basis-mine"}
    page = (world / "run" / "report" / "layers" / "relu0-basis-mine.html").read_text(encoding="utf-8")
    assert "under the basis mine (file mine.npz, with a bias, relu)" in page
    summary = json.loads(called(world, "rescore", "run", "--iou-threshold", "0.1", "--json").stdout)
    assert [line["layer"] for line in summary["layers"]] == names
    assert called(world, "report", "run").returncode == 0
    checked = called(world, "check", "net.onnx", "--baseline", "run")
    assert checked.returncode == 0, checked.stdout
    assert "relu0/basis/pca:n=3" in checked.stdout
    again = called(world, *RUN, "--keep-masks", "--out", "run")
    assert again.returncode == 2
    assert "parameters.bases" in again.stderr


@pytest.mark.parametrize(
    ("basis", "said", "hint"),
    [
        ("rotation:alpha=1.5", "alpha=1.5", "from 0"),
        ("rotation:sed=1", "key 'sed'", "candidates: seed"),
        ("rotatoin", "neither a kind of basis", "candidates: rotation"),
        ("pca:n=9", "9 principal components of a layer of 6 units", "n is 1 to 6"),
        ("pca", "how many rows", "pca:n=16"),
        ("wide.npy", "where [rows, 6] fits", "7 units"),
        ("turned.npy", "where [rows, 6] fits", "save matrix.T"),
        ("nan.npy", "not finite", ""),
        ("zero.npy", "1 row of zeros", "leave these rows out"),
        ("dictionary.pkl", "pickle", ""),
        ("nowhere.npy", "No such file", ""),
        ("typo.npz", "'biass'", ""),
    ],
)
def test_a_basis_that_cannot_be_used_is_said_at_once(world: Path, basis: str, said: str, hint: str) -> None:
    np.save(world / "wide.npy", np.eye(7))
    np.save(world / "turned.npy", np.ones((6, 9)))
    np.save(world / "nan.npy", np.where(np.eye(6) > 0, np.nan, 1))
    np.save(world / "zero.npy", np.diag([1.0, 0, 1, 1, 1, 1]))
    np.savez(world / "typo.npz", matrix=np.eye(6), biass=np.zeros(6))
    (world / "dictionary.pkl").write_bytes(pickle.dumps(np.eye(6)))
    found = called(world, *RUN, "--basis", basis, "--out", "run")
    assert found.returncode == 2
    assert found.stderr.startswith("error: ")
    assert said in found.stderr
    assert hint in found.stderr
    assert "Traceback" not in found.stderr
    assert not found.stdout
    assert not (world / "run").exists()


def test_more_components_than_the_layer_has_is_one_message(world: Path) -> None:
    model = onnx.load(world / "net.onnx")
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[2:] = weights[0]
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, model.graph.initializer[0].name))
    onnx.save(model, world / "net.onnx")
    found = called(world, *RUN, "--basis", "pca:n=5", "--out", "run")
    assert found.returncode == 2
    (said,) = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert "layer 'relu0': pca:n=5 asks for 5 principal components" in said
    assert re.search(r"hint: pca:n=[12], or more images", found.stderr)
    assert "Traceback" not in found.stderr
    assert not found.stdout
