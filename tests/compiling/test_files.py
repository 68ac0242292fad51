"""What is told of the kernels of this process."""

from __future__ import annotations

import subprocess
import sys

# The collector runs while items of a dictionary are listed, and lets the other thread run.
IMPORTED_MEANWHILE = """
import gc, sys, threading, time, types
from onnxdissect.compiling.files import compiled_here
import onnxdissect.core.kernels.compiler

done = threading.Event()

def add_modules():
    while not done.is_set():
        for i in range(500):
            sys.modules[f"made_up_{i}"] = types.ModuleType("made_up")
        for i in range(500):
            del sys.modules[f"made_up_{i}"]

thread = threading.Thread(target=add_modules)
thread.start()
gc.callbacks.append(lambda phase, info: time.sleep(0.0002))
gc.set_threshold(50)
try:
    for _ in range(100):
        compiled_here()
finally:
    done.set()
    thread.join()
"""


def test_kernels_are_counted_while_another_thread_imports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_MEANWHILE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
