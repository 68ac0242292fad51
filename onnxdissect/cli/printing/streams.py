"""Standard input, output and errors as the commands need them: open, of any encoding, and never a traceback.

A standard stream may be closed, full, a pipe that nobody reads any more, or of an encoding that lacks most
characters. What a command does shall not depend on that: what nobody can read is dropped, what cannot be
encoded is escaped. Only data that should be written somewhere and is not, as on a full disk, is an error.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import Any, TextIO

from onnxdissect.errors import OutputError

__all__ = ["guard_streams"]

_ESCAPING = "onnxdissect.escape"


def guard_streams() -> None:
    """Open the standard streams that are closed, and replace standard output and errors by tolerant ones.

    Streams that a caller has put in their place stay.
    """
    _open_closed()
    codecs.register_error(_ESCAPING, _escape)
    sys.stdout = _guarded(sys.stdout, sys.__stdout__, 1)
    sys.stderr = _guarded(sys.stderr, sys.__stderr__, 2)


def _open_closed() -> None:
    # A file that is opened later would otherwise get the number of a standard stream, and be written into by
    # whatever prints to that.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def _guarded(stream: TextIO | None, original: TextIO | None, number: int) -> TextIO:
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(_Guarded(number)), encoding="utf-8", errors=_ESCAPING)
    if stream is not original or not isinstance(stream, io.TextIOWrapper):
        return stream
    if os.name == "nt" and stream.isatty():
        # Consoles there are written by another call than files.
        stream.reconfigure(errors=_ESCAPING)
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Guarded(number)),
        encoding=stream.encoding,
        errors=_ESCAPING,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Guarded(io.FileIO):
    """A standard stream; what is written after it has failed is dropped.

    Parameters
    ----------
    number : int
        1 for standard output, 2 for standard errors.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._number = number
        self._failed = False

    def write(self, content: Any) -> int:
        """Write bytes, or drop them where nobody reads any more.

        Raises
        ------
        OutputError
            If standard output leads to something that does not take them, such as a full disk.
        """
        size = memoryview(content).nbytes
        if self._failed:
            return size
        try:
            return super().write(content)
        except OSError as error:
            self._failed = True
            if self._number == 1 and not isinstance(error, BrokenPipeError):
                raise OutputError(
                    f"standard output cannot be written: {error.strerror or error}",
                    hint="send it somewhere with room; what the command saved is complete",
                ) from error
            return size


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode names of files as the bytes that they are, and escape all else that the encoding lacks."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
