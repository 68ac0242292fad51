"""What a cluster cannot do is said in one clear message, before anything is computed."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.clusters import OPTIONS, small_inputs
from support.commands import called
from support.small_runs import contents

import onnxdissect
from onnxdissect.distributed.connecting import connected
from onnxdissect.errors import ClusterError, InstallationError, ParameterError

pytest.importorskip("distributed.client")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return small_inputs(tmp_path_factory.mktemp("inputs"), images=12)


@contextmanager
def worker_process(address: str, folder: Path, shadow: Path | None = None) -> Iterator[None]:
    """A worker that somebody starts by hand, with what it imports first in a folder."""
    places = [*([str(shadow)] if shadow else []), *sys.path]
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def scheduler() -> Iterator[Any]:
    """A scheduler without workers."""
    import distributed

    with (
        distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1") as made,
        distributed.Client(made) as client,
    ):
        yield client


def test_a_scheduler_that_nothing_answers_for(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(ClusterError, match=f"no scheduler can be reached at {address} within 1 seconds"):
        connected(address, timeout=1.0).__enter__()
    assert time.monotonic() - began < 8
    ended = called(tmp_path, "run", inputs[0], "--data", inputs[1], "--scheduler", address)
    assert ended.returncode == 2
    assert re.search(r"no scheduler can be reached at \S+ within 10 seconds", ended.stderr)
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "dissections").exists()


@pytest.mark.parametrize("given", ["local:0", "local:two", "loca", "host:8786", "", "local:-1", "tcp://"])
def test_what_names_no_scheduler(given: str) -> None:
    with pytest.raises(ParameterError, match="a scheduler is local, local:N"):
        connected(given).__enter__()


@pytest.mark.parametrize("given", ["quic://127.0.0.1:1", "tls://127.0.0.1:1"])
def test_protocols_that_do_not_work_here(given: str) -> None:
    with pytest.raises(ClusterError, match="no scheduler can be reached"):
        connected(given, timeout=1.0).__enter__()


def test_something_else_than_a_client(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(
        ParameterError, match="client of dissect takes a client of a Dask cluster, not 'tcp://host:1'"
    ):
        onnxdissect.dissect(*inputs, out=tmp_path / "run", client="tcp://host:1")


def test_a_scheduler_without_workers(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    with scheduler() as client:
        with pytest.raises(ClusterError, match="has had no worker for 1 seconds"):
            connected(client.scheduler.address, timeout=1.0).__enter__()
        with pytest.raises(ClusterError, match="has no workers"):
            onnxdissect.dissect(*inputs, out=tmp_path / "run", client=client, **OPTIONS)


def test_a_worker_of_another_version(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    for name in ("onnxruntime", "onnxruntime_gpu"):
        info = shadow / f"{name}-0.9.9.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.9.9\n")
    with scheduler() as client, worker_process(client.scheduler.address, tmp_path, shadow):
        client.wait_for_workers(1, timeout=60)
        with pytest.raises(ClusterError, match=r"onnxruntime 0\.9\.9 there, \d+\.\d+\.\d+ here") as told:
            onnxdissect.dissect(*inputs, out=tmp_path / "run", client=client, **OPTIONS)
        assert next(iter(client.scheduler_info()["workers"])) in str(told.value)


def test_a_worker_without_the_package(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "onnxdissect.py").write_text("raise ImportError('not installed here')")
    with scheduler() as client, worker_process(client.scheduler.address, tmp_path, shadow):
        client.wait_for_workers(1, timeout=60)
        with pytest.raises(ClusterError, match=r"the worker tcp://\S+ cannot run onnxdissect"):
            onnxdissect.dissect(*inputs, out=tmp_path / "run", client=client, **OPTIONS)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no path that each process sees otherwise")
def test_data_that_only_the_client_sees_and_a_network_that_is_sent(
    inputs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = inputs
    monkeypatch.chdir(model.parent)
    own = Path("/proc/self/cwd")
    with scheduler() as client, worker_process(client.scheduler.address, tmp_path):
        client.wait_for_workers(1, timeout=60)
        with pytest.raises(ClusterError, match="not for 1 of 1 workers: tcp://") as told:
            onnxdissect.dissect(model, own / "data", out=tmp_path / "run", client=client, **OPTIONS)
        assert "/proc/self/cwd/data" in str(told.value)
        there = onnxdissect.dissect(own / "net.onnx", data, out=tmp_path / "run", client=client, **OPTIONS)
        sent = client.run(model_files)
        assert list(sent.values()) == [["net.onnx"]]
    here = onnxdissect.dissect(model, data, out=tmp_path / "here", **OPTIONS)
    assert contents(there.path) == contents(here.path)


def model_files(dask_worker: Any) -> list[str]:
    return [path.name for path in Path(dask_worker.local_directory).glob("onnxdissect-model-*/*")]


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InstallationError, match="dask") as told:
        connected("local:1").__enter__()
    assert told.value.hint == "pip install 'onnxdissect[distributed]'"


def test_the_command_on_processes_of_this_machine(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    words = ("run", inputs[0], "--data", inputs[1], "--no-report", "--layer", "all", "--preset", "raw")
    assert called(tmp_path, *words, "--out", "here").returncode == 0
    ended = called(tmp_path, *words, "--out", "there", "--scheduler", "local:2")
    assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
