"""A folder of pages that replaces the one before it when it is whole."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.interrupts import uninterrupted

__all__ = ["replacing_folder"]

_PARTIAL = ".partial"


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
    for leftover in target.parent.glob(f"{target.name}.*{_PARTIAL}"):
        _remove(leftover)
    token = secrets.token_hex(4)
    partial = target.with_name(f"{target.name}.{token}{_PARTIAL}")
    older = target.with_name(f"{target.name}.{token}.older{_PARTIAL}")
    try:
        partial.mkdir()
        yield partial
        # a folder that is not empty cannot be replaced in one step
        if target.exists() or target.is_symlink():
            target.rename(older)
        try:
            partial.rename(target)
        except OSError:
            if older.exists() or older.is_symlink():
                older.rename(target)
            raise
    finally:
        with uninterrupted():
            _remove(partial)
            _remove(older)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
