"""A run compiles each kernel once, and only those that it calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher
from support.compiled import homes
from support.small_runs import Convolution, broden, network

import onnxdissect
from onnxdissect.compiling.folder import SOURCES

PACKAGE = Path(onnxdissect.__file__).parent

SCRIPT = """
import json, sys
from pathlib import Path
from support.compiled import compiled
from support.compiled import homes
from support.small_runs import dissect

dissect(Path(sys.argv[1]), workers=2, **json.loads(sys.argv[2]))
print(json.dumps(compiled()))
"""
# What only some runs ask for.
NULL = {"_permute", "_best", "_sample", "_list_concepts", "_label_points", "_label_cells"}
BOOTSTRAP = {"_image_truth", "_choose", "_place", "_resample_truth", "_resample_scores"}
# Where bounds rise while the spool is full, and where a mask is drawn for a reader.
RARE = {"_refilter", "_draw"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    return tmp_path


def versions(folder: Path, kernels: dict[str, str], **options: object) -> dict[str, int]:
    """How many versions of each kernel a run with these options has, those among them that it was left."""
    command = [sys.executable, "-c", SCRIPT, str(folder), json.dumps(options)]
    environment = os.environ | kernels
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_no_kernel_is_compiled_twice_in_a_run(folder: Path) -> None:
    # Parts of kernels are compiled for kernels that were not kept, so nothing is taken from other runs.
    kernels = {"NUMBA_CACHE_DIR": str(folder / "kernels")}
    found = versions(folder, kernels, quantiles=[0.1, 0.01], keep_masks=True)
    assert {name: n for name, n in found.items() if n > 1} == {}
    kept = {path.name.split("-")[0].rpartition(".")[2] for path in (folder / "kernels").rglob("*.kernel")}
    called = {name.rpartition(".")[2] for name, n in found.items() if n}
    assert kept <= called
    assert len(kept) > 15
    assert NULL | BOOTSTRAP | {"_mask_cells", "_count", "_encode"} <= called


@pytest.mark.parametrize(
    ("options", "left_out"),
    [({"null": 0}, NULL), ({"bootstrap": 0}, BOOTSTRAP), ({}, {"_mask_cells"})],
    ids=["no null", "no bootstrap", "no masks kept"],
)
def test_what_a_run_does_not_ask_for_is_not_compiled(
    folder: Path, options: dict[str, object], left_out: set[str]
) -> None:
    # Whether a kernel is read or compiled, it is there only where it was called.
    called = {name.rpartition(".")[2] for name, n in versions(folder, {}, **options).items() if n}
    assert not called & left_out
    assert called >= {"_encode", "_count"} | (NULL | BOOTSTRAP) - left_out


def test_all_that_kernels_are_compiled_from_names_the_folder_they_are_kept_in() -> None:
    """Their source, and that of what they call or take from other modules."""
    named = {path for source in SOURCES for path in PACKAGE.glob(source)}
    defining = {p for p in PACKAGE.rglob("*.py") if "onnxdissect.compiling.kernel import" in p.read_text()}
    assert len(defining) > 10
    assert defining <= named
    for home in homes():
        for value in vars(home).values():
            if isinstance(value, Dispatcher):
                code = value.py_func.__code__
                for name in set(code.co_names) & set(vars(home)):
                    source = getattr(
                        getattr(vars(home)[name], "py_func", vars(home)[name]), "__module__", None
                    )
                    if isinstance(source, str) and source.startswith("onnxdissect."):
                        assert PACKAGE.parent / f"{source.replace('.', '/')}.py" in named
