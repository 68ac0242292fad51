"""What takes long to make and is only read, made once for all processes that the tests are shared among."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Give a folder that `make` has filled, in this process or in another one of these tests."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # each process has a folder of its own in that of them all
        place = place.parent
    folder, whole = place / name, place / f"{name}.whole"
    with FileLock(place / f"{name}.lock"):
        if not whole.exists():
            # half of it, where another process has failed
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder
