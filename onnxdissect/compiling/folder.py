"""The folder that compiled kernels are kept in.

It is named after all that decides what they are: the source of the kernels, the versions of numba, llvmlite,
NumPy and Python, the processor, and what numba is told by variables of the environment. So every virtual
environment with the same of these finds what another has compiled, a changed kernel is in another folder, and
nothing in a folder is ever out of date. A folder that was not used for `UNUSED_DAYS` is removed when another
is made, and so are those beyond the `MOST` that were used last, never one that was used within a day. Nothing
is removed but what is called as folders and files are called here: the place may be one of the user's own.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import platform
import re
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba.core.registry import cpu_target

from onnxdissect.storage.user_cache import cache_folder

__all__ = [
    "MOST",
    "SOURCES",
    "UNUSED_DAYS",
    "CacheFacts",
    "KernelFolder",
    "cache_facts",
    "kernel_folder",
    "sweep",
]

# All that kernels are compiled from lies in these files of the package; nothing else is called by them.
SOURCES = (
    *("compiling/*.py", "core/kernels/**/*.py"),
    *("data/decoding/label_kernels.py", "data/packed/run_kernels.py"),
)
UNUSED_DAYS = 60
MOST = 8
# What numba is told of compiling by variables of the environment, which are called as these are.
_SETTINGS = (
    *("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "DISABLE_INTEL_SVML"),
    *("BOUNDSCHECK", "DEBUG", "DEBUGINFO_DEFAULT", "EXTEND_VARIABLE_LIFETIMES", "ENABLE_PROFILING"),
)
_DAY = 24 * 60 * 60.0
_PREFIX = "kernels-"
# As `_name` and `onnxdissect.compiling.files` call them.
_FOLDERS = re.compile(_PREFIX + r"\d[^-]*-[0-9a-f]{24}")
_FILES = re.compile(r".+-[0-9a-f]{24}\.kernel(\.[0-9a-f]{8}\.partial)?")


@dataclass(frozen=True, slots=True)
class KernelFolder:
    """Where this process keeps compiled kernels.

    Attributes
    ----------
    path : Path or None
        None: nowhere, since no folder can be written, or read without risk.
    shared : bool
        Whether other virtual environments of this user look here.
    passed_over : str
        Why it is not the folder in the user's cache; empty if it is, or if `NUMBA_CACHE_DIR` names another.
    """

    path: Path | None
    shared: bool
    passed_over: str = ""


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """What lies in the folder of compiled kernels.

    Attributes
    ----------
    folder : KernelFolder
    kernels : int
        How many versions of kernels are kept there.
    nbytes : int
        Their size.
    others : int
        How many folders of other versions lie beside it.
    writable : bool
    """

    folder: KernelFolder
    kernels: int
    nbytes: int
    others: int
    writable: bool


@lru_cache(maxsize=1)
def kernel_folder() -> KernelFolder:
    """Find the folder, and make it if need be; once in a process.

    Returns
    -------
    KernelFolder
        In `NUMBA_CACHE_DIR` if that is set, else in the user's cache, else in the folder for temporary files.
    """
    name = _name()
    if name is None:
        return KernelFolder(
            None, False, "the package's source is not there to tell whether they are up to date"
        )
    if numba.config.CACHE_DIR:
        # Whoever names a folder answers for it, as with numba itself.
        given = Path(numba.config.CACHE_DIR) / "onnxdissect" / name
        problem = _prepare(given, trusted=True)
        return KernelFolder(None if problem else given, False, problem)
    usual = cache_folder() / "kernels" / name
    problem = _prepare(usual, trusted=False)
    if not problem:
        return KernelFolder(usual, True)
    owner = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    temporary = Path(tempfile.gettempdir()) / f"onnxdissect-{owner}" / name
    if not _prepare(temporary, trusted=False):
        return KernelFolder(temporary, True, problem)
    return KernelFolder(None, False, problem)


def cache_facts() -> CacheFacts:
    """Look at what is kept.

    Returns
    -------
    CacheFacts
    """
    folder = kernel_folder()
    if folder.path is None:
        return CacheFacts(folder, 0, 0, 0, writable=False)
    sizes = [path.stat().st_size for path in folder.path.glob("*.kernel")]
    others = sum(path.name != folder.path.name for path in _folders(folder.path.parent))
    return CacheFacts(folder, len(sizes), sum(sizes), others, writable=not _unwritable(folder.path))


def sweep(parent: Path, keep: str, now: float) -> list[Path]:
    """Remove the folders of kernels that nobody uses any more.

    Each kernel is a file of its own, so a process that looks into one at the same time, or after a sweep that
    was killed, finds fewer of them and compiles the others. A folder in which somebody keeps something else
    stays, with that.

    Parameters
    ----------
    parent : Path
        What they lie in.
    keep : str
        Name of the one that is in use.
    now : float
        Time in seconds since 1970.

    Returns
    -------
    list of Path
        Those that were removed.
    """
    used = sorted(((_used(path), path) for path in _folders(parent) if path.name != keep), reverse=True)
    removed = []
    for place, (when, path) in enumerate(used, start=1):
        idle = now - when
        if idle > UNUSED_DAYS * _DAY or (place >= MOST and idle > _DAY):
            with contextlib.suppress(OSError):
                for file in path.iterdir():
                    if _FILES.fullmatch(file.name):
                        file.unlink()
                # What is left is as old as before, and the next sweep tries again.
                os.utime(path, (when, when))
                path.rmdir()
                removed.append(path)
    return removed


def _name() -> str | None:
    """Name a folder after all that decides what compiled kernels are."""
    package = Path(__file__).parents[1]
    sources = sorted(path for source in SOURCES for path in package.glob(source))
    if len(sources) < len(SOURCES):
        return None
    content = hashlib.sha256()
    for path in sources:
        content.update(f"{path.relative_to(package).as_posix()}\0".encode())
        content.update(hashlib.sha256(path.read_bytes()).digest())
    tools = (
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
        sys.implementation.cache_tag,
        platform.machine(),
        *cpu_target.target_context.codegen().magic_tuple(),
        *(str(getattr(numba.config, name, "")) for name in _SETTINGS),
    )
    content.update(repr(tools).encode())
    from onnxdissect import __version__

    return f"{_PREFIX}{__version__}-{content.hexdigest()[:24]}"


def _prepare(folder: Path, *, trusted: bool) -> str:
    """Make a folder ready to be read from and, if possible, written to; say what is wrong, or nothing."""
    try:
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        new = not folder.exists()
        folder.mkdir(mode=0o700, exist_ok=True)
        if not trusted and not (_private(folder.parent) and _private(folder)):
            return f"{folder} belongs to somebody else, or others may write to it"
    except OSError as error:
        return f"{folder} cannot be made: {error.strerror}"
    problem = _unwritable(folder)
    # What somebody has put there for all, in an image for instance, can be used without being written to.
    if problem and not any(folder.glob("*.kernel")):
        return problem
    with contextlib.suppress(OSError):
        os.utime(folder)
    if new:
        sweep(folder.parent, folder.name, time.time())
    return ""


def _private(folder: Path) -> bool:
    """Whether nobody else can have filled a folder: compiled kernels are code."""
    if not hasattr(os, "getuid"):
        return folder.is_dir()
    found = folder.lstat()
    owned = found.st_uid in (os.getuid(), 0)
    return stat.S_ISDIR(found.st_mode) and owned and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _unwritable(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
            file.flush()
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    return ""


def _folders(parent: Path) -> Iterator[Path]:
    for path in parent.glob(f"{_PREFIX}*"):
        if _FOLDERS.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            yield path


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
