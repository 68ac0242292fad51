"""An archive that has come in part, and what has to hold for the rest to be of the same."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from onnxdissect.errors import OutputError
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import write_bytes
from onnxdissect.storage.json_file import json_bytes, read_json
from onnxdissect.storage.regular_files import kind_of_file

__all__ = ["ARCHIVE", "STATE", "Begun", "PartialArchive"]

ARCHIVE = "archive.zip"
"""How much of it there is says how far a download has come."""
STATE = "state.json"
"""Which file it is that has come in part."""

_MOST_STATE = 1 << 16
_FLAGS = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_APPEND
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


@dataclass(frozen=True, slots=True)
class Begun:
    """Which file it is that has come in part.

    Attributes
    ----------
    address : str
        Where it was asked for, without a query.
    etag : str
        What the server names this content by; empty if by nothing.
    modified : str
        When the server says that it was made; empty if it does not.
    size : int or None
        Bytes in all; None if the server did not say.
    whole : bool
        Whether all of it has come.
    """

    address: str
    etag: str = ""
    modified: str = ""
    size: int | None = None
    whole: bool = False

    @property
    def validator(self) -> str:
        """What asks for the rest on condition that it is of the same content; empty if nothing does."""
        # weak ones hold for contents that differ byte by byte
        return self.modified if self.etag.startswith("W/") else self.etag or self.modified


class PartialArchive:
    """An archive on its way to a folder.

    Parameters
    ----------
    folder : Path
        Exists, and belongs to this download alone.

    Attributes
    ----------
    path : Path
        The archive.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ARCHIVE
        self._state = folder / STATE
        self.begun = self._read()

    @property
    def size(self) -> int:
        """Bytes that have come."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return 0
        if not stat.S_ISREG(found.st_mode):
            raise OutputError(
                f"{self.path} is {'a link' if stat.S_ISLNK(found.st_mode) else kind_of_file(found.st_mode)}",
                hint=f"remove {self.path.parent}, then the same command again",
            )
        return found.st_size

    def clear(self) -> None:
        """Forget what has come.

        Raises
        ------
        OutputError
            If it cannot be removed.
        """
        try:
            self.path.unlink(missing_ok=True)
            self._state.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self.path, error) from error
        self.begun = None

    def begin(self, begun: Begun) -> None:
        """Note which file comes, before any of it does.

        Parameters
        ----------
        begun : Begun

        Raises
        ------
        OutputError
            If that cannot be written.
        """
        write_bytes(self._state, json_bytes(asdict(begun)))
        self.begun = begun

    @contextlib.contextmanager
    def appending(self) -> Iterator[int]:
        """Open it to be written to, behind what has come.

        Yields
        ------
        int
            A descriptor.

        Raises
        ------
        OutputError
            If it cannot be written; what has been stays.
        """
        try:
            descriptor = os.open(self.path, _FLAGS, 0o666)
        except OSError as error:
            raise write_error(self.path, error) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def append(self, descriptor: int, content: bytes) -> None:
        """Write what has come.

        Parameters
        ----------
        descriptor : int
            As `appending` gives it.
        content : bytes

        Raises
        ------
        OutputError
            If it cannot be written, as where the disk is full.
        """
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            kept = "what has come is kept, and it goes on from there"
            raise write_error(self.path, error, written=self.size, kept=kept) from error

    def _read(self) -> Begun | None:
        """Give what is noted; None where that is nothing, or damaged."""
        try:
            found = read_json(self._state, _MOST_STATE, inside=self.path.parent)
            begun = Begun(**found)
        except (OSError, ValueError, TypeError):
            return None
        kinds = {"size": int | None, "whole": bool}
        sound = all(isinstance(getattr(begun, f.name), kinds.get(f.name, str)) for f in fields(begun))
        return begun if sound else None
