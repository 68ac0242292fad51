"""Compiled kernels are kept from one process to the next, also where little can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import onnxdissect

PROBE = """
import onnxdissect
from onnxdissect.core.kernels.compiler import compiler_facts
from onnxdissect.core.kernels.activations.encode import _encode
facts = compiler_facts()
print(onnxdissect.__file__, facts.cache, sum(_encode.stats.cache_hits.values()), sep="\\n")
"""
NOBODY = 65534

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders are made read-only the POSIX way")


@pytest.fixture
def world() -> Iterator[Path]:
    """A package nobody can write, and a folder for temporary files; not below pytest's private folder."""
    folder = Path(tempfile.mkdtemp(prefix="onnxdissect-test-"))
    folder.chmod(0o755)
    package = Path(onnxdissect.__file__).parent
    shutil.copytree(package, folder / "site/onnxdissect", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [folder / "site", *(folder / "site").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for name in ("temporary", "home"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    yield folder
    for path in (folder / "site", *(p for p in (folder / "site").rglob("*") if p.is_dir())):
        path.chmod(0o755)
    shutil.rmtree(folder)


def probe(world: Path, home: Path) -> tuple[Path, int]:
    """Where kernels were kept, and how many were found there, in a process that is not root."""
    unprivileged = []
    if os.getuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may write everything, and there is no setpriv to stop being root")
        unprivileged = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(world / "site"),
        "HOME": str(home),
        "TMPDIR": str(world / "temporary"),
    }
    done = subprocess.run(
        [*unprivileged, sys.executable, "-c", PROBE],
        env=environment, cwd=world, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    imported, cache, hits = done.stdout.splitlines()
    assert Path(imported).is_relative_to(world / "site")
    return Path(cache), int(hits)


@pytest.mark.parametrize(("home", "kept_in"), [("home", "home"), ("site/no/home", "temporary")])
def test_kernels_are_kept_beside_a_read_only_package(world: Path, home: str, kept_in: str) -> None:
    cache, hits = probe(world, world / home)
    assert cache.is_relative_to(world / kept_in)
    assert hits == 0
    assert probe(world, world / home) == (cache, 1)
