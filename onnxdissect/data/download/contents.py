"""What an archive may hold: plain files of one data set, at paths that are the same on every system.

Names are compared as file systems may: without case, and with letters composed. All is decided by the list at
the archive's end, before anything is unpacked.
"""

from __future__ import annotations

import re
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnxdissect.data.limits import (
    LONGEST_PATH,
    MOST_EXPANDED,
    MOST_FILE_BYTES,
    MOST_MEMBERS,
    MOST_UNPACKED_BYTES,
)
from onnxdissect.errors import DownloadError, listed, shown
from onnxdissect.storage.disk import size_text

__all__ = ["Contents", "Member", "check_contents"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_LOCAL_HEADER = 30
_LONGEST_PART = 255  # bytes of a name of a file, nearly everywhere
# What Windows takes for devices, whatever follows a dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_IN_NO_PART = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_INDEX = "index.csv"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive.

    Attributes
    ----------
    info : ZipInfo
    path : str
        Where it goes, inside the data set's folder, with forward slashes.
    """

    info: zipfile.ZipInfo
    path: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What is unpacked of an archive.

    Attributes
    ----------
    members : tuple of Member
        Files; folders come with them.
    left_out : int
        Files beside the data set, as some systems add to what they pack.
    """

    members: tuple[Member, ...]
    left_out: int


def check_contents(infos: Sequence[zipfile.ZipInfo], size: int) -> Contents:
    """Refuse archives that are not plain files of one data set.

    Parameters
    ----------
    infos : sequence of ZipInfo
        The archive's list.
    size : int
        Bytes of the archive.

    Returns
    -------
    Contents
        The folder that all lies in, as in the published archives, is left out of the paths.

    Raises
    ------
    DownloadError
        If a name leads out of the folder, is none on some system or is there twice, if a member is a link,
        a device, encrypted or compressed in another way, if files lie over one another, or claim to be larger
        than the limits.
    """
    if len(infos) > MOST_MEMBERS:
        raise DownloadError(f"the archive lists {len(infos):,} files; at most {MOST_MEMBERS:,} are unpacked")
    for info in infos:
        _check_kind(info)
    files = [info for info in infos if not info.is_dir()]
    _check_sizes(files, size)
    _check_places(files, size)
    _check_doubles(infos)
    own = [info for info in files if not _is_added(info.filename)]
    prefix = _folder_of_all(own)
    members = tuple(Member(info, info.filename[len(prefix) :]) for info in own)
    return Contents(members, len(files) - len(own))


def _check_kind(info: zipfile.ZipInfo) -> None:
    called = f"{shown(info.orig_filename)} in the archive"
    wrong = _wrong_with_name(info)
    if wrong:
        raise DownloadError(f"{called} {wrong}: nothing was unpacked")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "no regular file"
        raise DownloadError(f"{called} is {what}: nothing was unpacked")
    if info.flag_bits & _ENCRYPTED:
        raise DownloadError(f"{called} is encrypted: nothing was unpacked")
    if info.compress_type not in _METHODS:
        raise DownloadError(
            f"{called} is compressed by method {info.compress_type}; only stored and deflated files "
            "are unpacked"
        )


def _wrong_with_name(info: zipfile.ZipInfo) -> str:
    # as it stands in the archive: the module cuts it at a NUL, and exchanges what parts folders
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or "\\" in name or ".." in parts or re.match(r"[A-Za-z]:", name):
        return "leads out of the folder that it is unpacked to, or may on some system"
    if len(name) > LONGEST_PATH or any(
        len(part.encode("utf-8", "replace")) > _LONGEST_PART for part in parts
    ):
        return "is longer than names of files are"
    for part in parts:
        if part in ("", ".") or part != part.strip() or part.endswith(".") or _IN_NO_PART.search(part):
            return "is no name of a file on every system"
        if _DEVICE.fullmatch(part):
            return "is the name of a device on some system"
    return ""


def _check_sizes(files: Iterable[zipfile.ZipInfo], size: int) -> None:
    total = 0
    for info in files:
        if info.file_size > MOST_FILE_BYTES:
            raise DownloadError(
                f"{shown(info.filename)} in the archive claims {info.file_size:,} bytes; at most "
                f"{MOST_FILE_BYTES:,} are unpacked"
            )
        total += info.file_size
    if total > MOST_UNPACKED_BYTES:
        raise DownloadError(
            f"the archive claims {size_text(total)} of files; at most {size_text(MOST_UNPACKED_BYTES)} "
            "are unpacked"
        )
    if total > MOST_EXPANDED * size:
        raise DownloadError(
            f"the archive has {size_text(size)} and claims {size_text(total)} of files, more than "
            f"{MOST_EXPANDED} times as much: nothing was unpacked"
        )


def _check_places(files: Iterable[zipfile.ZipInfo], size: int) -> None:
    """Refuse files that share bytes of the archive: a few of them would be unpacked again and again."""
    end, before = 0, ""
    for info in sorted(files, key=lambda one: one.header_offset):
        if info.header_offset < end:
            raise DownloadError(
                f"{shown(before)} and {shown(info.filename)} lie over one another in the archive: "
                "nothing was unpacked"
            )
        # the name in the local header may be another, but a file has one of at least a letter
        end, before = info.header_offset + _LOCAL_HEADER + 1 + info.compress_size, info.filename
    if end > size:
        raise DownloadError(
            f"{shown(before)} lies beyond the end of the archive: it is damaged, or cut short"
        )


def _check_doubles(infos: Iterable[zipfile.ZipInfo]) -> None:
    spelled: dict[str, str] = {}
    files: set[str] = set()
    for info in infos:
        name = info.filename.removesuffix("/")
        key = _key(name)
        if not info.is_dir():
            if key in files:
                raise DownloadError(
                    f"{shown(spelled[key])} and {shown(name)} are one file on some systems: "
                    "nothing was unpacked"
                )
            files.add(key)
        while key:
            if spelled.setdefault(key, name) != name:
                raise DownloadError(
                    f"{shown(spelled[key])} and {shown(name)} are one path on some systems: "
                    "nothing was unpacked"
                )
            name, key = name.rpartition("/")[0], key.rpartition("/")[0]
            if key in spelled and spelled[key] == name:
                break
    for key in spelled:
        folder = key.rpartition("/")[0]
        if folder in files:
            raise DownloadError(
                f"{shown(spelled[folder])} is a file and a folder in the archive: nothing was unpacked"
            )


def _key(name: str) -> str:
    """Give what names that are one on some system have in common."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_added(name: str) -> bool:
    top, slash, _ = name.partition("/")
    return top == "__MACOSX" or (top.startswith(".") and not slash)


def _folder_of_all(files: Sequence[zipfile.ZipInfo]) -> str:
    names = {info.filename for info in files}
    if _INDEX in names:
        return ""
    tops = sorted({name.partition("/")[0] for name in names})
    if len(tops) == 1 and f"{tops[0]}/{_INDEX}" in names:
        return f"{tops[0]}/"
    raise DownloadError(
        f"the archive holds no data set in the Broden layout, that is, an {_INDEX} in its only folder: "
        f"it holds {listed(tops) or 'nothing'}"
    )
