"""What is compiled ahead is what runs need."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.small_runs import Convolution, broden, network

from onnxdissect.pipeline.execution.warmup import kernels_warming
from onnxdissect.pipeline.options import StatisticsOptions

SCRIPT = """
import sys
from onnxdissect.pipeline.execution import warmup
from support.compiled import compiled
from support.small_runs import dissect
from threading import Event
from onnxdissect.pipeline.options import StatisticsOptions
from pathlib import Path

warmup._warm(print, Event(), StatisticsOptions(), False)
before = compiled()
dissect(Path(sys.argv[1]), quantiles=[0.1, 0.01], workers=2)
after = compiled()
print({name for name in after if after[name] != before[name]})
"""


def test_a_run_compiles_nothing_that_was_not_compiled_ahead(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["set()"], done.stdout + done.stderr


MESSAGES = """
import resource, sys
from threading import Event
from onnxdissect.pipeline.options import StatisticsOptions
from onnxdissect.pipeline.execution import warmup

if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
warmup._warm(print, Event(), StatisticsOptions(), False)
"""


def messages(cache: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", MESSAGES, *arguments],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on the size of files is POSIX's")
def test_compiling_is_announced_only_where_something_is_compiled(tmp_path: Path) -> None:
    assert messages(tmp_path)[0].startswith("compiling kernels")
    assert messages(tmp_path) == []
    # Another one than the first that is called is lacking.
    kernel, *_ = tmp_path.rglob("*._count-*.kernel")
    kernel.unlink()
    # No file may have more than 20 kB here, as on a disk that is full.
    began, ended = messages(tmp_path, "20000")
    assert began.startswith("compiling kernels")
    assert "not kept, so the next run compiles them again" in ended
    began, ended = messages(tmp_path)
    assert began.startswith("compiling kernels")
    assert ended.endswith("and kept for the next run")
    assert messages(tmp_path) == []


CRAMPED = """
import sys, tempfile
from onnxdissect.pipeline.execution.warmup import kernels_warming
from onnxdissect.pipeline.options import StatisticsOptions

tempfile.tempdir = sys.argv[1]
with kernels_warming(print, StatisticsOptions(), keep_masks=False):
    import threading
    for thread in threading.enumerate():
        if thread.name == "onnxdissect-kernels":
            thread.join()
print("done")
"""


def test_what_the_thread_meets_ends_it_without_a_word(tmp_path: Path) -> None:
    """No folder for temporary files: the run itself will tell, if it needs one."""
    command = [sys.executable, "-c", CRAMPED, str(tmp_path / "missing")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "done"


def test_the_thread_ends_with_the_body() -> None:
    with pytest.raises(KeyError), kernels_warming(print, StatisticsOptions(), keep_masks=False):
        raise KeyError
    assert not any(thread.name == "onnxdissect-kernels" for thread in threading.enumerate())
