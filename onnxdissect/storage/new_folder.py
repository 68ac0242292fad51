"""Folders that appear under their names only when they are whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.errors import OutputError, shown_path
from onnxdissect.interrupts import uninterrupted
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import PARTIAL_SUFFIX, make_folder
from onnxdissect.storage.regular_files import is_folder

__all__ = ["new_folder", "refuse_filled"]


@contextlib.contextmanager
def new_folder(folder: Path, kept: str) -> Iterator[Path]:
    """Fill a folder beside its place, and move it there when the body is done.

    Parameters
    ----------
    folder : Path
        Where it is to be. It may not exist yet, or be empty; folders above it are made.
    kept : str
        What it is to hold, for messages: "the data set".

    Yields
    ------
    Path
        What is to be filled. If the body raises, nothing is left of it.

    Raises
    ------
    OutputError
        If the folder holds anything, or cannot be made.
    """
    refuse_filled(folder, kept)
    # Through links: what is renamed onto a link is refused.
    place = Path(os.path.realpath(folder))
    partial = place.with_name(f"{place.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    above = [one for one in partial.parents if not os.path.lexists(one)]
    try:
        make_folder(partial)
        yield partial
        try:
            with contextlib.suppress(OSError):
                place.rmdir()  # an empty one; Windows renames onto no folder at all
            partial.rename(place)
        except OSError as error:
            refuse_filled(folder, kept)
            raise write_error(folder, error, doing=f"write {kept} to {shown_path(folder)}") from error
    finally:
        with uninterrupted():
            shutil.rmtree(partial, ignore_errors=True)
            if not os.path.lexists(place):
                for one in above:
                    with contextlib.suppress(OSError):
                        one.rmdir()  # where nobody else has put anything there


def refuse_filled(folder: Path, kept: str) -> None:
    """Refuse a place where something lies already.

    Parameters
    ----------
    folder : Path
    kept : str
        What it is to hold, for messages: "the data set".

    Raises
    ------
    OutputError
        If it is anything but an empty folder.
    """
    if not os.path.lexists(folder):
        return
    if not is_folder(folder):
        raise OutputError(
            f"{kept} cannot be written to {shown_path(folder)}: that is there already, and is no folder",
            hint="name a folder that does not exist yet",
        )
    try:
        filled = next(folder.iterdir(), None) is not None
    except OSError as error:
        raise OutputError(f"{shown_path(folder)} cannot be read: {error.strerror or error}") from error
    if filled:
        raise OutputError(
            f"{kept} cannot be written to {shown_path(folder)}: it is not empty, and nothing was written",
            hint="name a new or an empty folder",
        )
