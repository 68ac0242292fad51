"""A folder of pages that replaces the one before it when it is whole."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.interrupts import uninterrupted

__all__ = ["replacing_folder"]

_OLDER, _PARTIAL = ".older", ".partial"


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Fill a temporary folder, and rename it to `target` when all is written.

    Parameters
    ----------
    target : Path
        What is there stays until then, and for good if the body of the ``with`` fails.

    Yields
    ------
    Path
        The temporary folder, beside it.
    """
    for leftover in _leftovers(target):
        _remove(leftover)
    token = secrets.token_hex(4)
    partial = target.with_name(f"{target.name}.{token}{_PARTIAL}")
    older = target.with_name(f"{target.name}.{token}{_OLDER}{_PARTIAL}")
    try:
        partial.mkdir()
        yield partial
        # an interrupt between the two steps would leave neither the old folder nor the new one
        with uninterrupted():
            _exchange(partial, target, older)
    finally:
        with uninterrupted():
            _remove(partial)
            _remove(older)


def _leftovers(target: Path) -> list[Path]:
    """Name what an earlier call for the same folder was killed over, and nothing else that lies there."""
    named = re.compile(rf"{re.escape(target.name)}\.[0-9a-f]{{8}}({re.escape(_OLDER)})?{re.escape(_PARTIAL)}")
    if not target.parent.is_dir():
        return []
    return [path for path in target.parent.iterdir() if named.fullmatch(path.name)]


def _exchange(partial: Path, target: Path, older: Path) -> None:
    # a folder that is not empty cannot be replaced in one step
    if target.exists() or target.is_symlink():
        target.rename(older)
    try:
        partial.rename(target)
    except OSError:
        if older.exists() or older.is_symlink():
            older.rename(target)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
