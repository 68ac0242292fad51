"""A published data set, from where it lies to a folder that can be opened.

While it is on its way, all of it lies in a folder beside, ``<folder>.download``: the archive as far as it has
come, and files that are being unpacked. The data set appears under its name when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxdissect.data.broden.reader import read_folder
from onnxdissect.data.download.address import checked_address, shown_address
from onnxdissect.data.download.partial import ARCHIVE, STATE
from onnxdissect.data.download.published import published_address
from onnxdissect.data.download.transfer import Fetched, fetch
from onnxdissect.data.download.unpacking import unpack
from onnxdissect.data.download.watching import Patience, Watch
from onnxdissect.errors import (
    DataError,
    DownloadError,
    OnnxDissectError,
    OutputError,
    ParameterError,
    listed,
    shown,
)
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import held_names, make_folder, sweep_partial, write_bytes
from onnxdissect.storage.json_file import json_bytes, read_json
from onnxdissect.storage.locks import locked
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.regular_files import is_file, open_regular_file
from onnxdissect.wording import counted

__all__ = ["RECORD", "Download", "download_broden"]

RECORD = "download.json"
"""What is kept in the data set's folder of where it came from."""
_MOST_RECORD = 1 << 16
_CHUNK = 1 << 20
_SUM = re.compile(r"[0-9a-f]{64}")
_LOCK, _UNPACKED = "lock", "unpacked"
_ON_ITS_WAY = (ARCHIVE, STATE, _LOCK, _UNPACKED)
_ANOTHER = "choose a new or an empty folder"


@dataclass(frozen=True, slots=True)
class Download:
    """A data set that was downloaded, now or before.

    Attributes
    ----------
    folder : Path
        Holds index.csv.
    name : str
        What it was asked for as.
    source : str
        Where it came from: an address without its query, or the name of a file.
    size : int
        Bytes of the archive.
    sha256 : str
        Of the archive, in hexadecimal.
    new : bool
        Whether it was not there before.
    """

    folder: Path
    name: str
    source: str
    size: int
    sha256: str
    new: bool


@explained_memory()
def download_broden(
    name: str,
    folder: str | Path,
    *,
    source: str | Path | None = None,
    sha256: str | None = None,
    patience: Patience | None = None,
    watch: Watch | None = None,
) -> Download:
    """Download a data set, unpack it, and make sure that it is one.

    Interrupted, it goes on where it was when it is called again, as long as the server still has the same
    file.

    Parameters
    ----------
    name : str
        ``broden1_224``, ``broden1_227`` or ``broden1_384``.
    folder : str or Path
        The data set's, new or empty. Where it holds this very data set by now, nothing is done.
    source : str or Path, optional
        Where it lies, if not where it was published: an address of http or https, or an archive that is here.
    sha256 : str, optional
        Of the archive, in hexadecimal; compared before anything is unpacked.
    patience : Patience, optional
        How long the server is tried.
    watch : Watch, optional
        Told how far it is.

    Returns
    -------
    Download

    Raises
    ------
    ParameterError
        If there is no such data set, or the address or the sum is none.
    DownloadError
        If the server does not give it, what came is not what it should be, or its archive is refused.
    OutputError
        If the folder holds something else, another process downloads to it, or there is no room.
    """
    published = published_address(name)
    expected = _checked_sum(sha256)
    place = _Place(folder, name)
    watch = watch or Watch()
    there = place.present(expected)
    if there is None:
        local = _local_archive(source)
        address = "" if local else checked_address(str(source) if source is not None else published)
        with place.working():
            # somebody else may have been faster
            there = place.present(expected)
            if there is None and local:
                there = place.install(Fetched(local), local.name, expected, watch, owned=False)
            elif there is None:
                fetched = fetch(address, place.work, patience=patience or Patience(), watch=watch)
                there = place.install(fetched, shown_address(address), expected, watch, owned=True)
    place.clear()
    return there


