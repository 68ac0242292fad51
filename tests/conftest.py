"""What all tests rely on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Files that take longest are begun first: a process that comes to one of them at the end is waited for.
LONG = (
    "test_benchmarks.py",
    "test_docs.py",
    "test_readme.py",
    "compiling/test_folder.py",
    "check/test_recipes.py",
    "check/test_real_candidates.py",
    "compiling/test_kernels_of_a_run.py",
    "test_interrupts.py",
    "test_hostile_models.py",
    "test_fuzz.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {TESTS / name: at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


# Shells start what runs in the background without Ctrl-C, and its processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
