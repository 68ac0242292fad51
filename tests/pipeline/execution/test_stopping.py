"""Ctrl-C during the pass, where the network does not end on one of the images."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
from onnx import helper, numpy_helper
from support.hostile_networks import convolution, endless_loop, network, save, weights
from support.small_runs import broden

import onnxdissect
from onnxdissect.pipeline.execution.stopping import stop_request


def test_the_network_is_stopped_some_time_after_the_request() -> None:
    stopped = threading.Event()
    with stop_request(stopped.set, grace=0.2) as requested:
        assert not requested()
        signal.raise_signal(signal.SIGINT)
        assert requested()
        assert stopped.wait(10)


def test_a_second_request_stops_the_network_at_once() -> None:
    stopped = threading.Event()
    with stop_request(stopped.set, grace=600):
        signal.raise_signal(signal.SIGINT)
        assert not stopped.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stopped.is_set()


def test_batches_that_end_in_time_are_waited_for() -> None:
    stopped = threading.Event()
    with stop_request(stopped.set, grace=0.3):
        signal.raise_signal(signal.SIGINT)
    time.sleep(0.6)
    assert not stopped.is_set()


def endless_on_white(folder: Path) -> Path:
    """A network whose loop never ends once an image is white."""
    bright = numpy_helper.from_array(np.array(250, np.float32), "bright")
    nodes = [
        convolution(),
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "bright"], ["white"]),
        endless_loop("c", "looped", "white"),
        convolution("looped", "y", "v"),
    ]
    return save(network(nodes, [weights(), weights("v", 4, 4), bright], shape=(1, 3, 32, 32)), folder)


def test_ctrl_c_stops_a_run_whose_network_never_ends(tmp_path: Path) -> None:
    data = tmp_path / "data"
    broden(data, 8, seed=3)
    model = endless_on_white(tmp_path)
    # with images that it ends on: the kernels are compiled then, and the second run is in the network soon
    onnxdissect.dissect(model, data, "y", preset="raw", batch_size=1, provider="cpu", out=tmp_path / "first")
    last = data / "images" / "7.png"
    picture = cv2.imread(str(last))
    assert picture is not None
    cv2.imwrite(str(last), np.full_like(picture, 255))
    options = ["--layer", "y", "--preset", "raw", "--batch-size", "1", "--no-report", "--provider", "cpu"]
    command = [
        sys.executable,
        "-m",
        "onnxdissect",
        "run",
        str(model),
        "--data",
        str(data),
    ]
    command += [*options, "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        # what is announced last before the pass
        for line in process.stderr:
            if "layer y:" in line:
                break
        time.sleep(5)
        assert process.poll() is None, "the network ended"
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        said = process.stderr.read()
        process.wait(timeout=60)
    assert process.returncode == 130, said
    assert "the same command again goes on" in said
