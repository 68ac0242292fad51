"""Fetching a file that may break off: again from where it ended, and never wrong bytes behind right ones.

A server that answers otherwise than it was asked, or says that the content is another by now, makes it start
over. Tries that get no further than one before them are counted, and only so many are made.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from onnxdissect.data.download.address import shown_address
from onnxdissect.data.download.exchange import BrokenOffError, Reply, ask
from onnxdissect.data.download.partial import Begun, PartialArchive
from onnxdissect.data.download.watching import Patience, Watch
from onnxdissect.data.limits import MOST_ARCHIVE_BYTES
from onnxdissect.errors import DownloadError, OutputError, shown
from onnxdissect.storage.disk import file_system, size_text
from onnxdissect.storage.files import free_bytes
from onnxdissect.storage.numerals import whole_number
from onnxdissect.wording import counted

__all__ = ["Fetched", "fetch"]

_OK, _PART, _NO_SUCH_PART = 200, 206, 416
# Those that a server sends which may do better soon.
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_PART_OF = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_CHUNK = 1 << 18
_LONGEST_WAIT = 30
_MOST_DOUBLINGS = 60
_ELSEWHERE = "if it lies elsewhere, --from URL; if you have the archive, --from FILE.zip"
_ZIP = b"PK\x03\x04"
_LONGEST_VALIDATOR = 1000


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that has come whole, as far as the server says.

    Attributes
    ----------
    path : Path
    etag, modified : str
        As for `onnxdissect.data.download.partial.Begun`.
    """

    path: Path
    etag: str = ""
    modified: str = ""


def fetch(address: str, folder: Path, *, patience: Patience, watch: Watch) -> Fetched:
    """Fetch a ZIP archive, or go on with one that was begun.

    Parameters
    ----------
    address : str
        Of http or https.
    folder : Path
        Where it is kept; belongs to this download alone.
    patience : Patience
    watch : Watch
        Told of bytes, and of whatever makes it wait or start over.

    Returns
    -------
    Fetched

    Raises
    ------
    DownloadError
        If the server does not give it, or not all of it after so many tries.
    OutputError
        If there is no room for it, or it cannot be written. What has come is kept.
    """
    return _Transfer(address, PartialArchive(folder), patience, watch).run()


