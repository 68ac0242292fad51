"""Workers that are killed, runs that are cancelled, and what is computed after all."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.clusters import OPTIONS, Killing, cluster, kill_one, left_on, nothing_left, pids, small_inputs
from support.small_runs import contents

import onnxdissect
from onnxdissect.errors import ClusterError, ImageFileError

pytest.importorskip("distributed.client")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")

SECONDS = 45.0


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return small_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def plain(inputs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("plain") / "run"
    return contents(onnxdissect.dissect(*inputs, out=out, **OPTIONS).path)


@contextmanager
def undaunted_cluster() -> Iterator[Any]:
    import dask

    # Dask gives up on what has met three deaths, which may be by chance where so many are killed
    with dask.config.set({"distributed.scheduler.allowed-failures": 100}), cluster(2) as found:
        yield found


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with undaunted_cluster() as found:
        yield found


@pytest.mark.parametrize("phase", ["pass", "tally", "null"])
def test_a_worker_killed_at_the_start_of_a_phase(
    client: Any, inputs: tuple[Path, Path], plain: dict[str, bytes], tmp_path: Path, phase: str
) -> None:
    client.wait_for_workers(2, timeout=60)
    draw = random.Random(phase)
    killed: list[str] = []

    def act(begun: str) -> None:
        if begun == phase:
            killed.append(begun)
            kill_one(client, draw)

    there = onnxdissect.dissect(
        *inputs, out=tmp_path / "run", client=client, progress=Killing(act), **OPTIONS
    )
    assert killed == [phase]
    assert contents(there.path) == plain


def test_workers_killed_at_random_in_every_phase(
    inputs: tuple[Path, Path], plain: dict[str, bytes], tmp_path: Path
) -> None:
    draw = random.Random(20)
    killed: list[str] = []
    until = time.monotonic() + SECONDS
    runs = 0
    while time.monotonic() < until:
        # Dask does not start a worker again that is killed while it starts, so each run has its own
        with undaunted_cluster() as client:

            def act(phase: str, client: Any = client) -> None:
                if draw.random() < 0.4 and time.monotonic() < until and len(pids(client)) == 2:
                    kill_one(client, draw)
                    killed.append(phase)

            runs += 1
            there = onnxdissect.dissect(
                *inputs, out=tmp_path / f"run{runs}", client=client, progress=Killing(act, every=3), **OPTIONS
            )
            assert contents(there.path) == plain
    assert len(killed) > 3
    assert len(set(killed)) > 1, "in several phases"


def test_what_is_stopped_leaves_no_task_and_no_file(
    client: Any, inputs: tuple[Path, Path], tmp_path: Path
) -> None:
    client.wait_for_workers(2, timeout=60)

    def stop(phase: str) -> None:
        if phase == "tally":
            assert any(left_on(client).values())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        onnxdissect.dissect(*inputs, out=tmp_path / "run", client=client, progress=Killing(stop), **OPTIONS)
    assert nothing_left(client)


def test_a_damaged_image_is_told_as_without_a_cluster(client: Any, tmp_path: Path) -> None:
    client.wait_for_workers(2, timeout=60)
    model, data = small_inputs(tmp_path)
    damaged = sorted((data / "images").glob("*"))[20]
    damaged.write_bytes(b"no image")
    with pytest.raises(ImageFileError, match=damaged.name):
        onnxdissect.dissect(model, data, out=tmp_path / "run", client=client, **OPTIONS)
    assert nothing_left(client)


def test_a_scheduler_that_goes_away_ends_the_run(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    with cluster(1) as client:

        def close(phase: str) -> None:
            if phase == "tally":
                threading.Thread(target=client.cluster.close, daemon=True).start()
                time.sleep(1.0)

        with pytest.raises(ClusterError, match="scheduler"):
            onnxdissect.dissect(
                *inputs, out=tmp_path / "run", client=client, progress=Killing(close), **OPTIONS
            )


def test_workers_that_die_again_and_again_end_the_run(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster(1) as client:
        reaper = threading.Thread(target=kill_in_pass, args=(client,), daemon=True)
        reaper.start()
        with pytest.raises(ClusterError, match="die of the same part of the run again and again"):
            onnxdissect.dissect(*inputs, out=tmp_path / "run", client=client, **OPTIONS)
        reaper.join(10)


def kill_in_pass(client: Any) -> None:
    """Kill a worker that runs the network, as the system does where memory is short."""
    while not any("pass" in str(key) for keys in client.processing().values() for key in keys):
        time.sleep(0.05)
    kill_one(client, random.Random(0))


def test_a_cluster_without_workers_is_not_waited_for_without_end() -> None:
    from distributed import Client, LocalCluster

    from onnxdissect.distributed.waiting import results

    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1") as made,
        Client(made) as client,
        pytest.raises(ClusterError, match="has had no worker for 1 seconds"),
    ):
        next(results(client, [client.submit(sum, (1, 2))], patience=1.0))


def test_a_client_that_is_killed_leaves_no_task_and_no_file(
    client: Any, inputs: tuple[Path, Path], tmp_path: Path
) -> None:
    client.wait_for_workers(2, timeout=60)
    command = [sys.executable, "-m", "onnxdissect", "run", *map(str, (inputs[0], "--data", inputs[1]))]
    process = subprocess.Popen(
        [*command, "--out", "run", "--preset", "raw", "--no-report", "--scheduler", client.scheduler.address],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    until = time.monotonic() + 60
    while not any(client.processing().values()) and time.monotonic() < until:
        time.sleep(0.02)
    process.kill()
    process.wait(30)
    assert nothing_left(client, plugins=False)


def processes_of(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_ends_the_command_and_its_workers(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "onnxdissect", "run", *map(str, (inputs[0], "--data", inputs[1]))]
    process = subprocess.Popen(
        [*command, "--out", "run", "--preset", "raw", "--no-report", "--scheduler", "local:2"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(tmp_path)},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "run" / "manifest.json").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.0)
    # as a terminal does: to all processes that the command has started
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command starts over" in said
    assert "Traceback" not in said
    until = time.monotonic() + 10
    while processes_of(process.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not processes_of(process.pid)
    assert not list(tmp_path.rglob("spool-*")), "no file of the pass is left"
    assert not list(tmp_path.rglob("onnxdissect-*"))
