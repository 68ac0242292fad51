"""Sympy is loaded where something reckons with symbolic dimensions, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MODEL = Path(__file__).parents[2] / "models" / "tiny_scenes.onnx"

RUN = f"""
import sys
sys.argv = ["onnxdissect", "run", {str(MODEL)!r}, "--limit", "8", "--bootstrap", "0", "--null", "0"]
sys.argv += ["--no-report", "--out", "run", "--json"]
from onnxdissect.cli.main import main
try:
    main()
finally:
    print("onnx_ir" in sys.modules, "sympy.core" in sys.modules, file=sys.stderr)
"""

USED = """
import threading
from onnxdissect.model.deferred import defer_symbols
defer_symbols()
import onnx_ir, sympy, sys
assert "sympy.core" not in sys.modules
assert sympy.__spec__.name == "sympy"
found = []
def reckon():
    found.append(str(onnx_ir.SymbolicDim("2*N") + 1) + " " + str(sympy.sympify("x + x")))
threads = [threading.Thread(target=reckon) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert found == ["2*N + 1 2*x"] * 8, found
import sympy.core
assert type(sympy).__name__ == "module" and sympy.core is sys.modules["sympy.core"]
try:
    sympy.nothing_of_the_kind
except AttributeError as error:
    print(error)
"""

LOADED_BEFORE = """
import sys
import onnx_ir
before = sys.modules["sympy"]
from onnxdissect.model.deferred import defer_symbols
defer_symbols()
assert sys.modules["sympy"] is before and type(before).__name__ == "module"
"""

DAMAGED = """
import sys
from onnxdissect.model.deferred import defer_symbols
defer_symbols()
import sympy
sys.modules["mpmath"] = None
for _ in range(2):
    try:
        sympy.Symbol
    except ImportError as error:
        print(type(error).__name__)
del sys.modules["mpmath"]
for name in [name for name in sys.modules if name.startswith("sympy.")]:
    del sys.modules[name]
print(sympy.Symbol("x"))
"""


def _python(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_run_does_without_it(tmp_path: Path) -> None:
    assert _python(RUN, tmp_path).stderr.splitlines()[-1] == "True False"


def test_whoever_uses_it_has_all_of_it_in_every_thread(tmp_path: Path) -> None:
    assert _python(USED, tmp_path).stdout == "module 'sympy' has no attribute 'nothing_of_the_kind'\n"


def test_what_is_loaded_already_stays(tmp_path: Path) -> None:
    _python(LOADED_BEFORE, tmp_path)


def test_an_import_that_fails_is_tried_again(tmp_path: Path) -> None:
    lines = _python(DAMAGED, tmp_path).stdout.splitlines()
    assert lines[-1] == "x"
    assert len(lines) == 3