class _Transfer:
    def __init__(self, address: str, archive: PartialArchive, patience: Patience, watch: Watch) -> None:
        self._address = address
        self._archive = archive
        self._patience = patience
        self._watch = watch
        self._answered = False

    def run(self) -> Fetched:
        archive, patience = self._archive, self._patience
        furthest, failures = archive.size, 0
        while True:
            try:
                return self._try()
            except BrokenOffError as error:
                self._answered |= error.answered
                reached = archive.size
                failures = 1 if reached > furthest else failures + 1
                furthest = max(furthest, reached)
                if failures >= patience.tries or not self._answered:
                    raise self._given_up(error, furthest, failures) from error
                # no float holds what a thousand tries would double
                doubled = patience.pause * 2 ** min(failures - 1, _MOST_DOUBLINGS)
                wait = max(min(doubled, _LONGEST_WAIT), error.wait)
                self._watch.say(f"{error.reason}; asked again in {wait:g} s")
                time.sleep(wait)

    def _try(self) -> Fetched:
        begun = self._begun()
        offset = self._archive.size
        if begun is not None and begun.whole:
            return Fetched(self._archive.path, begun.etag, begun.modified)
        headers = {}
        if begun is not None and offset:
            headers = {"Range": f"bytes={offset}-", "If-Range": begun.validator}
        with ask(self._address, headers, self._patience.timeout) as reply:
            self._answered = True
            self._refuse_status(reply, asked_for_part=bool(headers))
            if headers and reply.status == _OK:
                self._watch.say(
                    "the server gives the whole file once more, since it has another by now or gives no "
                    "parts: it starts over"
                )
            if reply.status == _OK:
                self._archive.clear()
                begun, offset = self._begin(reply), 0
            elif begun is not None:
                self._require_same(reply, begun, offset)
            assert begun is not None
            self._require_room(begun.size, offset)
            return self._read(reply, begun, offset)

    def _begun(self) -> Begun | None:
        """Give what was begun and can be gone on with; anything else is removed."""
        begun, size = self._archive.begun, self._archive.size
        sound = (
            begun is not None
            and begun.address == shown_address(self._address)
            and (begun.size is None or size <= begun.size)
            and (begun.whole or bool(begun.validator))
            and (not begun.whole or size == begun.size)
        )
        if sound:
            return begun
        if size:
            self._watch.say(
                f"{size_text(size)} that lay here are not gone on with: nothing says that the rest would be "
                "of the same file"
            )
        self._archive.clear()
        return None

    def _refuse_status(self, reply: Reply, *, asked_for_part: bool) -> None:
        host, status = shown_address(reply.address), reply.status
        if status == _OK or (status == _PART and asked_for_part):
            encoding = reply.headers.get("Content-Encoding", "identity")
            if encoding != "identity":
                raise DownloadError(
                    f"{host} sends the file encoded ({shown(encoding)}), which was not asked for",
                    hint=_ELSEWHERE,
                )
            return
        if status == _NO_SUCH_PART and asked_for_part:
            came = self._archive.size
            self._archive.clear()
            raise BrokenOffError(
                f"{host} has no more than the {came:,} bytes that have come, and said it had"
            )
        if status in _BUSY:
            wait = whole_number(reply.headers.get("Retry-After", ""), most=10**6) or 0
            raise BrokenOffError(f"{host} is busy (status {status})", wait=min(wait, _LONGEST_WAIT))
        raise DownloadError(
            f"{host} does not give the file: it answers with status {status}",
            hint=_ELSEWHERE,
        )

    def _begin(self, reply: Reply) -> Begun:
        size = reply.length
        if size is not None and size > MOST_ARCHIVE_BYTES:
            raise _too_large(reply.address)
        begun = Begun(
            shown_address(self._address), _validator(reply, "ETag"), _validator(reply, "Last-Modified"), size
        )
        self._archive.begin(begun)
        return begun

    def _require_same(self, reply: Reply, begun: Begun, offset: int) -> None:
        """Make sure that a part is of the same content, and goes on where the archive ends."""
        found = _PART_OF.fullmatch(reply.headers.get("Content-Range", ""))
        start, total = (int(found[1]), found[3]) if found else (-1, "*")
        same = all(
            sent in ("", known)
            for sent, known in (
                (_validator(reply, "ETag"), begun.etag),
                (_validator(reply, "Last-Modified"), begun.modified),
            )
        )
        if start == offset and same and (total == "*" or begun.size in (None, int(total))):
            return
        self._archive.clear()
        raise BrokenOffError(
            f"{shown_address(reply.address)} answers with another part than was asked for, or one of another "
            "file: it starts over"
        )

    def _require_room(self, size: int | None, offset: int) -> None:
        """Refuse what the disk has no room for: the rest of the archive, and its files, no smaller."""
        if size is None:
            return
        needed, free = 2 * size - offset, free_bytes(self._archive.path.parent)
        if needed > free:
            mount, _ = file_system(self._archive.path)
            raise OutputError(
                f"the archive has {size_text(size)}, and its files need at least as much again: "
                f"{size_text(needed)} more, and {size_text(free)} are free on {mount}",
                hint=f"make room on {mount}, or choose a folder on another disk",
            )

    def _read(self, reply: Reply, begun: Begun, offset: int) -> Fetched:
        archive, size = self._archive, begun.size
        came = offset
        head = _ZIP if offset else b""
        self._watch.bytes(came, size)
        with archive.appending() as descriptor:
            while chunk := reply.read(_CHUNK):
                if len(head) < len(_ZIP):
                    head = (head + chunk)[: len(_ZIP)]
                    _require_zip(head, reply)
                came += len(chunk)
                if came > MOST_ARCHIVE_BYTES:
                    raise _too_large(reply.address)
                if size is not None and came > size:
                    break
                archive.append(descriptor, chunk)
                self._watch.bytes(came, size)
        if size is not None and came > size:
            archive.clear()
            raise BrokenOffError(
                f"{shown_address(reply.address)} gives more than the {size:,} bytes it announced"
            )
        if size is not None and came < size:
            raise BrokenOffError(f"the connection ended after {came:,} of {size:,} bytes")
        if not came:
            raise DownloadError(f"{shown_address(reply.address)} gives an empty file", hint=_ELSEWHERE)
        archive.begin(replace(begun, size=came, whole=True))
        return Fetched(archive.path, begun.etag, begun.modified)

    def _given_up(self, error: BrokenOffError, furthest: int, failures: int) -> DownloadError:
        if not self._answered:
            return DownloadError(
                error.reason, hint="is there a way to that server? if it lies elsewhere, --from URL"
            )
        size = self._archive.begun.size if self._archive.begun else None
        reached = f"{furthest:,}" + (f" of {size:,}" if size is not None else "")
        attempts = f"the last {counted(failures, 'attempt')}" if failures > 1 else "the only attempt"
        kept = f"the same command goes on from {self._archive.size:,} bytes" if self._archive.size else None
        return DownloadError(
            f"{error.reason}; {attempts} got no further than {reached} bytes",
            hint=kept or "the same command later, or --from URL",
        )


def _require_zip(head: bytes, reply: Reply) -> None:
    if _ZIP.startswith(head):
        return
    kind = reply.headers.get("Content-Type", "of no stated type")
    raise DownloadError(
        f"what {shown_address(reply.address)} gives is no ZIP archive ({shown(kind)}, beginning with "
        f"{head!r})",
        hint="if the network asks for a log-in first, do that; if the archive lies elsewhere, --from URL",
    )


def _validator(reply: Reply, name: str) -> str:
    text: str = reply.headers.get(name, "").strip()
    return text if text.isprintable() and text.isascii() and len(text) <= _LONGEST_VALIDATOR else ""


def _too_large(address: str) -> DownloadError:
    return DownloadError(
        f"{shown_address(address)} gives more than {size_text(MOST_ARCHIVE_BYTES)}, and no larger archive is "
        "read"
    )
