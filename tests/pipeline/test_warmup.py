"""What is compiled ahead is what runs need."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher
from support.small_runs import Convolution, broden, network

import onnxdissect.core.kernels
from onnxdissect.pipeline.warmup import kernels_warming


def compiled() -> dict[str, int]:
    """How many versions of each kernel this process has."""
    found = {}
    for module in pkgutil.iter_modules(onnxdissect.core.kernels.__path__):
        home = importlib.import_module(f"onnxdissect.core.kernels.{module.name}")
        for name, value in vars(home).items():
            if isinstance(value, Dispatcher):
                found[f"{module.name}.{name}"] = len(value.signatures)
    return found


SCRIPT = """
import sys
import test_warmup
from onnxdissect.core import warmup
from support.small_runs import dissect
from threading import Event
from pathlib import Path

warmup._warm(print, Event())
before = test_warmup.compiled()
dissect(Path(sys.argv[1]), quantiles=[0.1, 0.01], workers=2)
after = test_warmup.compiled()
print({name for name in after if after[name] != before[name]})
"""


def test_a_run_compiles_nothing_that_was_not_compiled_ahead(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["set()"], done.stdout + done.stderr


MESSAGES = """
import sys
from threading import Event
from onnxdissect.core import warmup

warmup._warm(print, Event())
"""


def test_compiling_is_announced_only_where_something_is_compiled(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        command = [sys.executable, "-c", MESSAGES]
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        said.append(done.stdout)
    assert said[0].startswith("compiling kernels")
    assert said[1] == ""


def test_the_thread_ends_with_the_body() -> None:
    with pytest.raises(KeyError), kernels_warming(print):
        raise KeyError
    assert not any(thread.name == "onnxdissect-kernels" for thread in threading.enumerate())
