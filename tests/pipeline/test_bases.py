"""Runs whose layers are under bases as well: what comes out, what is kept, and what is refused."""

from __future__ import annotations

import json
import multiprocessing
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support import models
from support.datasets import random_broden, write_broden
from support.models import Builder, save
from support.processes import SpawnedProcesses, run_and_die
from support.small_runs import Convolution, broden, contents, dissect, network
from support.token_networks import tokens

import onnxdissect
from onnxdissect.data import open_data
from onnxdissect.errors import NonFiniteError, ParameterError, RunMismatchError
from onnxdissect.model import Preparer, choose_preprocessing, load_network, open_session
from onnxdissect.model.bases.kept import read_kept_basis
from onnxdissect.pipeline.options import (
    ExecutionOptions,
    MethodOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
from onnxdissect.pipeline.run import run

COUNTS = ("thresholds", "intersection", "activation", "activation_overlap", "activation_total", "top_masks")
PCA = "relu0/basis/pca:n=3"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 40, seed=2)
    return tmp_path


def options(world: Path, out: str, *bases: str | onnxdissect.Basis, **given: Any) -> RunOptions:
    return RunOptions(
        model=world / "net.onnx",
        data=world / "data",
        method=MethodOptions(layers=("relu0",), quantiles=(0.1, 0.02), bases=bases),
        preprocessing=PreprocessingOptions(preset="raw"),
        execution=ExecutionOptions(batch_size=2, workers=1, save_every=0),
        statistics=StatisticsOptions(bootstrap=50, null=3),
        out=world / out,
        **given,
    )


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest without what tells of the machine and the clock."""
    told = json.loads((folder / "manifest.json").read_text())
    return {key: value for key, value in told.items() if key not in ("timing", "memory")}


def of_layer(found: onnxdissect.Dissection, slug: str) -> dict[str, bytes]:
    folder = found.path / "layers" / slug
    of_bases = ("basis.npz", "nearest.csv")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name not in of_bases}


def test_a_permutation_is_the_plain_run_with_other_numbers_to_the_bit(world: Path) -> None:
    plain = run(options(world, "plain"))
    found = run(options(world, "run", "permutation:seed=3", keep_masks=True))
    order = onnxdissect.Basis.permutation(6, 3).nearest_units()[0]
    assert (order != np.arange(6)).any()
    for name in COUNTS:
        own = getattr(plain.counts("relu0"), name)
        np.testing.assert_array_equal(
            getattr(found.counts("relu0/basis/permutation:seed=3"), name), own[:, order], name
        )
    # the layer itself is what it is in a run without bases, in every byte
    masks = of_layer(found, "relu0")
    masks.pop("masks.npz")
    assert masks == of_layer(plain, "relu0")
    for unit, former in enumerate(order):
        np.testing.assert_array_equal(
            found.mask("relu0/basis/permutation:seed=3", unit, 0), found.mask("relu0", int(former), 0)
        )


def test_the_identity_from_a_file_is_the_layer_in_every_byte(world: Path) -> None:
    np.save(world / "one.npy", np.eye(6))
    found = run(options(world, "run", str(world / "one.npy")))
    own, under = of_layer(found, "relu0"), of_layer(found, "relu0-basis-one")
    assert {name for name in own if own[name] != under[name]} <= {"null.npz"}
    assert found.layers[1].basis == read(found, 1).record
    assert found.layers[1].basis["file"] == "one.npy"


def read(found: onnxdissect.Dissection, layer: int) -> onnxdissect.Basis:
    info = found.layers[layer]
    assert info.basis is not None
    return read_kept_basis(found.path / "layers" / info.slug / "basis.npz", info.basis)


def fully_connected() -> onnx.ModelProto:
    b = Builder(("N", 3, 32, 32))
    flat = b.node("Flatten", b.image)
    hidden = b.relu(b.node("Gemm", flat, b.weight((3 * 32 * 32, 6)), name="hidden"), name="units")
    return b.model(b.node("Gemm", hidden, b.weight((6, 3)), name="out"))


def token_network() -> onnx.ModelProto:
    b, x = tokens()
    x = b.relu(b.node("MatMul", x, b.weight((16, 16)), name="mixed"), name="units")
    return b.model(b.node("MatMul", x, b.weight((16, 4)), name="out"))


@pytest.mark.parametrize(
    ("make", "value", "layout"),
    [
        (models.plain, "relu3", "NCHW"),
        (models.channels_last, "relu1", "NHWC"),
        (token_network, "units", "NTC"),
        (fully_connected, "units", "NC"),
    ],
    ids=["NCHW", "NHWC", "tokens", "NC"],
)
def test_principal_components_are_those_of_all_activations(
    make: Callable[[], onnx.ModelProto], value: str, layout: str, tmp_path: Path
) -> None:
    path = save(make(), tmp_path / "net.onnx")
    data = write_broden(tmp_path / "data", random_broden(5, pictures=24, size=(32, 32)))
    said: list[str] = []
    found = onnxdissect.dissect(
        path,
        data,
        [value],
        bases=["pca:n=3", "rotation:seed=1"],
        preset="raw",
        batch_size=4,
        quantiles=[0.1],
        out=tmp_path / "run",
        notify=said.append,
    )
    own, under, rotated = found.layers
    assert own.layout == layout
    assert (under.name, rotated.name) == (f"{value}/basis/pca:n=3", f"{value}/basis/rotation:seed=1,alpha=1")
    assert (under.units, rotated.units) == (3, own.units)
    loaded = load_network(path, default_size=(32, 32))
    session = open_session(loaded, loaded.select([value]))
    dataset = open_data(data)
    preprocessing = choose_preprocessing(loaded, preset="raw")
    preparer = Preparer(preprocessing, loaded.input, loaded.size)
    batch = np.empty((len(dataset), *preparer.shape), preparer.dtype)
    for i, row in enumerate(batch):
        preparer(dataset.read_image(i), row)
    (activations,) = session(batch)
    places = activations.transpose(0, 2, 3, 1).reshape(-1, own.units).astype(np.float64)
    variances, vectors = np.linalg.eigh(np.cov(places.T, bias=True))
    basis = read(found, 1)
    assert dict(basis.details)["places"] == len(places)
    cosines = np.abs(np.sum(basis.matrix.astype(np.float64) * vectors.T[::-1][:3], axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    assert basis.bias is not None
    np.testing.assert_allclose(basis.bias, -basis.matrix @ places.mean(axis=0), rtol=1e-4, atol=1e-5)
    # the thresholds are those of the components, computed here
    components = places @ basis.matrix.T.astype(np.float64) + basis.bias
    m = int(0.1 * len(places))
    expected = -np.sort(-components, axis=0)[m]
    scale = np.abs(components).max()
    np.testing.assert_allclose(found.counts(under.name).thresholds[0], expected, atol=1e-5 * scale)
    assert any("5 units more" in line or "units more" in line for line in said)
    assert any("pass over the images before" in line for line in said)
    assert variances[-1] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_a_killed_run_goes_on_with_the_same_components_and_ends_with_the_same_bytes(world: Path) -> None:
    bases = ("pca:n=3", "rotation:seed=1,alpha=0.5")
    whole = run(options(world, "whole", *bases))
    child = multiprocessing.get_context("spawn").Process(
        target=run_and_die, args=(options(world, "run", *bases), world)
    )
    child.start()
    child.join(timeout=300)
    assert child.exitcode == -signal.SIGKILL
    kept = world / "run" / "work" / "basis-0.npz"
    assert kept.read_bytes() == (whole.path / "layers" / "relu0-basis-pca-n-3" / "basis.npz").read_bytes()
    said: list[str] = []
    phases = Phases()
    found = run(options(world, "run", *bases), notify=said.append, progress=phases)
    assert any("going on with the interrupted run" in line for line in said)
    assert "moments" not in phases.begun, "principal components were fitted again"
    assert contents(found.path) == contents(whole.path)
    assert manifest(found.path) == manifest(whole.path)


class Phases:
    def __init__(self) -> None:
        self.begun: list[str] = []

    def start(self, phase: str, total: int) -> None:
        self.begun.append(phase)

    def advance(self, images: int) -> None: ...

    def finish(self) -> None: ...


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
@pytest.mark.parametrize("damage", ["numbers", "records"])
def test_damaged_components_of_a_killed_run_are_fitted_again(damage: str, world: Path) -> None:
    whole = run(options(world, "whole", "pca:n=3"))
    child = multiprocessing.get_context("spawn").Process(
        target=run_and_die, args=(options(world, "run", "pca:n=3"), world)
    )
    child.start()
    child.join(timeout=300)
    work = world / "run" / "work"
    damaged = work / ("basis-0.npz" if damage == "numbers" else "bases.json")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    said: list[str] = []
    found = run(options(world, "run", "pca:n=3"), notify=said.append)
    assert any("fitted again" in line for line in said)
    assert contents(found.path) == contents(whole.path)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_processes_of_an_executor_put_their_layers_under_the_same_bases(world: Path) -> None:
    bases = ("pca:n=3", "rotation:seed=1,alpha=0.5")
    plain = run(options(world, "plain", *bases))
    states = world / "states"
    states.mkdir()
    processes = SpawnedProcesses(states, size=5)
    merged = run(options(world, "merged", *bases), executor=processes)
    assert processes.died == [-signal.SIGKILL]
    assert contents(merged.path) == contents(plain.path)


def test_workers_do_not_change_components(world: Path) -> None:
    one = run(options(world, "one", "pca:n=4"))
    many = replace(options(world, "many", "pca:n=4"), execution=ExecutionOptions(batch_size=2, workers=4))
    assert contents(run(many).path) == contents(one.path)


def test_a_run_of_other_bases_is_another_run(world: Path) -> None:
    np.save(world / "mine.npy", np.eye(6)[:4])
    mine = str(world / "mine.npy")
    run(options(world, "plain"))
    run(options(world, "run", mine))
    for out, bases in (("plain", (mine,)), ("run", ()), ("run", ("rotation:seed=1",))):
        with pytest.raises(RunMismatchError, match=r"parameters\.bases"):
            run(options(world, out, *bases))
    again: list[str] = []
    run(options(world, "run", mine), notify=again.append)
    assert any("already holds this run" in line for line in again)
    np.save(world / "mine.npy", np.eye(6)[1:5])
    with pytest.raises(RunMismatchError, match=r"parameters\.bases"):
        run(options(world, "run", mine))
    assert "bases" not in manifest(world / "plain")["parameters"]
    assert all("basis" not in layer for layer in manifest(world / "plain")["layers"])


def test_row_names_are_part_of_what_makes_a_run(world: Path) -> None:
    def named(*names: str) -> onnxdissect.Basis:
        return onnxdissect.Basis.of("mine", np.eye(6)[:2], row_names=names)

    found = run(options(world, "run", named("up", "down")))
    assert found.layers[1].basis is not None
    assert found.layers[1].basis["names"] == ["up", "down"]
    assert read(found, 1) == named("up", "down")
    with pytest.raises(RunMismatchError, match=r"parameters\.bases"):
        run(options(world, "run", named("up", "left")))


def test_nothing_is_drawn_or_written_for_bases_that_do_not_fit(world: Path) -> None:
    wrong = onnxdissect.Basis.of("wrong", np.eye(5))
    with pytest.raises(ParameterError, match=r"\[5, 5\], where \[rows, 6\] fits the 6 units"):
        run(options(world, "run", wrong))
    with pytest.raises(ParameterError, match="7 principal components of a layer of 6 units"):
        run(options(world, "run", "pca:n=7"))
    model = onnx.load(world / "net.onnx")
    for taken in ("relu0/basis/identity", "relu0/basis/identity/product"):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        other.graph.node.append(onnx.helper.make_node("Relu", ["relu0"], [taken]))
        onnx.save(other, world / "net.onnx")
        with pytest.raises(ParameterError, match=f"under the basis 'identity' .* has a value '{taken}'"):
            run(options(world, "run", "identity"))
    onnx.save(model, world / "net.onnx")
    with pytest.raises(ParameterError, match="two bases are called"):
        run(options(world, "run", "rotation", "rotation:seed=0,alpha=1"))
    with pytest.raises(ParameterError, match="layers are named after it"):
        run(options(world, "run", onnxdissect.Basis.of("two\nlines", np.eye(6))))
    names = ["x" * 100] * 65_000
    large = onnxdissect.Basis.of("large", np.ones((65_000, 6)), row_names=names)
    with pytest.raises(ParameterError, match="names of the rows"):
        run(options(world, "run", large))
    assert not (world / "run").exists()


def test_components_of_layers_that_lack_them_name_the_layer(world: Path) -> None:
    model = onnx.load(world / "net.onnx")
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[2:] = weights[0]
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, model.graph.initializer[0].name))
    onnx.save(model, world / "net.onnx")
    with pytest.raises(ParameterError, match=r"layer 'relu0': pca:n=5 .* vary in [12] directions") as caught:
        run(options(world, "run", "pca:n=5"))
    assert "pca:n=" in str(caught.value.hint)
    # the folder is free for what is asked for instead
    assert run(options(world, "run", "pca:n=1")).layers[1].units == 1


def test_what_is_not_finite_is_named_before_components_are_made_of_it(world: Path) -> None:
    model = onnx.load(world / "net.onnx")
    node = next(node for node in model.graph.node if "relu0" in node.output)
    node.output[0] = "before"
    log = onnx.helper.make_node("Log", ["before"], ["relu0"])
    model.graph.node.insert(list(model.graph.node).index(node) + 1, log)
    onnx.save(model, world / "net.onnx")
    with pytest.raises(NonFiniteError, match=r"layer 'relu0', unit \d+, image .*\.png.*principal components"):
        dissect(world, layers=["relu0"], bases=["pca:n=2"], batch_size=2)
