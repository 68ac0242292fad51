"""A folder of pages that replaces the one before it when it is whole."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.errors import OutputError
from onnxdissect.interrupts import uninterrupted
from onnxdissect.storage.locks import locked

__all__ = ["replacing_folder"]

_OLDER, _LOCK, _PARTIAL = ".older", ".lock", ".partial"


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Fill a temporary folder, and rename it to `target` when all is written.

    Several processes may fill one for the same folder at once: none touches what another one fills, and what
    is renamed last stays.

    Parameters
    ----------
    target : Path
        What is there stays until then, and for good if the body of the ``with`` fails.

    Yields
    ------
    Path
        The temporary folder, beside it.
    """
    for token in _leftovers(target):
        with _held(_beside(target, token, _LOCK)) as alone:
            if alone:
                _remove_all(target, token)
    token = secrets.token_hex(4)
    partial, older = _beside(target, token), _beside(target, token, _OLDER)
    try:
        with _held(_beside(target, token, _LOCK)):
            partial.mkdir()
            yield partial
            # an interrupt between the two steps would leave neither the old folder nor the new one
            with uninterrupted():
                _exchange(partial, target, older)
    finally:
        with uninterrupted():
            _remove_all(target, token)


def _beside(target: Path, token: str, kind: str = "") -> Path:
    return target.with_name(f"{target.name}.{token}{kind}{_PARTIAL}")


def _leftovers(target: Path) -> set[str]:
    """Tell by which names an earlier call for the same folder was killed over, or another one is at work."""
    kinds = "|".join(map(re.escape, (_OLDER, _LOCK)))
    named = re.compile(rf"{re.escape(target.name)}\.([0-9a-f]{{8}})({kinds})?{re.escape(_PARTIAL)}")
    if not target.parent.is_dir():
        return set()
    found = (named.fullmatch(path.name) for path in target.parent.iterdir())
    return {match[1] for match in found if match}


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Hold a lock as long as the process lives, or tell that another one does.

    Where there are no locks nobody holds one, and what lies there is taken for left over.
    """
    taken = OutputError(f"{lock} is held")
    with contextlib.ExitStack() as stack:
        alone = True
        try:
            stack.enter_context(locked(lock, taken=taken))
        except OutputError as error:
            alone = error is not taken
        yield alone


def _remove_all(target: Path, token: str) -> None:
    for kind in ("", _OLDER, _LOCK):
        _remove(_beside(target, token, kind))


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