class _Place:
    """Where a data set is to lie, and what of it is on its way."""

    def __init__(self, folder: str | Path, name: str) -> None:
        self.name = name
        # what a link leads to, since an empty folder is exchanged for the data set's
        self.folder = Path(os.path.realpath(folder))
        if not self.folder.name:
            raise OutputError(f"{self.folder} cannot be the folder of a data set", hint=_ANOTHER)
        self.work = self.folder.with_name(f"{self.folder.name}.download")

    def present(self, expected: str | None) -> Download | None:
        """Give what is there; None if nothing is, an error where it is anything else."""
        folder = self.folder
        try:
            held = sorted(path.name for path in folder.iterdir())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{folder} cannot be used: {error.strerror or error}", hint=_ANOTHER) from error
        if not held:
            if os.path.ismount(folder):
                raise OutputError(
                    f"{folder} is a disk of its own, which no folder takes the place of",
                    hint=f"a folder on it: {folder / self.name}",
                )
            return None
        record = _read_record(folder / RECORD)
        if record is None:
            raise OutputError(
                f"{folder} is not empty and was not downloaded (it has no {RECORD}); nothing was written",
                hint=f"onnxdissect data info {folder} tells what it holds; else {_ANOTHER}"
                if "index.csv" in held
                else _ANOTHER,
            )
        if record["name"] != self.name:
            raise OutputError(
                f"{folder} holds {shown(record['name'])}, and {self.name} was asked for", hint=_ANOTHER
            )
        if expected not in (None, record["sha256"]):
            raise OutputError(
                f"{folder} holds {self.name} of an archive whose SHA-256 is {record['sha256']}, "
                f"not {expected}",
                hint=_ANOTHER,
            )
        return Download(folder, self.name, record["source"], record["bytes"], record["sha256"], new=False)

    def install(
        self, fetched: Fetched, source: str, expected: str | None, watch: Watch, *, owned: bool
    ) -> Download:
        """Compare, unpack, open and put in place what has come."""
        digest, size = _sum_of(fetched.path)
        if expected not in (None, digest):
            raise DownloadError(
                f"the archive of {source} has the SHA-256 {digest}, and {expected} was asked for; "
                "nothing was unpacked",
                hint=f"if the sum is right, remove {self.work}, then the same command again"
                if owned
                else None,
            )
        unpacked = self.work / _UNPACKED
        record = {"name": self.name, "source": source, "bytes": size, "sha256": digest}
        record |= {"etag": fetched.etag, "last_modified": fetched.modified} if owned else {}
        try:
            # what an interrupted call left
            if os.path.lexists(unpacked):
                shutil.rmtree(unpacked)
            self._unpack(fetched.path, unpacked, watch, source, owned=owned)
            self._require_tables(unpacked, source, fetched.path)
            write_bytes(unpacked / RECORD, json_bytes(record, indent=2))
            with contextlib.suppress(FileNotFoundError):
                self.folder.rmdir()  # an empty one; Windows renames onto no folder at all
            unpacked.rename(self.folder)
        except OSError as error:
            raise write_error(self.folder, error, kept="the archive is kept") from error
        except OnnxDissectError:
            shutil.rmtree(unpacked, ignore_errors=True)
            raise
        return Download(self.folder, self.name, source, size, digest, new=True)

    def _unpack(self, archive: Path, folder: Path, watch: Watch, source: str, *, owned: bool) -> None:
        try:
            left_out = unpack(archive, folder, watch.files)
        except DownloadError as error:
            # it would be refused again: the same command is to ask for another
            if owned:
                self.clear()
            raise DownloadError(
                f"what came from {source} is not unpacked: {error.message}",
                hint="the same command downloads it anew; if it lies elsewhere, --from URL"
                if owned
                else None,
            ) from error
        if left_out:
            watch.say(f"{counted(left_out, 'file')} beside the data set, as some systems add, left out")

    def _require_tables(self, folder: Path, source: str, archive: Path) -> None:
        """Refuse what is no data set; rows that cannot be read are told of when it is opened."""
        try:
            read_folder(folder)
        except DataError as error:
            raise DownloadError(
                f"what came from {source} is no data set in the Broden layout: {error.message}",
                hint=f"the archive is {archive}",
            ) from error

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Hold the folder of what is on its way; where it fails, only what is gone on with stays."""
        make_folder(self.work)
        others = [name for name in held_names(self.work, "a download is") if name not in _ON_ITS_WAY]
        if others:
            raise OutputError(
                f"{self.work} is where the download would be kept, and holds {listed(others)}",
                hint="move it away, or choose another folder",
            )
        taken = OutputError(f"another process downloads to {self.folder} at this moment", hint="wait for it")
        with locked(self.work / _LOCK, taken=taken):
            try:
                yield
            except BaseException:
                if not self._has_come():
                    self.clear()
                raise

    def _has_come(self) -> bool:
        """Whether there is anything to go on from; what is no file of this program's is left as it is."""
        try:
            found = (self.work / ARCHIVE).lstat()
        except FileNotFoundError:
            return False
        return found.st_size > 0 or not stat.S_ISREG(found.st_mode)

    def clear(self) -> None:
        """Remove what was on its way, and nothing else."""
        shutil.rmtree(self.work / _UNPACKED, ignore_errors=True)
        with contextlib.suppress(OSError):
            sweep_partial(self.work)
            for name in (ARCHIVE, STATE, _LOCK):
                (self.work / name).unlink(missing_ok=True)
            self.work.rmdir()


def _checked_sum(text: str | None) -> str | None:
    if text is None:
        return None
    found = text.strip().lower()
    if not _SUM.fullmatch(found):
        raise ParameterError(f"a SHA-256 is 64 digits of 0 to 9 and a to f, not {shown(text)}")
    return found


def _local_archive(source: str | Path | None) -> Path | None:
    """Give the archive that is here; None if it is somewhere else."""
    if source is None or (isinstance(source, str) and "://" in source):
        return None
    path = Path(source)
    if not is_file(path):
        raise ParameterError(
            f"there is no file {shown(str(source), 200)}, and no address of http or https begins so",
            hint="--from https://HOST/broden1_224.zip, or --from FILE.zip",
        )
    return path


def _sum_of(path: Path) -> tuple[str, int]:
    try:
        with open_regular_file(path) as file:
            digest = hashlib.sha256()
            size = 0
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
            return digest.hexdigest(), size
    except OSError as error:
        raise DownloadError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        found = read_json(path, _MOST_RECORD, inside=path.parent)
    except (OSError, ValueError):
        return None
    kinds = {"name": str, "source": str, "bytes": int, "sha256": str}
    sound = isinstance(found, dict) and all(isinstance(found.get(key), kind) for key, kind in kinds.items())
    return found if sound else None
