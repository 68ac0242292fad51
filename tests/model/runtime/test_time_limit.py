"""Networks that do not end: refused after a time when they are looked at, and stopped by Ctrl-C."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper
from support.hostile_networks import convolution, endless_loop, network, save, weights

from onnxdissect.errors import ModelRuntimeError, ModelTimeoutError, ParameterError
from onnxdissect.model import load_network, open_session
from onnxdissect.model.runtime.inference import open_runtime
from onnxdissect.model.runtime.time_limit import call_limited

YES = numpy_helper.from_array(np.array(True), "yes")


def endless(folder: Path) -> Path:
    return save(network([convolution(), endless_loop("c", "y", "yes")], [weights(), YES]), folder)


def plain(folder: Path) -> Path:
    return save(network([convolution(), helper.make_node("Relu", ["c"], ["y"])]), folder)


def test_an_endless_network_is_refused_when_its_time_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ModelTimeoutError, match=r"had not ended after 0\.5 s") as error:
        load_network(endless(tmp_path), probe_timeout=0.5)
    assert time.monotonic() - began < 30
    assert error.value.hint and "--probe-timeout" in error.value.hint


def test_an_endless_network_fed_with_nothing_is_refused_too(tmp_path: Path) -> None:
    """A loop over stored values needs no image to go on for ever."""
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    nodes = [convolution(), endless_loop("one", "z", "yes"), helper.make_node("Add", ["c", "z"], ["y"])]
    with pytest.raises(ModelTimeoutError):
        load_network(save(network(nodes, [weights(), YES, one]), tmp_path), probe_timeout=0.5)


def test_a_network_that_ends_gives_the_same_with_and_without_a_limit(tmp_path: Path) -> None:
    found = load_network(plain(tmp_path), probe_timeout=60)
    session = open_session(found, found.layers, provider="cpu")
    images = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    for limited, free in zip(session(images), session.unlimited()(images), strict=True):
        assert limited.tobytes() == free.tobytes()
    assert load_network(plain(tmp_path), probe_timeout=math.inf).layers == found.layers


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_a_limit_is_positive(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="seconds above 0"):
        load_network(plain(tmp_path), probe_timeout=seconds)


def test_an_unlimited_call_is_stopped_from_another_thread(tmp_path: Path) -> None:
    runtime = open_runtime(endless(tmp_path), optimise="none").unlimited()
    threading.Timer(0.5, runtime.stop).start()
    with pytest.raises(ModelRuntimeError, match="terminate"):
        runtime({"x": np.zeros((1, 3, 16, 16), np.float32)})


def test_what_is_raised_in_time_is_raised_as_it_is() -> None:
    def fail() -> None:
        raise KeyError("as it is")

    with pytest.raises(KeyError, match="as it is"):
        call_limited(fail, lambda: None, 60)


def test_ctrl_c_ends_the_look_at_a_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "onnxdissect", "layers", str(endless(tmp_path))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # the network runs once onnxruntime is loaded; before, an interruption is Python's own
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
