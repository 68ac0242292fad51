"""Unpacking an archive that somebody else made: what may be unpacked is decided first, then held to."""

from __future__ import annotations

import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from onnxdissect.data.download.contents import Contents, Member, check_contents
from onnxdissect.data.limits import MOST_DIRECTORY_BYTES, MOST_MEMBERS
from onnxdissect.errors import DownloadError, OutputError, shown
from onnxdissect.storage.disk import file_system, size_text, write_error
from onnxdissect.storage.files import free_bytes, make_folder
from onnxdissect.storage.regular_files import open_regular_file

__all__ = ["unpack"]

_CHUNK = 1 << 20
_BLOCK = 4096  # what a small file takes of a disk
# Nothing but the list at the end is read in such pieces.
_LARGEST_PIECE = 4 << 20
_LISTED = b"PK\x01\x02"
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)


def unpack(path: Path, folder: Path, progress: Callable[[int, int], None]) -> int:
    """Unpack an archive into a new folder.

    Parameters
    ----------
    path : Path
        A ZIP archive.
    folder : Path
        Where to; made, and not there yet.
    progress : callable
        Called with the files that are unpacked and those in all.

    Returns
    -------
    int
        Files that lie beside the data set in the archive, and are left out.

    Raises
    ------
    DownloadError
        If it is no archive, is damaged, or holds what `check_contents` refuses. Files may have been unpacked
        by then.
    OutputError
        If there is no room for the files, or they cannot be written.
    """
    try:
        with open_regular_file(path) as file, zipfile.ZipFile(_Bounded(file)) as archive:
            contents = check_contents(archive.infolist(), path.stat().st_size)
            _require_room(contents, folder)
            make_folder(folder)
            made = {folder}
            for done, member in enumerate(contents.members, 1):
                target = folder / member.path
                if target.parent not in made:
                    make_folder(target.parent, inside=folder)
                    made.add(target.parent)
                _extract(archive, member, target)
                progress(done, len(contents.members))
            return contents.left_out
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    except (OSError, ValueError) as error:
        # places that lie outside of the file, and names that are no text
        raise _damaged(path, error) from error


class _Bounded(io.RawIOBase):
    """An archive's file, of which no list is read that is longer than the limits."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that its parts can be read in any order."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place of it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tell the place."""
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        """Read some of it."""
        if size is None or size < 0:
            size = MOST_DIRECTORY_BYTES + 1
        if size > MOST_DIRECTORY_BYTES:
            here = self._file.tell()
            size = min(size, self._file.seek(0, os.SEEK_END) - here)
            self._file.seek(here)
        if size > MOST_DIRECTORY_BYTES:
            raise DownloadError(
                f"the archive's list of files has {size_text(size)}; at most "
                f"{size_text(MOST_DIRECTORY_BYTES)} are read"
            )
        content = self._file.read(size)
        if len(content) > _LARGEST_PIECE and (count := content.count(_LISTED)) > MOST_MEMBERS:
            raise DownloadError(f"the archive lists {count:,} files; at most {MOST_MEMBERS:,} are unpacked")
        return content


def _require_room(contents: Contents, folder: Path) -> None:
    blocks = sum(-(-member.info.file_size // _BLOCK) for member in contents.members)
    needed, free = blocks * _BLOCK, free_bytes(folder)
    if needed > free:
        mount, _ = file_system(folder)
        raise OutputError(
            f"the archive's {len(contents.members):,} files need {size_text(needed)}, and {size_text(free)} "
            f"are free on {mount}",
            hint=f"make room on {mount}, then the same command again: the archive is kept",
        )


def _extract(archive: zipfile.ZipFile, member: Member, target: Path) -> None:
    """Write a file; its checksum is compared by the module when the last of it is read."""
    claimed, came = member.info.file_size, 0
    with archive.open(member.info) as source:
        try:
            file = target.open("xb")
        except OSError as error:
            raise write_error(target, error) from error
        with file:
            while chunk := source.read(_CHUNK):
                came += len(chunk)
                if came > claimed:
                    break
                try:
                    file.write(chunk)
                    file.flush()
                except OSError as error:
                    raise write_error(target, error, kept="the archive is kept") from error
    if came != claimed:
        found = "more" if came > claimed else f"{came:,}"
        raise DownloadError(f"{shown(member.path)} in the archive claims {claimed:,} bytes and has {found}")


def _damaged(path: Path, error: Exception) -> DownloadError:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DownloadError(f"{path} is no sound ZIP archive: {shown(said)}")
