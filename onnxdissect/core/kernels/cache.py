"""The folder compiled kernels are kept in, where neither the package nor the user's cache can be written."""

from __future__ import annotations

import getpass
import os
import stat
import tempfile
from pathlib import Path

import numba
from numba.misc.appdirs import AppDirs

__all__ = ["ensure_cache"]


def ensure_cache() -> None:
    """Give numba a temporary folder if it would find no other place for what it compiles.

    Numba tries `NUMBA_CACHE_DIR`, the folder of the source, and the user's cache, and refuses to import a
    kernel where none can be written: in a container with a read-only package and no home, for one.
    """
    if numba.config.CACHE_DIR:
        return
    beside = Path(__file__).parent / "__pycache__"
    # Numba's own copy of appdirs, rather than platformdirs, says where numba will look.
    if _writable(beside) or _writable(Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)):
        return
    numba.config.CACHE_DIR = str(_temporary())


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _temporary() -> Path:
    # Compiled kernels are code: a folder that somebody else could have filled must not be read from.
    owner = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    shared = Path(tempfile.gettempdir()) / f"onnxdissect-kernels-{owner}"
    try:
        shared.mkdir(mode=0o700, exist_ok=True)
        found = shared.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="onnxdissect-kernels-"))
    private = stat.S_ISDIR(found.st_mode) and (
        not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o077)
    )
    return shared if private else Path(tempfile.mkdtemp(prefix="onnxdissect-kernels-"))
